"""From a tag to an image that the suite can run in: found by its recipe's digest, or built once, under a lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pytest_pyimages.containers import Lease, Source
from pytest_pyimages.engines import Engine, ImageInfo
from pytest_pyimages.engines.labels import LABEL, PYTHON_LABEL
from pytest_pyimages.errors import BuildError
from pytest_pyimages.images.bases import BaseImages
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.recipe import environment_reference

if TYPE_CHECKING:
    from pytest_pyimages.images.builder import Maker
    from pytest_pyimages.indexes import HostNetwork

LOCK_SECONDS = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An environment image, ready to run."""

    id: str
    digest: str  # of the base image: its repository digest where it has one, else its id
    python: str  # version
    executable: str  # absolute path of the interpreter inside
    cached: bool
    build_seconds: float


class Builder:
    """Makes environment images. May be used from several threads at once.

    :param network: this host's way to the package indexes, for one plan.
    :param say: called with (label, text) at each stage; must be safe to call from any thread.
    :param progress: called with (label, text) as a stage goes on; must be safe to call from any thread.
    :param note: called with what people should know at the end; must be safe to call from any thread.
    """

    def __init__(  # noqa: PLR0913 - what it works with, given once
        self,
        *,
        engine: Engine,
        bases: BaseImages,
        lease: Lease,
        source: Source,
        network: Callable[[ImagePlan], HostNetwork],
        say: Callable[[str, str], None],
        progress: Callable[[str, str], None],
        note: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._bases = bases
        self._lease = lease
        self._source = source
        self._network = network
        self._say = say
        self._progress = progress
        self._note = note
        self._lock = threading.Lock()
        self._maker: Maker | None = None
        self._aborted = False

    def abort(self) -> None:
        """End all builds now, and begin none; what they were building is not kept."""
        with self._lock:
            self._aborted = True
            maker = self._maker
        if maker is not None:
            maker.abort()

    def join(self, deadline: float) -> tuple[str, ...]:
        """Wait until nothing of builds is left; return the threads that still work at the deadline (monotonic)."""
        return () if self._maker is None else self._maker.join(deadline)

    def _loaded_maker(self) -> Maker:
        """Return what makes images; most sessions find all of theirs, and need not load it."""
        from pytest_pyimages.images.builder import Maker
        from pytest_pyimages.images.install_step import InstallStep

        with self._lock:
            if self._maker is None:
                step = InstallStep(
                    engine=self._engine,
                    lease=self._lease,
                    source=self._source,
                    network=self._network,
                    progress=self._progress,
                    note=self._note,
                )
                self._maker = Maker(self._engine, step, network=self._network, say=self._say, progress=self._progress)
            if self._aborted:
                self._maker.abort()
            return self._maker

    def ensure(self, plan: ImagePlan) -> BuiltImage:
        """Return the environment image of a plan, from the cache if its recipe was built before.

        :raises BuildError: with what went wrong and the last lines of the log.
        :raises EngineError: where the engine itself fails.
        """
        started = time.monotonic()
        base = self._bases.resolve(plan.tag)
        reference = environment_reference(plan.recipe, base)
        image, cached = self._engine.find_image(reference), True
        if image is None:
            image, cached = self._build_once(plan, base, reference)
        python = image.labels.get(PYTHON_LABEL, "")
        if plan.recipe.lock is not None:
            from pytest_pyimages.project import describe_fate

            fate = image.labels.get(f"{LABEL}.lock", "")
            note = describe_fate(plan.recipe.lock, fate, label=plan.tag.label, python=python)
            if note:
                self._note(note)
        return BuiltImage(
            id=image.id,
            digest=base.digests[0] if base.digests else base.id,
            python=python,
            executable=image.labels.get(f"{LABEL}.executable", "python"),
            cached=cached,
            build_seconds=0.0 if cached else time.monotonic() - started,
        )

    def _build_once(self, plan: ImagePlan, base: ImageInfo, reference: str) -> tuple[ImageInfo, bool]:
        lock = FileLock(self._lease.build_locks / f"{reference.rpartition(':')[2]}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._say(plan.tag.label, "waiting for another session that builds the same image")
            try:
                lock.acquire(timeout=LOCK_SECONDS)
            except Timeout as error:
                raise BuildError(
                    f"another session has been building the same image for {LOCK_SECONDS // 60} minutes",
                    "end it, or try again",
                ) from error
        try:
            found = self._engine.find_image(reference)
            if found is not None:
                return found, True
            self._loaded_maker().make(plan, base, reference)
            found = self._engine.find_image(reference)
        finally:
            # Whoever waits for this file, or makes a new one, looks for the image again before building.
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()
        if found is None:
            raise BuildError("the image was built and is not there", "try again")
        return found, False
