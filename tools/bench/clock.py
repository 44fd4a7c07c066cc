"""Wall times of whole processes, in turns, and what they come to."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

PROCESS_SECONDS = 900
# Set in some containers, and by few users: they slow pytest down, which could keep no rewritten module.
UNUSUAL_VARIABLES = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


class NotMeasuredError(Exception):
    """Something did not run as it must to be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A process to be measured, and how its output shows that it did its work."""

    words: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    expected: tuple[str, int]  # a text, and how often the output must hold it; checked besides the exit status 0

    def start(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start it, with its output in a file and nothing to read."""
        usual = {name: value for name, value in os.environ.items() if name not in UNUSUAL_VARIABLES}
        return subprocess.Popen(
            self.words,
            cwd=self.cwd,
            env={**usual, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def finish(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        """Wait for its end.

        :raises NotMeasuredError: it failed, or did something else than expected.
        """
        try:
            status = process.wait(PROCESS_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise NotMeasuredError(f"no end after {PROCESS_SECONDS} s: {' '.join(self.words)}") from None
        output.seek(0)
        printed = output.read().decode(errors="replace")
        text, times = self.expected
        if status != 0 or printed.count(text) != times:
            tail = "\n".join(printed.splitlines()[-15:])
            found = f"exit status {status}, {printed.count(text)} times {text!r} instead of {times}"
            raise NotMeasuredError(f"{found}: {' '.join(self.words)}\n{tail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of the one and of the other, in the order in which they were taken.

    :param tox: the same with ``tox -p`` and without containers, where that was measured.
    """

    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    tox: tuple[float, ...] = ()

    @property
    def ratio(self) -> float:
        """Our median by theirs."""
        return statistics.median(self.ours) / statistics.median(self.theirs)


def in_turns(*sides: Callable[[], float], rounds: int) -> Timing:
    """Measure one, the other, one, the other…, so that a machine that grows slower does it to all.

    :param sides: ours, theirs, and perhaps that with tox.
    """
    ours, theirs, *others = zip(*([side() for side in sides] for _ in range(rounds)), strict=True)
    return Timing(ours=ours, theirs=theirs, tox=others[0] if others else ())


class Usage(NamedTuple):
    """What a process has used."""

    seconds: float
    processor_seconds: float  # with the processes that it has waited for
    megabytes: float  # the most memory that it had at once; at least that of the process which started it


def measure_usage(command: Command, output: Path) -> Usage:
    """Run a command; return what its process has used."""
    with output.open("w+b") as file:
        started = time.perf_counter()
        process = command.start(file)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        command.finish(process, file)
    return Usage(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def seconds_of(commands: Sequence[Command], output: Path) -> float:
    """Run commands one after the other; return the seconds that they took in all."""
    total = 0.0
    for command in commands:
        with output.open("w+b") as file:
            started = time.perf_counter()
            process = command.start(file)
            with contextlib.suppress(subprocess.TimeoutExpired):  # finish says so
                process.wait(PROCESS_SECONDS)
            total += time.perf_counter() - started
            command.finish(process, file)
    return total
