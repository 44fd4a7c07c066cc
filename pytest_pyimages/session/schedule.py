"""The threads of a session: each builds and runs one image, or a part of its suite, and reports what becomes of it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_pyimages.containers import Lease, Source, make_state_directory
from pytest_pyimages.engines import Engine, Waits, watch_engine
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.host import Settings
from pytest_pyimages.images import ImagePlan, LastUsed, Listener
from pytest_pyimages.runs import CoverageJob, make_shard_job
from pytest_pyimages.session.image_work import ImageWork, Unit
from pytest_pyimages.session.messages import (
    REPORT,
    EndReporter,
    EventsReceived,
    ImageEnded,
    Outbox,
    Progressed,
    StageChanged,
)
from pytest_pyimages.session.placement.backends import Backend, Backends
from pytest_pyimages.session.signals import call_in_thread, hold_interrupts
from pytest_pyimages.text import format_seconds

if TYPE_CHECKING:
    from pytest_pyimages.cluster import Cluster
    from pytest_pyimages.session.kept_files import KeptFiles
    from pytest_pyimages.session.placement.machines import ClusterBackends

CLEANUP_SECONDS = 5.0
YIELD_SECONDS = 0.2
SWEEP_SECONDS = 2.0  # after which a sweep waits for no container
LONG_SECONDS = 30.0  # after which a wait for the engine is shown


class Schedule:
    """Build and run all images, each in a thread that waits for a free slot.

    One thread reads the messages of the outbox until every image has sent ``ImageEnded``.

    :param engines: among which the images are divided; none with a cluster.
    :param build_only: do not run tests.
    :param memory: values for pytest's cache in the containers, by label.
    :param shard: the part of the tests to run, see runs.job.
    :param kept_files: gets what the suites have changed in the source.
    :param cluster: whose machines run the images, instead of engines.
    :param milliseconds: how long tests took, by node id, as far as it is known; a cluster divides suites by it.
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
        cluster: Cluster | None = None,
        milliseconds: Mapping[str, int] | None = None,
    ) -> None:
        self.outbox = Outbox()
        self._waits = Waits()
        self._settings = settings
        self._shard = shard
        self._milliseconds = milliseconds or {}
        self._threads: list[threading.Thread] = []
        self._image_threads: list[tuple[str, threading.Thread]] = []
        self._last_used = LastUsed(make_state_directory())
        self._cleanup = ExitStack()
        self._lease = Lease()  # acquired by start(): who has this object by then closes it
        listener = Listener(
            report=lambda label, text: self.outbox.put(StageChanged(label, text)),
            progress=lambda label, text: self.outbox.put(Progressed(label, text)),
            note=self.outbox.note,
        )
        self.backends: Backends | ClusterBackends
        if cluster is None:
            watched = (watch_engine(engine, self._waits) for engine in engines)
            self.backends = Backends(watched, settings, source, self._lease, listener)
        else:
            from pytest_pyimages.session.placement.machines import ClusterBackends

            self.backends = ClusterBackends(
                cluster,
                settings,
                source,
                self._lease,
                listener,
                waits=self._waits,
                used=self._last_used,
                notes=self.outbox.notes,
            )
            self._cleanup.callback(self.backends.close)
        self._work = ImageWork(
            settings,
            self._lease,
            self.outbox,
            self.backends,
            self._last_used,
            build_only=build_only,
            memory=memory or {},
            kept_files=kept_files,
        )

    @property
    def services(self) -> Mapping[str, list[dict[str, str]]]:
        """The services of the images by label, as in the report."""
        return self._work.services

    def send(self, label: str, line: bytes) -> None:
        """Send a line to the worker of an image.

        :raises EngineError: if the container has ended.
        """
        self._work.send(label, line)

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
            for unit in self._make_units(plan, number):
                # In the order of the matrix, so that the next run does the same.
                chosen = self.backends.try_choose(plan)
                # Daemons: an engine that does not answer must not keep the process from ending.
                name = f"pyimages-{plan.tag.label}"
                thread = threading.Thread(target=self._run_unit, args=(unit, chosen), name=name, daemon=True)
                self._image_threads.append((plan.tag.label, thread))
        sweeps = [
            threading.Thread(target=self._sweep, args=(backend,), name="pyimages-sweep", daemon=True)
            for backend in self.backends
            if not backend.adopt_sweep(self.outbox.notes)
        ]
        with hold_interrupts():
            for thread in (*(thread for _, thread in self._image_threads), *sweeps):
                self._threads.append(thread)
                thread.start()

    def yield_to_threads(self) -> None:
        """Wait until a container is being started: what this thread did before that would delay it.

        Only one thread at a time runs Python. There is much to import for the results, and nothing to show meanwhile.
        """
        self._waits.are_long.wait(YIELD_SECONDS)

    def _sweep(self, backend: Backend) -> None:
        """Remove what dead sessions have leaked; not before a container runs, which the engine would start later."""
        self._work.has_begun.wait(SWEEP_SECONDS)
        backend.sweep(self.outbox.notes)

    def _make_units(self, plan: ImagePlan, number: int) -> list[Unit]:
        """Return the units of an image: its suite, or in a cluster parts of it, if it takes long."""
        if not self.backends.resumes:
            return [Unit(plan, number, self._shard)]
        from pytest_pyimages.session.placement.parts import Suite, count_parts

        count = 1 if self._shard is not None else count_parts(self._settings, plan, self._milliseconds)
        suite = Suite(count)
        if count == 1:
            return [Unit(plan, number, self._shard, suite)]
        shards = (make_shard_job(part + 1, count, self._milliseconds) for part in range(count))
        return [Unit(plan, number, shard, suite, part) for part, shard in enumerate(shards)]

    def list_waits(self) -> dict[str, str]:
        """Return what the thread of an image has long been waiting for, by label."""
        now, found = time.monotonic(), {}
        for label, thread in self._image_threads:
            wait = self._waits.find(thread.ident or 0)
            if wait is not None and now - wait.since >= LONG_SECONDS:
                found[label] = f"{wait.text}, {format_seconds(now - wait.since)}"
        return found

    def close(self) -> None:
        """Stop all containers and wait until they are removed. May be called more than once."""
        with hold_interrupts():
            self._close()

    def _close(self) -> None:
        self.outbox.is_closing = True
        for backend in self.backends:
            backend.environments.abort()
        self._work.stop()
        deadline = time.monotonic() + CLEANUP_SECONDS
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        late = [thread.name for thread in self._threads if thread.is_alive()]
        late += (name for backend in self.backends for name in backend.environments.join(deadline))
        self._threads.clear()
        if late:
            # Their containers are labelled, and the lock of this session is released: the next session removes them.
            self.outbox.notes.append(
                f"the engine did not answer in time to {', '.join(late)}; the next session cleans up"
            )
        elif any(backend.new_images for backend in self.backends):
            prune, arguments = self.backends.prune_superseded, (self._last_used,)
            pruning = threading.Thread(target=prune, args=arguments, name="pyimages-prune", daemon=True)
            pruning.start()
            pruning.join(max(deadline - time.monotonic(), 0))
        self._cleanup.close()

    def _run_unit(self, unit: Unit, chosen: Backend | None) -> None:
        """Build an image and run its suite, or a part of it.

        :param chosen: the engine that it goes to; None if all were full.
        """

        def place(ended: EndReporter) -> None:
            def is_over() -> bool:
                is_tied = ended.has_begun and not self.backends.resumes
                return self.outbox.is_closing or ended.is_reported or is_tied

            work = self._work.build_and_run
            self.backends.run_image(unit.plan, chosen, lambda each: work(each, unit, ended), is_over=is_over)

        self._until_ended(unit.plan.tag.label, partial(self._put_end, unit), place)

    def _put_end(self, unit: Unit, ended: ImageEnded) -> None:
        """Report that the work on an image has ended, once that of all its parts has."""
        if unit.suite is None:
            self.outbox.put(ended)
            return
        with unit.suite.lock:
            events, whole = unit.suite.end(unit.part, ended)
            self.outbox.put(EventsReceived(ended.label, events))
            if whole is not None:
                self.outbox.put(whole)

    def _until_ended(self, label: str, put: Callable[[ImageEnded], None], work: Callable[[EndReporter], None]) -> None:
        """Do the work of one thread; report its end exactly once, also after an unexpected error."""
        ended = EndReporter(label, put, self.outbox.notes)
        try:
            work(ended)
        except PyimagesError as error:
            ended(None, error)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not leave the session waiting
            sys.excepthook(type(error), error, error.__traceback__)
            ended(None, PyimagesError(f"internal error: {type(error).__name__}: {error}"))

    def start_report(self, label: str, report: CoverageJob, *, columns: int) -> None:
        """Make the coverage report in an image's environment; its messages have the label ``REPORT``.

        :param label: of an image whose suite has run.
        :param columns: of the terminal.
        """

        def work(ended: EndReporter) -> None:
            self._work.run_report(label, report, ended, columns=columns)

        arguments = (REPORT, self.outbox.put, work)
        thread = threading.Thread(target=self._until_ended, args=arguments, name="pyimages-coverage", daemon=True)
        with hold_interrupts():
            self._threads.append(thread)
            thread.start()
