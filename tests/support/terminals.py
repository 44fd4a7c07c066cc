"""Programs on a terminal of their own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

SECONDS = 120.0  # an image may have to be built


class Terminal:
    """A process on a terminal of its own, 99 columns by 33 rows."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        self._ours, self._theirs = pty.openpty()
        self.resize(33, 99)
        self.before = termios.tcgetattr(self._theirs)
        self.said = b""
        self._seen = 0
        self.process = subprocess.Popen(
            words,
            cwd=folder,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
            preexec_fn=self._take_terminal,  # noqa: PLW1509 - it has no threads
        )

    @staticmethod
    def _take_terminal() -> None:
        """Make it the controlling terminal, whose Ctrl-C is a signal (tty_ioctl(4))."""
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, text: bytes) -> None:
        """Read until the text is there, behind what was waited for before."""
        deadline = time.monotonic() + SECONDS
        while text not in self.said[self._seen :]:
            assert time.monotonic() < deadline, self.said.decode()
            if select.select([self._ours], [], [], 0.1)[0]:
                self.said += os.read(self._ours, 4096)
            else:
                assert self.process.poll() is None, self.said.decode()
        self._seen = self.said.index(text, self._seen) + len(text)

    def type(self, text: bytes) -> None:
        os.write(self._ours, text)

    def end(self) -> int:
        """Return the exit status; fails if the terminal is not as it was."""
        deadline = time.monotonic() + SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.said.decode()
            if select.select([self._ours], [], [], 0.1)[0]:
                self.said += os.read(self._ours, 4096)
        assert termios.tcgetattr(self._theirs) == self.before
        return self.process.returncode

    def hang_up(self) -> int:
        """Close the terminal as its window does; return the exit status."""
        os.close(self._ours)
        self._ours = os.open(os.devnull, os.O_RDWR)
        return self.process.wait(SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)
