"""The time from the last report to the prompt: a terminal that notes when each piece of output comes."""

from __future__ import annotations

import os
import pty
import statistics
import subprocess
import time
from functools import partial

from tools.bench.clock import PROCESS_SECONDS, Command, NotMeasuredError, in_turns
from tools.bench.workshop import Result, Workshop

LIMIT_SECONDS = 0.05
LAST = b"100%]"  # pytest writes it with the last report


def seconds_to_prompt(command: Command) -> float:
    """Run a command on a terminal; return the seconds from its last report to its end.

    :raises NotMeasuredError: it failed, or did something else than expected.
    """
    ours, its = pty.openpty()
    try:
        process = subprocess.Popen(
            command.words,
            cwd=command.cwd,
            env={**os.environ, **command.environment, "TERM": "xterm"},
            stdin=its,
            stdout=its,
            stderr=its,
        )
    finally:
        os.close(its)
    printed, reported = b"", 0.0
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        while data := _read(terminal.fileno()):
            reported = reported or (time.perf_counter() if LAST in data else 0.0)
            printed += data
        status = process.wait(PROCESS_SECONDS)
        ended = time.perf_counter()
    text, times = command.expected
    output = printed.decode(errors="replace")
    if status != 0 or not reported or output.count(text) != times:
        raise NotMeasuredError(f"exit status {status}: {' '.join(command.words)}\n{output[-2000:]}")
    return ended - reported


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux reports the end of the last process on a terminal as an error (EIO)
        return b""


def measure_end(shop: Workshop, ours: Command, theirs: Command) -> Result:
    """Measure both in turns."""
    timing = in_turns(partial(seconds_to_prompt, ours), partial(seconds_to_prompt, theirs), rounds=shop.rounds)
    median = statistics.median(timing.ours)
    return Result(
        title="o. from the last report to the prompt / pytest alone",
        timing=timing,
        limit=2.0,
        exceeds=median > LIMIT_SECONDS,
        notes=(f"{median * 1000:.0f} ms, at most {LIMIT_SECONDS * 1000:.0f} ms",),
    )
