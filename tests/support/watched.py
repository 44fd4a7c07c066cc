"""A run on a terminal of its own, as a person sees it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

import pyte

# Makes the terminal on its standard streams its own, so that Ctrl-C arrives as one.
OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
MOVES = re.compile(r"\x1b[D78]|\x1b\[\d*[ABJ]")  # what the block is drawn with


class Watched:
    """A run on a terminal of its own."""

    def __init__(self, command: list[str], columns: int = 100, lines: int = 30) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=100_000, ratio=0.01)
        self._stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.seen: list[str] = []  # each different line that stood on the screen at some time
        self._master, slave = os.openpty()
        self.resize(columns, lines)
        self._process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait_for(self, pattern: str, seconds: float = 60) -> None:
        """Read until a line on the screen matches."""
        deadline = time.monotonic() + seconds
        while not any(re.search(pattern, line.rstrip()) for line in self.screen.display):
            assert self._read(deadline), f"the run has ended without {pattern!r}:\n{self.text}"

    def end(self, seconds: float = 120) -> int:
        """Read to the end; return the exit status."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self._process.wait(60)

    def close(self) -> None:
        """End it, however far it has come."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)
        sys.stdout.write(self.text)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(deadline - time.monotonic(), 0))
        assert ready, f"nothing comes any more:\n{self.text}"
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # EIO: the other side is closed
            return False
        self.output += data
        self._stream.feed(data)
        self.seen += [line.rstrip() for line in self.screen.display if line.rstrip() not in self.seen[-50:]]
        return bool(data)

    @property
    def modes(self) -> list[Any]:
        """How the terminal treats what is typed and written."""
        return termios.tcgetattr(self._master)

    @property
    def text(self) -> str:
        """Everything on the screen and above it, as a person can read it."""
        rows = [*self.screen.history.top, *(self.screen.buffer[line] for line in range(self.screen.lines))]
        lines = ("".join(row[column].data for column in range(self.screen.columns)).rstrip() for row in rows)
        return "\n".join(lines).rstrip() + "\n"

    @property
    def moved(self) -> bool:
        """Whether a block was drawn at any time."""
        return bool(MOVES.search(self.output.decode()))


Watch = Callable[..., Watched]
