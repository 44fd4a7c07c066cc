"""Build an image and run its suite on an engine; all images of a session share this object."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_pyimages.containers import Lease
from pytest_pyimages.engines import NO_OPTIONS
from pytest_pyimages.errors import ConnectionLostError, EngineError, ImageNotFound
from pytest_pyimages.host import Settings
from pytest_pyimages.images import BuiltImage, DamagedImage, ImagePlan, LastUsed, identify_project
from pytest_pyimages.runs import BrokenImageError, CoverageJob, Job, Run, RunEnd
from pytest_pyimages.runs.events import Event
from pytest_pyimages.session.jobs import make_job, make_services
from pytest_pyimages.session.messages import (
    REPORT,
    EndReporter,
    EventsReceived,
    ImageBuilt,
    ImagePlaced,
    Outbox,
    OutputReceived,
    Progressed,
)
from pytest_pyimages.session.placement.backends import Backend, Backends, EngineLostError
from pytest_pyimages.session.twins import Claims

if TYPE_CHECKING:
    from pytest_pyimages.session.kept_files import KeptFiles
    from pytest_pyimages.session.placement.machines import ClusterBackends
    from pytest_pyimages.session.placement.parts import Suite

# Of an engine that lacks a layer of an image, or the Python in it.
_LOST_FILES = ("layer", "executable file", "no such file", "not known")


class Unit(NamedTuple):
    """What one thread runs: an image's suite, or in a cluster a part of it."""

    plan: ImagePlan
    number: int  # of the image, whose slot is preferred
    shard: Mapping[str, Any] | None  # the part of the tests, see runs.job
    suite: Suite | None = None  # of the image, in a cluster
    part: int = 0  # of the suite


class ImageWork:
    """May be used from several threads at once.

    :param memory: values for pytest's cache in the containers, by label.
    :param kept_files: gets what the suites have changed in the source.
    """

    def __init__(  # noqa: PLR0913 - everything that its containers are given
        self,
        settings: Settings,
        lease: Lease,
        outbox: Outbox,
        backends: Backends | ClusterBackends,
        last_used: LastUsed,
        *,
        build_only: bool,
        memory: Mapping[str, Mapping[str, Any]],
        kept_files: KeptFiles | None,
    ) -> None:
        self.services: dict[str, list[dict[str, str]]] = {}  # by label, as in the report
        self.has_begun = threading.Event()  # whether a container has begun, or ended
        self._settings = settings
        self._lease = lease
        self._outbox = outbox
        self._backends = backends
        self._last_used = last_used
        self._build_only = build_only
        self._memory = memory
        self._kept_files = kept_files
        self._runs: dict[tuple[str, int], Run] = {}
        self._images: dict[str, tuple[Backend, ImagePlan]] = {}
        self._places: dict[str, list[tuple[int, str]]] = {}  # parts and addresses of their engines, by label
        self._claims = Claims()
        self._lock = threading.Lock()

    def send(self, label: str, line: bytes) -> None:
        """Send a line to the worker of an image.

        :raises EngineError: if the container has ended.
        """
        with self._lock:
            run = self._runs.get((label, 0))
        if run is None:
            raise EngineError("the container has ended")
        run.send(line)

    def stop(self) -> None:
        """Stop all containers; once the outbox is closing, none is started any more."""
        self.has_begun.set()
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.stop()

    def build_and_run(self, backend: Backend, unit: Unit, ended: EndReporter) -> None:
        """Build the image of a unit and run its tests."""
        plan, concurrency, source = unit.plan, backend.concurrency, backend.source
        label = plan.tag.label
        if self._backends.are_several:
            self._outbox.put(ImagePlaced(label, self._add_place(unit, backend.address, ended)))
        images = backend.service_images
        with make_services(backend.engine, self._lease, plan, images, lambda: self._outbox.is_closing) as services:
            with concurrency.build():
                if not self._build_only and not concurrency.suites_are_full:
                    services.start()  # else they would wait for the suite, and use memory
                if not source.decide(backend.engine, self._lease):
                    source.decide(backend.engine, self._lease, backend.bases.resolve(plan.tag).id)
                image = self._ensure(backend, unit)
            if self._build_only:
                ended(None, None)
                return
            if self._claims.is_twin(label):
                return
            waits = concurrency.suites_are_full
            if waits:
                self._progress(label, "waiting for a free slot")
            with concurrency.suite(unit.number) as slot:
                if waits:
                    self._progress(label, "")
                services.wait(lambda text: self._progress(label, text))
                self.services[label] = services.document
                self._outbox.note(*(f"{label}: {line}" for line in services.notes))
                ended.began = time.monotonic()
                unit = unit._replace(plan=replace(plan, args=concurrency.arguments(plan, slot)))
                self._run_with_fallbacks(backend, unit, image, ended, services.network)
                self._outbox.note(*(f"{label}: {line}" for line in services.describe_ended()))

    def _progress(self, label: str, text: str) -> None:
        self._outbox.put(Progressed(label, text))

    def _add_place(self, unit: Unit, address: str, ended: EndReporter) -> str:
        """Return where an image runs; in a cluster where its parts run, and began before a machine was lost."""
        if unit.suite is None:  # it moves only before its tests begin
            return address
        with self._lock:
            places = self._places.get(unit.plan.tag.label, [])
            if not ended.has_begun:
                places = [place for place in places if place[0] != unit.part]
            self._places[unit.plan.tag.label] = places = [*places, (unit.part, address)]
            return ", ".join(dict.fromkeys(address for _, address in places))

    def _run_with_fallbacks(
        self, backend: Backend, unit: Unit, image: BuiltImage, ended: EndReporter, network: str
    ) -> None:
        label, damaged = unit.plan.tag.label, None
        try:
            self._run(backend, unit, replace(self._job(unit, image), network=network), ended, image)
        except ImageNotFound:  # it has just been pruned
            pass
        except (BrokenImageError, EngineError) as error:
            is_damaged = isinstance(error, BrokenImageError) or any(word in error.message for word in _LOST_FILES)
            is_lost = isinstance(error, ConnectionLostError) or self._backends.is_lost(backend, image.id)
            is_known = error.message == image.replaced
            if ended.is_reported or not image.cached or not is_damaged or is_known or is_lost:
                raise
            self._outbox.note(f"{label}: the cached image was damaged ({error.message}); it was built again")
            damaged = DamagedImage(image.id, error.message)
        else:
            return
        job = self._job(unit, self._ensure(backend, unit, damaged))
        self._run(backend, unit, replace(job, network=network), ended)

    def _ensure(self, backend: Backend, unit: Unit, damaged: DamagedImage | None = None) -> BuiltImage:
        plan = unit.plan
        image, label = backend.environments.ensure(plan, damaged=damaged), plan.tag.label
        self._last_used.touch(image.id, identify_project(plan.project), self._settings.invocation.project_folder)
        with self._lock:
            is_told = label in self._images and unit.suite is not None and damaged is None
            self._images[label] = backend, plan
        first = label if self._build_only else self._claims.claim(plan, self._job(unit, image))
        if not is_told:
            self._outbox.put(ImageBuilt(label, image, same_as="" if first == label else first))
        if first != label:
            self._progress(label, f"same as {first}")
            self._outbox.note(f"{label} is the same image as {first}: its tests run once, and count for both")
        if image.is_pulled or not image.cached:
            backend.new_images.append(image.id)
        return image

    def _run(self, backend: Backend, unit: Unit, job: Job, ended: EndReporter, image: BuiltImage | None = None) -> None:
        """Run one container.

        :param image: the job's, if it may be damaged.
        """
        label = unit.plan.tag.label if job.report is None else REPORT
        known_fault = image.replaced if image is not None and image.cached else None
        run = Run(backend.engine, self._lease, backend.source, job, known_fault=known_fault)
        run.bytecode.say = partial(self._progress, label)

        def end(run_end: RunEnd) -> None:
            if run_end.problem and not self._outbox.is_closing and self._backends.is_lost(backend, job.image):
                if self._backends.resumes or not ended.has_begun:
                    raise EngineLostError(run_end.problem)
                run_end = run_end._replace(problem=backend.describe_loss(run_end.problem))
            if run_end.note:
                self._outbox.note(f"{label}: {run_end.note}")
            ended(run_end, None)

        with self._lock:
            if self._outbox.is_closing:
                return
            self._runs[label, unit.part] = run
        try:
            printed = partial(self._show, label) if self._settings.live_output else None
            run.execute(self._make_emit(label, unit, ended), end, printed)
        finally:
            self.has_begun.set()
            if run.changes is not None and self._kept_files is not None:
                self._kept_files.take(label, run.changes)
            with self._lock:
                del self._runs[label, unit.part]

    def _show(self, label: str, data: bytes) -> None:
        self._outbox.put(OutputReceived(label, data))

    def _make_emit(self, label: str, unit: Unit, ended: EndReporter) -> Callable[[Sequence[Event]], None]:
        """Return what a container's events are given to."""
        suite = unit.suite if label else None
        if suite is not None:
            suite.begin(unit.part)

        def emit(events: Sequence[Event]) -> None:
            ended.has_begun = True
            self.has_begun.set()
            if suite is None:
                self._outbox.put(EventsReceived(label, events))
            else:
                with suite.lock:
                    self._outbox.put(EventsReceived(label, suite.play(unit.part, events)))

        return emit

    def run_report(self, label: str, report: CoverageJob, ended: EndReporter, *, columns: int) -> None:
        """Make the coverage report in an image's environment.

        :param columns: of the terminal.
        """
        backend, plan = self._images[label]
        unit = Unit(plan, 0, None)

        def run(backend: Backend) -> None:
            job = self._job(unit, backend.environments.ensure(plan))
            environment = {**job.environment, "COLUMNS": str(columns)}
            job = replace(job, memory=None, shard=None, changes=None, terminal=None, timeout=None, silence=None)
            job = replace(job, report=report, environment=environment, options=NO_OPTIONS)
            self._run(backend, unit, job, ended)

        self._backends.run_again(backend, plan, run)

    def _job(self, unit: Unit, image: BuiltImage) -> Job:
        label = unit.plan.tag.label
        is_divided = unit.suite is not None and unit.suite.is_divided
        return make_job(
            self._settings,
            unit.plan,
            image,
            memory=self._memory.get(label),
            shard=unit.shard,
            changes=None if self._kept_files is None or is_divided else self._kept_files.make_job(label),
        )
