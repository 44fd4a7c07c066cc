"""The container engines of a session: what belongs to each of them, and which one an image goes to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_pyimages.containers import Lease, Source
from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import (
    BaseImageMissingError,
    ConnectionLostError,
    EngineError,
    NoAnswerError,
    PyimagesError,
    RegistryUnreachableError,
)
from pytest_pyimages.host import Settings
from pytest_pyimages.images import BaseImages, EnvironmentImages, ImagePlan, LastUsed, Listener
from pytest_pyimages.matrix import is_same_platform
from pytest_pyimages.session.placement.concurrency import Concurrency

if TYPE_CHECKING:
    from pytest_pyimages.images import Pins

LOOK_SECONDS = 0.2  # between two looks for the end of a session


class EngineLostError(EngineError):
    """The engine no longer answers, and no test has begun on it."""


class Backend:
    """An engine of a session, with its own images, source and slots.

    :param engine: shared by all threads of the session.
    :param source: of this engine alone, since engines see different files.
    """

    def __init__(  # noqa: PLR0913 - what its images are made of
        self,
        engine: Engine,
        settings: Settings,
        source: Source,
        *,
        lease: Lease,
        listener: Listener,
        pins: Pins | None,
    ) -> None:
        self.engine = engine
        self.source = source
        self.bases = BaseImages(engine, listener, policy=settings.pull, pins=pins)
        self.service_images = BaseImages(engine, listener, policy=settings.pull)
        self.environments = EnvironmentImages(self.bases, lease, source, settings.registries)
        self.new_images: list[str] = []  # ids
        self.under_way = 0  # images that were given to it and have not ended
        self.is_lost = False  # whether it has ceased to answer
        self._settings = settings
        self._lease = lease
        self._concurrency: Concurrency | None = None

    @property
    def address(self) -> str:
        """The name of the engine for users."""
        return self.engine.info.address

    def describe_loss(self, problem: str) -> str:
        """Return the problem of an image whose tests had begun when the engine ceased to answer."""
        return f"{self.address} can no longer be reached: {problem}"

    @property
    def concurrency(self) -> Concurrency:
        """The slots of this engine, once it is prepared."""
        if self._concurrency is None:
            raise EngineError(f"the engine at {self.address} is not prepared")
        return self._concurrency

    @property
    def load(self) -> float:
        """The images under way in proportion to those that can run at once."""
        return self.under_way / self.concurrency.suites

    @property
    def is_full(self) -> bool:
        """Whether as many images are under way as can run at once, and one more, which is prepared meanwhile."""
        return self.under_way > self.concurrency.suites

    def prepare(self, plans: Sequence[ImagePlan], *, engines: int) -> None:
        """Find out how much can run at once; decide how containers get the source, if a base image is here already.

        :param engines: among which the images are divided.
        """
        if not self.source.decide(self.engine, self._lease):
            found = (self.engine.find_image(plan.tag.reference) for plan in plans)
            image = next((image.id for image in found if image is not None), "")
            self.source.decide(self.engine, self._lease, image)
        self._concurrency = Concurrency(self._settings, plans, self.engine.processors, engines=engines)

    def adopt_sweep(self, problems: list[str]) -> bool:
        """Return whether a watch has swept a moment ago; add what could not be removed."""
        found = None if self.source.ahead is None else self.source.ahead.problems
        problems += found or ()
        return found is not None

    def sweep(self, problems: list[str]) -> None:
        """Remove the leaked containers, networks and volumes of dead sessions; add what could not be removed."""
        try:
            problems += self._lease.sweep(self.engine)
        except EngineError as error:
            problems.append(f"leaked containers, networks and volumes were not checked ({error.message})")


class Backends:
    """All engines of a session. May be used from several threads at once.

    An image goes to an engine of its platform, or to any engine, which may emulate it, if none has it. An image that
    names no platform has that of the first engine. Of several engines the one with the smallest load is chosen.

    :param engines: at least one, in the order in which the user names them.
    :param source: of the first engine; the others get copies of it.
    :param listener: gets notes on images that go to another engine, and what they wait for.
    :raises ConfigurationError: for a lock file that cannot be used.
    """

    def __init__(
        self, engines: Iterable[Engine], settings: Settings, source: Source, lease: Lease, listener: Listener
    ) -> None:
        pins = read_pins_of(settings)
        self._all = tuple(
            Backend(
                engine,
                settings,
                source.copy_undecided() if number else source,
                lease=lease,
                listener=listener,
                pins=pins,
            )
            for number, engine in enumerate(engines)
        )
        self._listener = listener
        self._changed = threading.Condition()

    resumes = False  # whether a suite goes on on another engine after tests had begun

    def __iter__(self) -> Iterator[Backend]:
        return iter(self._all)

    @property
    def are_several(self) -> bool:
        """Whether there is more than one engine."""
        return len(self._all) > 1

    def __len__(self) -> int:
        return len(self._all)

    def prepare(self, step: Callable[[Backend], None]) -> None:
        """Do a step of the preparation with each engine.

        :raises EngineError: that of the step; if there are several engines, with the engine's name.
        """
        for backend in self._all:
            try:
                step(backend)
            except EngineError as error:
                if not self.are_several:
                    raise
                raise EngineError(f"{backend.address}: {error.message}", error.hint) from error

    def find_candidates(self, platform: str) -> tuple[Backend, ...]:
        """Return the engines that an image may go to.

        :param platform: of the image; empty if it names none.
        """
        wanted = platform or self._all[0].engine.info.platform
        native = tuple(each for each in self._all if is_native(each.engine, wanted))
        return native or self._all

    def try_choose(self, plan: ImagePlan) -> Backend | None:
        """Return the engine that an image goes to, and count it there; None if all that it may go to are full."""
        with self._changed:
            return self._choose(self._list_open(plan))

    def run_image(
        self,
        plan: ImagePlan,
        chosen: Backend | None,
        work: Callable[[Backend], None],
        *,
        is_over: Callable[[], bool],
    ) -> None:
        """Do the work on an image; if its engine is lost, or lacks the base image, do it on another one.

        :param chosen: by ``try_choose``.
        :param is_over: whether the session ends, or something of the image's tests was reported.
        :raises PyimagesError: the error of the work, or that no engine is left for the image.
        """
        failed: dict[Backend, PyimagesError] = {}
        while not is_over():
            backend, chosen = chosen or self._choose_later(plan, failed, is_over), None
            if backend is None:
                return
            try:
                work(backend)
            except PyimagesError as error:
                may_move = self._may_move(backend, error, plan.tag.reference)
                if is_over() and backend.is_lost:
                    raise EngineError(backend.describe_loss(error.message), error.hint) from error
                if is_over() or not may_move:
                    raise
                failed[backend] = error
                self._listener.note(f"{plan.tag.label}: not run on {backend.address} ({error.message})")
            else:
                return
            finally:
                self._release(backend)

    def run_again(self, backend: Backend, plan: ImagePlan, work: Callable[[Backend], None]) -> None:  # noqa: ARG002
        """Do more work on an image that has ended, where it has run."""
        work(backend)

    def _choose_later(
        self, plan: ImagePlan, failed: Mapping[Backend, PyimagesError], is_over: Callable[[], bool]
    ) -> Backend | None:
        """Wait until an engine has room for an image; return it, or None if the session ends.

        :param failed: engines where the image cannot run, and why.
        :raises PyimagesError: if no engine is left.
        """
        self._listener.progress(plan.tag.label, "waiting for a free slot")
        chosen: Backend | None = None
        with self._changed:
            while chosen is None and not is_over():
                found = self._list_open(plan, failed)
                if not found:
                    raise self._make_error(plan, failed)
                chosen = self._choose(found)
                if chosen is None:
                    self._changed.wait(LOOK_SECONDS)
        self._listener.progress(plan.tag.label, "")
        return chosen

    def _release(self, backend: Backend) -> None:
        """Count an image as ended."""
        with self._changed:
            backend.under_way -= 1
            self._changed.notify_all()

    def _list_open(self, plan: ImagePlan, without: Collection[Backend] = ()) -> list[Backend]:
        return [each for each in self.find_candidates(plan.tag.platform) if not each.is_lost and each not in without]

    def _choose(self, backends: Sequence[Backend]) -> Backend | None:
        free = (each for each in backends if not (self.are_several and each.is_full))
        chosen = min(free, key=lambda each: each.load, default=None)
        if chosen is not None:
            chosen.under_way += 1
        return chosen

    def _make_error(self, plan: ImagePlan, failed: Mapping[Backend, PyimagesError]) -> PyimagesError:
        """Return the error of an image for which no engine is left: the last one on an engine that answers, if any."""
        answering = [error for backend, error in failed.items() if not backend.is_lost]
        if answering:
            return answering[-1]
        names = ", ".join(each.address for each in self.find_candidates(plan.tag.platform))
        return EngineError(f"no engine is left for it: {names} can no longer be reached")

    def _may_move(self, backend: Backend, error: PyimagesError, reference: str) -> bool:
        """Return whether an image whose tests have not begun may go to another engine after an error.

        :param reference: of any image.
        """
        if not self.are_several:
            return False
        if self.is_lost(backend, reference) or isinstance(error, ConnectionLostError | NoAnswerError):
            return True
        return is_missing_base(error)

    def is_lost(self, backend: Backend, reference: str) -> bool:
        """Return whether one of several engines has ceased to answer; ask it for an image."""
        if self.are_several and not backend.is_lost:
            try:
                backend.engine.find_image(reference)
            except EngineError:
                backend.is_lost = True
        return backend.is_lost

    def prune_superseded(self, last_used: LastUsed) -> None:
        """Remove images that were superseded by new ones and not used for long."""
        from pytest_pyimages.images import prune_superseded  # only after a build

        for backend in self._all:
            new, backend.new_images = backend.new_images, []
            for image in [] if backend.is_lost else new:
                try:
                    removed = prune_superseded(backend.engine, last_used, image)
                except EngineError as error:
                    removed = f"superseded images were not checked ({error.message})"
                if removed:
                    self._listener.note(removed)


def read_pins_of(settings: Settings) -> Pins | None:
    """Read the lock file of the settings; None if they name none.

    :raises ConfigurationError: if it cannot be used.
    """
    if settings.lock_file is None:
        return None
    from pytest_pyimages.images import read_pins

    return read_pins(settings.lock_file)


def is_missing_base(error: PyimagesError) -> bool:
    """Return whether an engine lacks a base image, and cannot pull it; another one may have it."""
    kinds = BaseImageMissingError, RegistryUnreachableError
    return isinstance(error, kinds) or isinstance(error.__cause__, kinds)


def is_native(engine: Engine, platform: str) -> bool:
    """Return whether an engine has a platform; true if the engine, or the image, names none."""
    own = engine.info.platform
    return not own or not platform or is_same_platform(own, platform)
