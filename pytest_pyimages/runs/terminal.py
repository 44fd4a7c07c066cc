"""Connect the user's terminal to a container."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypedDict

from pytest_pyimages.errors import EngineError, PyimagesError

CHUNK = 1 << 12  # bytes


class Size(TypedDict):
    """The size of a terminal, in characters."""

    columns: int
    rows: int


class HostTerminal:
    """Standard input and output, if they are a terminal. Belongs to the main thread."""

    def __init__(self) -> None:
        self.kind = os.environ.get("TERM") or "dumb"  # it may be set to nothing
        self._input = os.dup(sys.stdin.fileno())  # pytest replaces it
        self._output = os.dup(sys.stdout.fileno())

    @staticmethod
    def find() -> HostTerminal | None:
        """Return the terminal; None if standard input or output is none. Call it before pytest starts."""
        if sys.stdin is None or not sys.stdin.isatty() or not sys.stdout.isatty():
            return None
        return HostTerminal()

    @property
    def size(self) -> Size:
        size = os.get_terminal_size(self._output)
        return {"columns": size.columns, "rows": size.lines}

    def show(self, data: bytes) -> None:
        """Write bytes unchanged."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._output, left) :]

    @property
    def is_foreground(self) -> bool:
        """Whether this process may read keys; a job in the background of a shell would be stopped."""
        try:
            return os.tcgetpgrp(self._input) == os.getpgrp()
        except OSError:  # it is not this process' controlling terminal: no shell has jobs on it
            return True

    @contextlib.contextmanager
    def single_keys(self) -> Iterator[int]:
        """Let each key be read as it is typed, without echo, from the descriptor that this yields.

        Ctrl-C and Ctrl-Z keep their meaning. At the end restore the terminal.
        """
        import termios
        import tty

        before = termios.tcgetattr(self._input)

        def enter(*_: object) -> None:
            with contextlib.suppress(termios.error):  # the terminal is gone, and a hang-up continues its processes
                if self.is_foreground:
                    tty.setcbreak(self._input, termios.TCSADRAIN)

        previous = signal.signal(signal.SIGCONT, enter)  # a shell has restored its own settings meanwhile
        try:
            enter()
            yield self._input
        finally:
            signal.signal(signal.SIGCONT, previous)
            with contextlib.suppress(termios.error):
                if self.is_foreground:
                    termios.tcsetattr(self._input, termios.TCSADRAIN, before)

    @contextlib.contextmanager
    def attached(self, send: Callable[[bytes], None], resized: Callable[[Size], None]) -> Iterator[None]:
        """Forward each key as it is typed, and each change of size; at the end restore the terminal."""
        try:
            import termios
            import tty
        except ImportError:
            raise PyimagesError("a terminal cannot be attached on this operating system") from None
        before = termios.tcgetattr(self._input)
        wake, woken = os.pipe()
        # The handler only wakes the thread: another signal may arrive before a request would end.
        previous = signal.signal(signal.SIGWINCH, lambda *_: os.write(woken, b"\0"))
        typing = threading.Thread(
            target=self._forward, args=(send, resized, wake), name="pyimages-terminal", daemon=True
        )
        try:
            tty.setraw(self._input, termios.TCSADRAIN)  # keeps what was typed before
            resized(self.size)
            typing.start()
            yield
        finally:
            signal.signal(signal.SIGWINCH, previous)
            os.close(woken)
            if typing.ident is not None:
                typing.join()
            os.close(wake)
            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(self._input, termios.TCSADRAIN, before)

    def _forward(self, send: Callable[[bytes], None], resized: Callable[[Size], None], wake: int) -> None:
        with contextlib.suppress(EngineError, OSError):  # the command has ended, or the terminal is gone
            while True:
                ready = select.select([self._input, wake], [], [])[0]
                if wake in ready:
                    if not os.read(wake, CHUNK):
                        return
                    resized(self.size)
                    continue
                data = os.read(self._input, CHUNK)
                if not data:
                    return
                send(data)
