"""Programs that tests start and interrupt."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path


@contextlib.contextmanager
def running(command: Sequence[str], *, folder: Path, merge_stderr: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Start a program in a POSIX session of its own, with its output in pipes; however the test ends, so does it.

    :param merge_stderr: standard error goes to standard output.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merge_stderr else subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def read_until(process: subprocess.Popen[str], text: str, seconds: float = 200) -> str:
    """Read standard output until it contains a text; return all that was read."""
    assert process.stdout is not None
    read, deadline = b"", time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while text.encode() not in read:
            assert selector.select(deadline - time.monotonic()), read.decode()
            data = os.read(process.stdout.fileno(), 65536)
            assert data, read.decode()
            read += data
    return read.decode()


def count_descriptors(process: int | str = "self") -> int:
    """Return how many file descriptors a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))
