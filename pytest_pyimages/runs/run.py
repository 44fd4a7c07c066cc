"""Run the suite, or a coverage report, in a container, and decode what its worker reports."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

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
from pytest_pyimages.errors import EngineError, PyimagesError
from pytest_pyimages.runs.bytecode import Bytecode
from pytest_pyimages.runs.changes import CHANGE_EVENTS, ChangeEvent, SourceChanges
from pytest_pyimages.runs.events import Debugger, End, Event, Exit, Hello, Internal, NoSource, Shown
from pytest_pyimages.runs.fields import WireError
from pytest_pyimages.runs.job import Job
from pytest_pyimages.runs.printed import PrintedOutput
from pytest_pyimages.runs.wire import Decoder
from pytest_pyimages.text import clean_line

WORKER = "/opt/pyimages/worker/__main__.pyc"
UPPER = "/opt/pyimages/upper"  # where the worker sees what the suite has changed in an overlay
# How a damaged worker ends: the exit status of the process of pytest, and what its traceback contains.
WORKER_FAILED, WORKER_FRAME = 3, "<pyimages worker"
NO_PYTEST = "pytest cannot be imported"
STOP_GRACE = 2.0  # seconds that a stopped suite has for its finalizers
CHUNK = 1024 * 1024  # bytes of a file


class RunEnd(NamedTuple):
    """The outcome of a run, without its reports."""

    status: int | None  # pytest's exit status; None if pytest did not report it
    unrun: int = 0  # collected tests without a result, as the worker has counted them
    reason: str = ""  # why they have none, as far as the worker knows
    problem: str = ""  # why the run is not complete; empty if it is complete
    running: int = -1  # index of the test that was running when the worker died, or -1
    stderr: str = ""  # the end of what the suite printed outside of pytest's capture
    note: str = ""  # what may explain failures


class BrokenImageError(PyimagesError):
    """The environment image is damaged: the worker or pytest could not even begin."""


@dataclass(slots=True)
class _Progress:
    records: int = 0
    has_begun: bool = False  # pytest has read its configuration
    early: list[Event] = field(default_factory=list)  # INTERNALERRORs before that
    end: End | None = None
    exit: Exit | None = None
    processes: int = 0  # of xdist
    missing_source: str = ""
    debugger: bool | None = None  # whether a debugger uses the terminal; None if there is no terminal

    def ended_by(self, last: Exit) -> int:
        """Return the index of the test that may have ended pytest's process; -1 if tests run in other processes."""
        return -1 if self.processes else last.running


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

    def __init__(self, engine: Engine, lease: Lease, source: Source, job: Job, *, is_cached: bool = False) -> None:
        """Prepare a run.

        :param is_cached: the image may have been damaged since it was built, which is then an error of its own.
        """
        self._is_cached = is_cached
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

        :param done: called once at the end, before the removal: nobody needs to wait for that.
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
        progress = _Progress(debugger=None if self._job.terminal is None else False)
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
                end = self._assess(container, progress, problem, output.text)
                if self._is_cached and not self._process.is_stopped:
                    _require_worker(progress, end)
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
        progress: _Progress,
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
                    break  # the worker says no more
            decoder.finish()
        except (WireError, EngineError) as error:
            stream.close()  # first: Engine 20.10 cannot kill a container whose output waits for a reader
            with suppress(EngineError):  # that of the stream is shown
                self._engine.kill(container)
            return error.message
        finally:
            printed.close()
        return ""

    def _require_begun(self, progress: _Progress) -> None:
        """Raise NotBegunError if a container that was started ahead had ended, or does not see the source any more."""
        has_begun = progress.records and not progress.missing_source
        if self._process.waiting is not None and not has_begun and not self._process.is_stopped:
            raise NotBegunError

    def _dispatch(self, event: Event, stream: ContainerStream, progress: _Progress, events: list[Event]) -> None:
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

    def _assess(self, container: str, progress: _Progress, problem: str, stderr: str) -> RunEnd:
        """Return the outcome: neither the end of the stream nor an exit status of 0 proves that the run is complete."""
        if progress.missing_source:
            raise self._process.missing_source(progress.missing_source)
        end, last = progress.end, progress.exit
        # The record is the last thing that the worker does. The engine takes 50 ms or more to report the exit status.
        code = 0 if problem or last is not None else self._engine.wait(container)
        status = end.status if end is not None else None
        running = -1
        if problem:
            pass
        elif last is None:
            problem = self._explain_loss(container, code)
        elif last.exceeded:
            problem, running = describe_limit(last.exceeded, self._job), last.running
        elif last.signal is not None and not last.lingered:
            problem, running = self._describe_signal(container, last, last.signal), progress.ended_by(last)
        elif end is None:
            problem = f"the pytest process ended with exit status {last.status} without finishing its session"
            running = progress.ended_by(last)
        elif last.lingered:
            problem = (
                "the suite's threads or exit handlers went on after pytest, idle for 30 s or with 120 s of processor"
                " time; the process was killed"
            )
        elif last.status != end.status:
            problem = f"pytest ended its session with exit status {end.status}, its process with {last.status}"
        unrun, reason = (end.unrun, end.reason) if end is not None else (0, "")
        return RunEnd(
            status=status,
            unrun=unrun,
            reason=reason,
            problem=problem,
            running=running,
            stderr=stderr,
            note=_describe_kills(last),
        )

    def _describe_signal(self, container: str, last: Exit, number: int) -> str:
        """Return how pytest was killed: for lack of memory, if the container's own counter or the engine says so."""
        if number == signal.SIGKILL and (last.memory_kills or self._engine.inspect(container).oom_killed):
            return f"worker was killed for lack of {describe_memory(last.memory_limit)}"
        return f"worker died of {name_signal(number)}"

    def _explain_loss(self, container: str, code: int) -> str:
        state = self._engine.inspect(container)
        if code == 137 and not self._process.is_stopped:
            return "exit status 137: the container was killed, " + (
                f"for lack of {describe_memory(self._job.options.memory)}"
                if state.oom_killed
                else "by another program or for lack of memory"
            )
        if state.error:
            return f"the container failed: {state.error}"
        return f"the container ended with exit status {code} before the run was complete"


def describe_memory(limit: int) -> str:
    """Return "memory (limit 64 MiB)".

    :param limit: bytes; 0 for none.
    """
    if not limit:
        return "memory (the container has no limit; its machine has too little)"
    return f"memory (limit {limit / (1 << 20):.0f} MiB)"


def _describe_kills(last: Exit | None) -> str:
    """Return a note on processes of the suite that were killed; empty if none was, or if that was pytest."""
    kills = last.memory_kills - (last.signal == signal.SIGKILL) if last is not None else 0
    if last is None or kills < 1:
        return ""
    processes = "1 process of the suite was" if kills == 1 else f"{kills} processes of the suite were"
    return f"{processes} killed for lack of {describe_memory(last.memory_limit)}"


def describe_limit(name: str, job: Job) -> str:
    """Return why a suite was stopped, for the limit that it has exceeded."""
    if name == "timeout":
        return f"stopped after {job.timeout:g} s (--py-images-timeout)"
    return f"stopped, because it reported nothing for {job.silence or 0:g} s (--py-images-silence)"


def _require_worker(progress: _Progress, end: RunEnd) -> None:
    """Check that the worker and pytest have begun, or that the suite itself may be why they have not.

    :raises BrokenImageError: if the image must be the reason.
    """
    if progress.has_begun:
        return
    texts = [event.text for event in progress.early if isinstance(event, Internal)]
    reason = next((text for text in texts if text.startswith(NO_PYTEST)), "")
    last = progress.exit
    if progress.records == 0 and "exit status 137" not in end.problem:
        lines = end.stderr.strip().splitlines()
        reason = f"{end.problem}: {lines[-1]}" if lines else end.problem
    elif last is not None and last.status == WORKER_FAILED and progress.end is None and WORKER_FRAME in end.stderr:
        reason = end.stderr.strip().splitlines()[-1]
    if reason:
        raise BrokenImageError(clean_line(reason))


def name_signal(number: int) -> str:
    """Return "SIGSEGV" for 11; "signal 99" if this host has no name for it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
