"""Find the environment image of a plan by its recipe's digest, here or in a registry, or have it built once."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from filelock import FileLock, Timeout

from pytest_pyimages.containers import Lease, Source, acquire_lock
from pytest_pyimages.engines import ImageInfo
from pytest_pyimages.engines.labels import (
    EXECUTABLE_LABEL,
    KIND_LABEL,
    LABEL,
    PYTHON_LABEL,
    RECIPE_LABEL,
    REPLACED_LABEL,
)
from pytest_pyimages.errors import BuildError
from pytest_pyimages.images.bases import BaseImages
from pytest_pyimages.images.full_image import describe_left_out
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.recipe import hash_text
from pytest_pyimages.images.registries import ImageRegistries, Registries
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.matrix import is_same_platform

if TYPE_CHECKING:
    from pytest_pyimages.images.builder import ImageBuilder

LOCK_SECONDS = 1800
PYTHONS = "/opt/pyimages/python/"  # those that uv has installed
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # Docker's
Origin = Literal["cached", "pulled", "built"]
NO_REGISTRIES = Registries()
_NEEDED_LABELS = (PYTHON_LABEL, EXECUTABLE_LABEL)


class BuiltImage(Immutable):
    """An environment image, ready to run."""

    id: str
    digest: str  #: of the base image: its repository digest if it has one, else its id
    python: str  #: version
    implementation: str = ""  #: "PyPy 7.3.19", "free-threaded"; empty for the usual CPython
    platform: str = ""  #: "linux/arm64"; empty for the engine's own
    environment: Mapping[str, str] = field(default_factory=dict)  #: variables that its containers need
    executable: str  #: absolute path of the interpreter in the image
    worker: str = ""  #: SHA-256 of the worker's modules in it, hex digits; empty: not known
    user: str = ""  #: that its containers run as; empty for root
    cached: bool  #: whether it was not built in this session
    replaced: str = ""  #: why an image of the same recipe before it did not work, if that is why it was built
    is_pulled: bool = False  #: from a registry, in this session
    build_seconds: float  #: to build or to pull it


class DamagedImage(NamedTuple):
    """An environment image that did not work."""

    id: str
    reason: str


def _describe_implementation(plan: ImagePlan, image: ImageInfo) -> str:
    """Return the implementation, with the value of PYTHON_GIL if one is set for a free-threaded Python."""
    implementation = image.labels.get(f"{LABEL}.implementation", "")
    gil = {**image.environment, **plan.environment}.get("PYTHON_GIL", "")
    return f"{implementation}, PYTHON_GIL={gil}" if gil and implementation == "free-threaded" else implementation


def _find_variables(image: ImageInfo) -> dict[str, str]:
    """Return the variables by which programs find the Python that was installed into the image."""
    folder = image.labels[EXECUTABLE_LABEL].rpartition("/")[0]
    return {"PATH": f"{folder}:{image.environment.get('PATH', DEFAULT_PATH)}"} if folder.startswith(PYTHONS) else {}


class EnvironmentImages:
    """Finds or builds environment images. May be used from several threads at once."""

    def __init__(self, bases: BaseImages, lease: Lease, source: Source, registries: Registries = NO_REGISTRIES) -> None:
        self._engine = bases.engine
        self._bases = bases
        self._lease = lease
        self._source = source
        self._listener = bases.listener
        self._lock = threading.Lock()
        self._builder: ImageBuilder | None = None
        self._registries = ImageRegistries(bases.engine, bases.listener, registries)

    def abort(self) -> None:
        """Stop all builds and transfers without keeping their results, and start none."""
        with self._lock:
            self._registries.is_aborted = True
            builder = self._builder
        if builder is not None:
            builder.abort()

    def _require_going_on(self) -> None:
        if self._registries.is_aborted:
            raise BuildError("stopped while another session built it")

    def join(self, deadline: float) -> tuple[str, ...]:
        """Wait until all builds have cleaned up; return the threads that have not at the deadline (monotonic)."""
        return () if self._builder is None else self._builder.join(deadline)

    def ensure(self, plan: ImagePlan, *, damaged: DamagedImage | None = None) -> BuiltImage:
        """Return the environment image of a plan; pull or build it if the engine does not have it.

        :param damaged: to be replaced by an image that is built from the base image.
        :raises BuildError: with the problem and the last lines of the log.
        :raises EngineError: if the engine itself fails.
        """
        started = time.monotonic()
        origin: Origin
        base = self._bases.resolve(plan.tag)
        reference = plan.recipe.name_image(base)
        image, origin = self._find(plan, reference, damaged), "cached"
        if image is None:
            image, origin = self._obtain(plan, base, reference, damaged)
        seconds = 0.0 if origin == "cached" else time.monotonic() - started
        self._registries.push(plan, image)
        python, own = image.labels.get(PYTHON_LABEL, ""), self._engine.info.platform
        if plan.recipe.lock is not None:
            from pytest_pyimages.project import describe_fate

            fate = image.labels.get(f"{LABEL}.lock", "")
            note = describe_fate(plan.recipe.lock, fate, label=plan.tag.label, python=python)
            if note:
                self._listener.note(note)
        left_out = describe_left_out(plan.tag, image.labels.get(f"{LABEL}.left", ""))
        if left_out:
            self._listener.note(left_out)
        extra = image.labels.get(f"{LABEL}.extra", "")
        if extra:
            self._listener.note(f"{plan.tag.label}: .[{extra}] is installed, which only the project's build declares")
        return BuiltImage(
            id=image.id,
            digest=base.digests[0] if base.digests else base.id,
            python=python,
            platform=base.platform if own and not is_same_platform(base.platform, own) else "",
            implementation=_describe_implementation(plan, image),
            environment=_find_variables(image),
            executable=image.labels[EXECUTABLE_LABEL],
            worker=image.labels.get(f"{LABEL}.worker", ""),
            user=image.user,
            cached=origin != "built",
            replaced=image.labels.get(REPLACED_LABEL, ""),
            is_pulled=origin == "pulled",
            build_seconds=seconds,
        )

    def _find(self, plan: ImagePlan, reference: str, damaged: DamagedImage | None) -> ImageInfo | None:
        """Return the image if the engine has it, it is the one that this plugin has built, and is not damaged."""
        image = self._engine.find_image(reference)
        if image is None or (damaged is not None and image.id == damaged.id):
            return None
        labels = image.labels
        is_ours = (labels.get(KIND_LABEL), labels.get(RECIPE_LABEL)) == ("environment", reference.rpartition(":")[2])
        if not is_ours or not all(map(labels.get, _NEEDED_LABELS)):
            self._listener.note(f"{plan.tag.label}: {reference} is not the image that was built; it was built again")
            return None
        return image

    def find_lock(self, reference: str) -> Path:
        """Return the file whose lock the build of an image holds; builds on other engines have other ones."""
        engine = hash_text(self._engine.info.endpoint)[:8]
        return self._lease.build_locks / f"{reference.rpartition(':')[2]}-{engine}.lock"

    def _obtain(
        self, plan: ImagePlan, base: ImageInfo, reference: str, damaged: DamagedImage | None
    ) -> tuple[ImageInfo, Origin]:
        """Pull or build an image unless another session does; return it, and how it was obtained."""
        mutex = FileLock(self.find_lock(reference), thread_local=False)
        try:
            mutex.acquire(timeout=0)
        except Timeout:
            self._listener.report(plan.tag.label, "waiting for another session that builds the same image")
            if not acquire_lock(mutex, LOCK_SECONDS, self._require_going_on):
                raise BuildError(
                    f"another session has been building the same image for {LOCK_SECONDS // 60} minutes",
                    "stop it, or try again",
                ) from None
        try:
            found = self._find(plan, reference, damaged)
            if found is not None:
                return found, "cached"
            if damaged is None:
                can_mount = self._source.mode == "overlay"
                found = self._registries.find(plan, base, reference, can_mount=can_mount)
                if found is not None:
                    return found, "pulled"
            self._load_builder().build(plan, base, reference, replaced="" if damaged is None else damaged.reason)
            found = self._engine.find_image(reference)
        finally:
            # A session that waits for this file, or creates it again, looks for the image before it builds.
            Path(mutex.lock_file).unlink(missing_ok=True)
            mutex.release()
        if found is None:
            raise BuildError("the image was built, but the engine does not have it", "try again")
        return found, "built"

    def _load_builder(self) -> ImageBuilder:
        """Return the builder; it is imported late, since most sessions build nothing."""
        from pytest_pyimages.images.builder import ImageBuilder

        with self._lock:
            if self._builder is None:
                self._builder = ImageBuilder(self._engine, self._bases, self._lease, self._source, self._listener)
            if self._registries.is_aborted:
                self._builder.abort()
            return self._builder
