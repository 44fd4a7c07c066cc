"""The threads of a session: each builds and runs one image and puts messages into a queue."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_pyimages.containers import Lease, Source, make_state_directory
from pytest_pyimages.engines import NO_OPTIONS, Engine, Waits, watch_engine
from pytest_pyimages.errors import ConnectionLostError, EngineError, ImageNotFound, PyimagesError
from pytest_pyimages.host import Settings
from pytest_pyimages.images import BuiltImage, ImagePlan, LastUsed, Listener, identify_project
from pytest_pyimages.runs import BrokenImageError, CoverageJob, Job, Run, RunEnd
from pytest_pyimages.runs.events import Event, Interrupted
from pytest_pyimages.session.backends import Backend, Backends, EngineLostError
from pytest_pyimages.session.jobs import make_job, make_services
from pytest_pyimages.session.messages import (
    REPORT,
    EndReporter,
    EventsReceived,
    ImageBuilt,
    ImagePlaced,
    Message,
    OutputReceived,
    Progressed,
    StageChanged,
)
from pytest_pyimages.session.signals import call_in_thread, hold_interrupts
from pytest_pyimages.session.twins import Claims
from pytest_pyimages.text import format_seconds

if TYPE_CHECKING:
    from pytest_pyimages.session.kept_files import KeptFiles

# Of an engine that lacks a layer of an image, or the Python in it.
_LOST_FILES = ("layer", "executable file", "no such file", "not known")
QUEUE_BATCHES = 256  # per session; a full queue blocks the containers
CLEANUP_SECONDS = 5.0
LONG_SECONDS = 30.0  # after which a wait for the engine is shown


class Schedule:
    """Build and run all images, each in a thread that waits for a free slot.

    One thread reads ``messages`` until every image has sent ``ImageEnded``.

    :param engines: at least one; the images are divided among them.
    :param build_only: do not run tests.
    :param memory: values for pytest's cache in the containers, by label.
    :param shard: the part of the tests to run, see runs.job.
    :param kept_files: gets what the suites have changed in the source.
    """

    def __init__(  # noqa: PLR0913 - everything that its containers are given
        self,
        engines: Sequence[Engine],
        settings: Settings,
        source: Source,
        *,
        build_only: bool = False,
        memory: Mapping[str, Mapping[str, Any]] | None = None,
        shard: Mapping[str, Any] | None = None,
        kept_files: KeptFiles | None = None,
    ) -> None:
        self.messages: queue.Queue[Message] = queue.Queue(QUEUE_BATCHES)
        self.notes: list[str] = []  # printed at the end
        self.interrupted: dict[str, Interrupted] = {}  # by label: where close() has stopped a suite
        self.services: dict[str, list[dict[str, str]]] = {}  # by label, as in the report
        self._waits = Waits()
        self._settings = settings
        self._build_only = build_only
        self._memory = memory or {}
        self._shard = shard
        self._kept_files = kept_files
        self._runs: dict[str, Run] = {}
        self._images: dict[str, tuple[Backend, ImagePlan, BuiltImage]] = {}
        self._claims = Claims()
        self._threads: list[threading.Thread] = []
        self._image_threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._closing = False
        self._last_used = LastUsed(make_state_directory())
        self._cleanup = ExitStack()
        self._lease = Lease()  # acquired by start(): who has this object by then closes it
        listener = Listener(
            report=lambda label, text: self._put(StageChanged(label, text)),
            progress=lambda label, text: self._put(Progressed(label, text)),
            note=self._note,
        )
        watched = (watch_engine(engine, self._waits) for engine in engines)
        self.backends = Backends(watched, settings, source, self._lease, listener)

    def send(self, label: str, line: bytes) -> None:
        """Send a line to the worker of an image.

        :raises EngineError: if the container has ended.
        """
        with self._lock:
            run = self._runs.get(label)
        if run is None:
            raise EngineError("the container has ended")
        run.send(line)

    def _note(self, *texts: str) -> None:
        with self._lock:
            self.notes += (text for text in dict.fromkeys(texts) if text not in self.notes)

    def start(self, plans: Sequence[ImagePlan]) -> None:
        """Start the threads, and one that removes what killed sessions leaked.

        :raises ConfigurationError: before anything is started, if an image is not pinned or its arguments are invalid.
        :raises EngineError: likewise, if the engine does not answer.
        """
        self.backends.prepare(lambda backend: backend.bases.check_pins(plan.tag for plan in plans))
        with hold_interrupts():
            self._cleanup.enter_context(self._lease)
        count = len(self.backends)
        prepare = partial(self.backends.prepare, lambda backend: backend.prepare(plans, engines=count))
        call_in_thread(prepare, self._threads, "pyimages-prepare")
        for number, plan in enumerate(plans):
            chosen = self.backends.try_choose(plan)  # in the order of the matrix, so that the next run does the same
            # Daemons: an engine that does not answer must not keep the process from ending.
            name = f"pyimages-{plan.tag.label}"
            thread = threading.Thread(target=self._run_image, args=(plan, number, chosen), name=name, daemon=True)
            self._image_threads[plan.tag.label] = thread
        sweeps = [
            threading.Thread(target=backend.sweep, args=(self.notes,), name="pyimages-sweep", daemon=True)
            for backend in self.backends
        ]
        with hold_interrupts():
            for thread in (*self._image_threads.values(), *sweeps):
                self._threads.append(thread)
                thread.start()

    def list_waits(self) -> dict[str, str]:
        """Return what the thread of an image has long been waiting for, by label."""
        now, found = time.monotonic(), {}
        for label, thread in self._image_threads.items():
            wait = self._waits.find(thread.ident or 0)
            if wait is not None and now - wait.since >= LONG_SECONDS:
                found[label] = f"{wait.text}, {format_seconds(now - wait.since)}"
        return found

    def close(self) -> None:
        """Stop all containers and wait until they are removed. May be called more than once."""
        with hold_interrupts():
            self._close()

    def _close(self) -> None:
        with self._lock:
            self._closing = True
            runs = list(self._runs.values())
        for backend in self.backends:
            backend.environments.abort()
        for run in runs:
            run.stop()
        deadline = time.monotonic() + CLEANUP_SECONDS
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        late = [thread.name for thread in self._threads if thread.is_alive()]
        late += (name for backend in self.backends for name in backend.environments.join(deadline))
        self._threads.clear()
        if late:
            # Their containers are labelled, and the lock of this session is released: the next session removes them.
            self.notes.append(f"the engine did not answer in time to {', '.join(late)}; the next session cleans up")
        elif any(backend.new_images for backend in self.backends):
            prune, arguments = self.backends.prune_superseded, (self._last_used,)
            pruning = threading.Thread(target=prune, args=arguments, name="pyimages-prune", daemon=True)
            pruning.start()
            pruning.join(max(deadline - time.monotonic(), 0))
        self._cleanup.close()

    def _run_image(self, plan: ImagePlan, number: int, chosen: Backend | None) -> None:
        """Build and run one image.

        :param chosen: the engine that it goes to; None if all were full.
        """

        def place(ended: EndReporter) -> None:
            self.backends.run_image(
                plan,
                chosen,
                lambda backend: self._build_and_run(backend, plan, number, ended),
                is_over=lambda: self._closing or ended.is_reported or ended.has_begun,
            )

        self._until_ended(plan.tag.label, place)

    def _build_and_run(self, backend: Backend, plan: ImagePlan, number: int, ended: EndReporter) -> None:
        label, concurrency, source = plan.tag.label, backend.concurrency, backend.source
        if self.backends.are_several:
            self._put(ImagePlaced(label, backend.address))
        images = backend.service_images
        with make_services(backend.engine, self._lease, plan, images, lambda: self._closing) as services:
            with concurrency.build():
                if not self._build_only and not concurrency.suites_are_full:
                    services.start()  # else they would wait for the suite, and use memory
                if not source.decide(backend.engine, self._lease):
                    source.decide(backend.engine, self._lease, backend.bases.resolve(plan.tag).id)
                image = self._ensure(backend, plan)
            if self._build_only:
                ended(None, None)
                return
            if self._claims.is_twin(label):
                return
            waits = concurrency.suites_are_full
            if waits:
                self._put(Progressed(label, "waiting for a free slot"))
            with concurrency.suite(number) as slot:
                if waits:
                    self._put(Progressed(label, ""))
                services.wait(lambda text: self._put(Progressed(label, text)))
                self.services[label] = services.document
                self._note(*(f"{label}: {line}" for line in services.notes))
                ended.began = time.monotonic()
                args = concurrency.arguments(plan, slot)
                self._run_with_fallbacks(backend, replace(plan, args=args), image, ended, services.network)
                self._note(*(f"{label}: {line}" for line in services.describe_ended()))

    def _until_ended(self, label: str, work: Callable[[EndReporter], None]) -> None:
        """Do the work of one thread; report its end exactly once, whatever happens."""
        ended = EndReporter(label, self._put, self.notes)
        try:
            work(ended)
        except PyimagesError as error:
            ended(None, error)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not leave the session waiting
            sys.excepthook(type(error), error, error.__traceback__)
            ended(None, PyimagesError(f"internal error: {type(error).__name__}: {error}"))

    def _run_with_fallbacks(
        self, backend: Backend, plan: ImagePlan, image: BuiltImage, ended: EndReporter, network: str
    ) -> None:
        label, damaged = plan.tag.label, None
        try:
            job = replace(self._job(plan, image), network=network)
            self._run(label, backend, job, ended, is_cached=image.cached)
        except ImageNotFound:  # it has just been pruned
            pass
        except (BrokenImageError, EngineError) as error:
            is_damaged = isinstance(error, BrokenImageError) or any(word in error.message for word in _LOST_FILES)
            is_lost = isinstance(error, ConnectionLostError) or self.backends.is_lost(backend, image.id)
            if ended.is_reported or not image.cached or not is_damaged or is_lost:
                raise
            self._note(f"{label}: the cached image was damaged ({error.message}); it was built again")
            damaged = image
        else:
            return
        job = self._job(plan, self._ensure(backend, plan, damaged))
        self._run(label, backend, replace(job, network=network), ended)

    def _ensure(self, backend: Backend, plan: ImagePlan, damaged: BuiltImage | None = None) -> BuiltImage:
        image = backend.environments.ensure(plan, damaged=damaged)
        self._last_used.touch(image.id, identify_project(plan.project), self._settings.invocation.project_folder)
        self._images[plan.tag.label] = backend, plan, image
        label = plan.tag.label
        first = label if self._build_only else self._claims.claim(plan, self._job(plan, image))
        self._put(ImageBuilt(label, image, same_as="" if first == label else first))
        if first != label:
            self._put(Progressed(label, f"same as {first}"))
            self._note(f"{label} is the same image as {first}: its tests run once, and count for both")
        if image.is_pulled or not image.cached:
            backend.new_images.append(image.id)
        return image

    def _run(self, label: str, backend: Backend, job: Job, ended: EndReporter, *, is_cached: bool = False) -> None:
        """Run one container."""
        run = Run(backend.engine, self._lease, backend.source, job, is_cached=is_cached)

        def emit(events: Sequence[Event]) -> None:
            ended.has_begun = True
            self._put(EventsReceived(label, events))

        def end(run_end: RunEnd) -> None:
            if run_end.problem and not self._closing and self.backends.is_lost(backend, job.image):
                if not ended.has_begun:
                    raise EngineLostError(run_end.problem)
                run_end = run_end._replace(problem=backend.describe_loss(run_end.problem))
            if run_end.note:
                self._note(f"{label}: {run_end.note}")
            ended(run_end, None)

        with self._lock:
            if self._closing:
                return
            self._runs[label] = run
        try:
            printed = (lambda data: self._put(OutputReceived(label, data))) if self._settings.live_output else None
            run.execute(emit, end, printed)
        finally:
            if run.changes is not None and self._kept_files is not None:
                self._kept_files.take(label, run.changes)
            with self._lock:
                del self._runs[label]

    def start_report(self, label: str, report: CoverageJob, *, columns: int) -> None:
        """Make the coverage report in an image's environment; its messages have the label ``REPORT``.

        :param label: of an image whose suite has run.
        :param columns: of the terminal.
        """
        backend, plan, image = self._images[label]
        job = self._job(plan, image)
        environment = {**job.environment, "COLUMNS": str(columns)}
        job = replace(job, memory=None, shard=None, changes=None, terminal=None, report=report, environment=environment)
        job = replace(job, timeout=None, silence=None, options=NO_OPTIONS)
        arguments = (REPORT, lambda ended: self._run(REPORT, backend, job, ended))
        thread = threading.Thread(target=self._until_ended, args=arguments, name="pyimages-coverage", daemon=True)
        with hold_interrupts():
            self._threads.append(thread)
            thread.start()

    def _job(self, plan: ImagePlan, image: BuiltImage) -> Job:
        label = plan.tag.label
        return make_job(
            self._settings,
            plan,
            image,
            memory=self._memory.get(label),
            shard=self._shard,
            changes=None if self._kept_files is None else self._kept_files.make_job(label),
        )

    def _put(self, message: Message) -> None:
        while not self._closing:
            try:
                self.messages.put(message, timeout=0.2)
            except queue.Full:
                continue
            return
        if isinstance(message, EventsReceived):  # which nobody plays any more
            self.interrupted.update((message.label, e) for e in message.events if isinstance(e, Interrupted))
