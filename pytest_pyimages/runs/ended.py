"""How a run has ended: complete, or why it is not. Tell a damaged image from a suite that does not begin."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.runs.events import End, Event, Exit, Internal
from pytest_pyimages.runs.job import Job
from pytest_pyimages.text import clean_line

# How a damaged worker ends: the exit status of the process of pytest, and the files in its traceback.
WORKER_FAILED, WORKER_FILE = 3, "<pyimages worker"
PROGRAM_FILE = "<pyimages worker program>"  # starts pytest as by hand
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line ', re.MULTILINE)
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Warning|Interrupt)(?:: .+)?")
NO_PYTEST = "pytest cannot be imported"


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
class Progress:
    """What a worker has reported so far, apart from its events about tests."""

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


class EndedRun:
    """A run whose worker, or stream, has ended."""

    def __init__(
        self, engine: Engine, container: str, job: Job, progress: Progress, is_stopped: Callable[[], bool]
    ) -> None:
        """Prepare an assessment.

        :param is_stopped: whether this host has stopped the run, and the container may have been killed for that.
        """
        self._engine = engine
        self._container = container
        self._job = job
        self._progress = progress
        self._is_stopped = is_stopped

    def assess(self, problem: str, stderr: str) -> RunEnd:
        """Return the outcome: neither the end of the stream nor an exit status of 0 proves that the run is complete.

        :param problem: of the stream; empty for none.
        """
        progress = self._progress
        end, last = progress.end, progress.exit
        # The record is the last thing that the worker does. The engine takes 50 ms or more to report the exit status.
        code = 0 if problem or last is not None else self._engine.wait(self._container)
        status = end.status if end is not None else None
        running = -1
        if problem:
            pass
        elif last is None:
            problem = self._explain_loss(code)
        elif last.exceeded:
            problem, running = describe_limit(last.exceeded, self._job), last.running
        elif last.signal is not None and not last.lingered:
            problem, running = self._describe_signal(last, last.signal), progress.ended_by(last)
        elif end is None:
            problem = f"the pytest process ended with exit status {last.status} without finishing its session"
            running = progress.ended_by(last)
            if not progress.has_begun:
                problem = _join_exception(problem, stderr)
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

    def _describe_signal(self, last: Exit, number: int) -> str:
        """Return how pytest was killed: for lack of memory, if the container's counter or the engine reports that."""
        if number == signal.SIGKILL and (last.memory_kills or self._engine.inspect(self._container).oom_killed):
            return f"worker was killed for lack of {describe_memory(last.memory_limit)}"
        return f"worker died of {name_signal(number)}"

    def _explain_loss(self, code: int) -> str:
        state = self._engine.inspect(self._container)
        if code == 137 and not self._is_stopped():
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


def require_worker(progress: Progress, end: RunEnd, known: str) -> None:
    """Check that the worker and pytest have begun, or that the suite itself may be why they have not.

    :param known: a reason for which the image has been built again already, in vain.
    :raises BrokenImageError: if the image must be damaged.
    """
    if progress.has_begun:
        return
    texts = [event.text for event in progress.early if isinstance(event, Internal)]
    reason = next((text for text in texts if text.startswith(NO_PYTEST)), "")
    last = progress.exit
    if progress.records == 0 and "exit status 137" not in end.problem:
        lines = end.stderr.strip().splitlines()
        reason = f"{end.problem}: {lines[-1]}" if lines else end.problem
    elif last is not None and last.status == WORKER_FAILED and progress.end is None and _is_of_worker(end.stderr):
        reason = end.stderr.strip().splitlines()[-1]
    if reason and clean_line(reason) != known:
        raise BrokenImageError(clean_line(reason))


def _is_of_worker(stderr: str) -> bool:
    """Whether a traceback is of the worker itself, and not of pytest, which it has started."""
    files = [match["file"] for match in _FRAME.finditer(stderr)]
    return bool(files) and (
        files[-1].startswith(WORKER_FILE)
        or (PROGRAM_FILE not in files and any(file.startswith(WORKER_FILE) for file in files))
    )


def _join_exception(problem: str, stderr: str) -> str:
    """Return a problem with the exception in the last line of a traceback, if there is one."""
    lines = stderr.strip().splitlines()
    return f"{problem}: {clean_line(lines[-1])}" if lines and _EXCEPTION.fullmatch(lines[-1]) else problem


def name_signal(number: int) -> str:
    """Return "SIGSEGV" for 11; "signal 99" if this host has no name for it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
