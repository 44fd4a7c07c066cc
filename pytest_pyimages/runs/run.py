"""Run the suite, or a coverage report, in a container, and decode what its worker reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from pytest_pyimages.containers import (
    SILENT_SECONDS,
    ContainerProcess,
    Lease,
    NotBegunError,
    Source,
    StoppedError,
    encode_job,
    run_with_source,
)
from pytest_pyimages.engines import STDOUT, ContainerSpec, ContainerStream, Engine
from pytest_pyimages.errors import EngineError
from pytest_pyimages.runs.bytecode import Bytecode
from pytest_pyimages.runs.changes import CHANGE_EVENTS, ChangeEvent, SourceChanges
from pytest_pyimages.runs.ended import EndedRun, Progress, RunEnd, require_worker
from pytest_pyimages.runs.events import Debugger, End, Event, Exit, Hello, Internal, NoSource, Shown
from pytest_pyimages.runs.fields import WireError
from pytest_pyimages.runs.job import Job
from pytest_pyimages.runs.printed import PrintedOutput
from pytest_pyimages.runs.wire import Decoder

WORKER = "/opt/pyimages/worker/__main__.pyc"
UPPER = "/opt/pyimages/upper"  # where the worker sees what the suite has changed in an overlay
STOP_GRACE = 2.0  # seconds that a stopped suite has for its finalizers
CHUNK = 1024 * 1024  # bytes of a file


def make_spec(job: Job, lease: Lease) -> ContainerSpec:
    """Return the configuration of the container that runs a job."""
    return ContainerSpec(
        name=lease.new_name(),
        image=job.image,
        command=(job.python, WORKER),
        environment=job.start_variables,
        privileges=job.privileges,
        labels=lease.labels("run" if job.report is None else "report"),
        network=job.network,
        options=job.options,
        user="0",  # the worker becomes the job's user
    )


class Run:
    """One container. ``execute`` belongs to one thread; ``send``, ``stop`` and ``kill`` may come from any other."""

    def __init__(
        self, engine: Engine, lease: Lease, source: Source, job: Job, *, known_fault: str | None = None
    ) -> None:
        """Prepare a run.

        :param known_fault: of a cached image, which may have been damaged since it was built: why the image before it
            was replaced, or an empty text. With the same fault, it is not damaged. None: the image is new.
        """
        self._known_fault = known_fault
        self._engine = engine
        self._lease = lease
        self._source = source
        self._job = job
        upper = UPPER if job.changes is not None else ""
        self._process = ContainerProcess(engine, lease, source, upper=upper, wait=False)
        self.bytecode = Bytecode(engine, lease, source, job.image, job.bytecode if job.report is None else None)
        # What the suite has changed in the source, once the run has ended; None if the job does not ask for it.
        self.changes = SourceChanges(source.root) if job.changes is not None else None

    def execute(
        self,
        emit: Callable[[Sequence[Event]], None],
        done: Callable[[RunEnd], None],
        printed: Callable[[bytes], None] | None = None,
    ) -> None:
        """Run to the end, emit events in order, report the outcome, then remove the container.

        :param done: called once at the end, before the removal, for which results need not wait.
        :param printed: called with what the suite prints outside of pytest's capture, as it comes.
        :raises EngineError: if the engine fails before the worker could report anything.
        :raises SourceNotVisibleError: if the source is not visible in the container; nothing was run.
        :raises BrokenImageError: if a cached image is damaged; nothing was run.
        """
        run_with_source(self._source, lambda: self.bytecode.run(self._process, self._attempt, emit, done, printed))

    def _attempt(
        self,
        emit: Callable[[Sequence[Event]], None],
        done: Callable[[RunEnd], None],
        printed: Callable[[bytes], None] | None,
    ) -> None:
        spec = make_spec(self._job, self._lease)
        progress = Progress(debugger=None if self._job.terminal is None else False)
        output = PrintedOutput(self._job.token, printed)
        may_be_ahead = self._job.report is None and not self._job.network
        with self._process.create(spec, may_be_ahead=may_be_ahead) as container:
            try:
                with self._process.start(container, silence=SILENT_SECONDS) as stream:
                    with suppress(EngineError):  # the program has ended already; its output is still there
                        self._send_job(stream)
                    problem = self._read(container, stream, progress, emit, output)
                self._require_begun(progress)
            except StoppedError as error:
                done(RunEnd(status=None, problem=error.message))
            else:
                if progress.missing_source:
                    raise self._process.make_not_visible_error(progress.missing_source)
                ended = EndedRun(self._engine, container, self._job, progress, lambda: self._process.is_stopped)
                end = ended.assess(problem, output.text)
                if self._known_fault is not None and not self._process.is_stopped:
                    require_worker(progress, end, self._known_fault)
                if progress.early:
                    emit(progress.early)
                done(end)

    def send(self, line: bytes) -> None:
        """Send the worker a line; raise EngineError if it does not run."""
        self._process.send(line + b"\n")

    def stop(self) -> None:
        """Ask the suite to stop, as Ctrl-C would; it has ``STOP_GRACE`` seconds before the container is killed."""
        self.bytecode.kill()
        self._process.stop(b"stop\n", STOP_GRACE)

    def _send_job(self, stream: ContainerStream) -> None:
        job = self._job
        witness, source, bytecode = self._process.witness, self._process.source_job, self.bytecode.request
        job = replace(job, witness=witness, source=source, bytecode=bytecode)
        if job.changes is not None and self.changes is not None:
            job = replace(job, changes=replace(job.changes, upper=self._process.upper))
            self.changes.present = self._process.present
        stream.send(encode_job(job) + b"\n")
        for path in self._job.report.paths if self._job.report is not None else ():
            with path.open("rb") as file:
                while data := file.read(CHUNK):
                    stream.send(data)

    def _read(
        self,
        container: str,
        stream: ContainerStream,
        progress: Progress,
        emit: Callable[[Sequence[Event]], None],
        printed: PrintedOutput,
    ) -> str:
        """Decode until the worker or the stream has ended; return the problem of the stream, or an empty text."""
        decoder = Decoder(self._job.token, coverage=self._job.report is not None)
        try:
            for channel, data in stream.frames():
                if channel != STDOUT:
                    printed.feed(data)
                else:
                    events: list[Event] = []
                    try:
                        for event in decoder.feed(data):
                            self._dispatch(event, stream, progress, events)
                    finally:
                        if events:  # records before a wrong one count
                            emit(events)
                if progress.exit is not None and printed.has_ended:
                    break  # the worker sends no more
            decoder.finish()
        except (WireError, EngineError) as error:
            stream.close()  # first: Engine 20.10 cannot kill a container whose output waits for a reader
            with suppress(EngineError):  # that of the stream is shown
                self._engine.kill(container)
            return error.message
        finally:
            printed.close()
        return ""

    def _require_begun(self, progress: Progress) -> None:
        """Raise NotBegunError if a container that was started ahead had ended, or does not see the source any more."""
        has_begun = progress.records and not progress.missing_source
        if self._process.waiting is not None and not has_begun and not self._process.is_stopped:
            raise NotBegunError

    def _dispatch(self, event: Event, stream: ContainerStream, progress: Progress, events: list[Event]) -> None:
        """Keep events about the end of the run, and collect the others."""
        progress.records += 1
        if self.bytecode.measure(event):
            return
        progress.has_begun |= isinstance(event, Hello)
        if isinstance(event, Debugger | Shown):
            must_be_on = isinstance(event, Shown) or not event.on
            if progress.debugger is not must_be_on:
                raise WireError("the worker sent a record of a debugger that it cannot have")
            progress.debugger = isinstance(event, Shown) or event.on
        if isinstance(event, Exit | NoSource):
            if isinstance(event, Exit):
                progress.exit = event
            else:
                progress.missing_source = event.path
            stream.send(b"acknowledged\n")
        elif isinstance(event, End):
            progress.end = event
        elif isinstance(event, Hello):
            progress.processes = event.processes
            events.append(event)
        elif isinstance(event, CHANGE_EVENTS):
            self._take_change(event)
        elif isinstance(event, Internal) and not progress.has_begun:
            progress.early.append(event)
        else:
            events.append(event)

    def _take_change(self, event: ChangeEvent) -> None:
        if self.changes is None:
            raise WireError("the worker sent changes of the source that were not requested")
        try:
            self.changes.take(event)
        except OSError as error:
            raise EngineError(f"files of the container cannot be stored ({error.strerror})") from error
