"""The time from a saved file to the last report of a watch."""

from __future__ import annotations

import contextlib
import os
import selectors
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tools.bench.clock import Command, NotMeasuredError, in_turns, seconds_of
from tools.bench.projects import write_one
from tools.bench.workshop import PYIMAGES, Result, Workshop

PATIENCE_SECONDS = 300.0
PAUSE_SECONDS = 2.0  # before a file is saved: nobody saves twice in a second
WAITING = b"waiting for changes"


class Watched:
    """A running watch."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            raise AssertionError("it is a pipe")
        self._output = process.stdout.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)
        self._unread = b""

    def read_until(self, text: bytes) -> None:
        """Read the output until it contains a text.

        :raises NotMeasuredError: if it does not.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self._unread:
            ready = self._selector.select(max(deadline - time.monotonic(), 0))
            data = os.read(self._output, 1 << 16) if ready else b""
            if not data:
                raise NotMeasuredError(f"the watch has not printed {text!r}: {self._unread.decode()[-2000:]}")
            self._unread += data
        self._unread = self._unread.partition(text)[2]


@contextlib.contextmanager
def watching(shop: Workshop, project: Path, tags: Sequence[str]) -> Iterator[Watched]:
    """Start a watch, and yield it once it waits."""
    process = subprocess.Popen(
        (*PYIMAGES, "watch", ",".join(tags), "--", "-q"),
        cwd=project,
        env={**os.environ, "DOCKER_HOST": shop.engine},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        watched = Watched(process)
        watched.read_until(WAITING)
        yield watched
    finally:
        process.terminate()
        process.communicate()


def saved_file(
    shop: Workshop, tags: Sequence[str], limit_seconds: float, with_tox: Callable[[Workshop, Path, int], Command]
) -> Result:
    """Save a file, and wait for the watch's last report, against tox with two environments."""
    project = write_one(shop.folder)
    test = project / "tests" / "test_one.py"
    tox = with_tox(shop, project, 1)
    with watching(shop, project, tags) as watched:

        def save() -> float:
            time.sleep(PAUSE_SECONDS)
            started = time.perf_counter()
            test.write_text(f"def test_one():\n    assert {started} > 0\n")
            watched.read_until(f"{len(tags)} passed".encode())
            seconds = time.perf_counter() - started
            watched.read_until(WAITING)
            return seconds

        save()
        timing = in_turns(save, lambda: seconds_of([tox], shop.output), rounds=shop.rounds)
    median = statistics.median(timing.ours)
    return Result(
        title=f"{len(tags)} images, from a saved file to the last report / tox -p",
        timing=timing,
        limit=limit_seconds / 0.25,  # of two images; more take longer than tox's two environments
        exceeds=median > limit_seconds,
        notes=(f"{median:.2f} s, at most {limit_seconds} s",),
    )
