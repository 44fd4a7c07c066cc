"""The terminal that the user sits at, lent to a container."""

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

CHUNK = 1 << 12


class Size(TypedDict):
    """How large a terminal is, in characters."""

    columns: int
    rows: int


class HostTerminal:
    """Standard input and output, which are a terminal. Belongs to the main thread."""

    def __init__(self) -> None:
        self.kind = os.environ.get("TERM", "dumb")
        self._input = os.dup(sys.stdin.fileno())  # pytest puts another one in its place
        self._output = os.dup(sys.stdout.fileno())

    @staticmethod
    def find() -> HostTerminal | None:
        """Return the terminal, or None where input or output is none. To be called before pytest is."""
        if sys.stdin is None or not sys.stdin.isatty() or not sys.stdout.isatty():
            return None
        return HostTerminal()

    @property
    def size(self) -> Size:
        size = os.get_terminal_size(self._output)
        return {"columns": size.columns, "rows": size.lines}

    def show(self, data: bytes) -> None:
        """Write something as it is."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._output, left) :]

    @contextlib.contextmanager
    def attached(self, send: Callable[[bytes], None], resized: Callable[[Size], None]) -> Iterator[None]:
        """Pass every key on as it is typed, and the size as it changes; then give the terminal back as it was."""
        try:
            import termios
            import tty
        except ImportError:
            raise PyimagesError("a terminal cannot be attached on this operating system") from None
        before = termios.tcgetattr(self._input)
        wake, woken = os.pipe()
        # Not told from the handler: it may come again before that is done.
        former = signal.signal(signal.SIGWINCH, lambda *_: os.write(woken, b"\0"))
        typing = threading.Thread(
            target=self._pass_on, args=(send, resized, wake), name="pyimages-terminal", daemon=True
        )
        try:
            tty.setraw(self._input, termios.TCSADRAIN)  # what was typed before is not lost
            resized(self.size)
            typing.start()
            yield
        finally:
            signal.signal(signal.SIGWINCH, former)
            os.close(woken)
            if typing.ident is not None:
                typing.join()
            os.close(wake)
            termios.tcsetattr(self._input, termios.TCSADRAIN, before)

    def _pass_on(self, send: Callable[[bytes], None], resized: Callable[[Size], None], wake: int) -> None:
        with contextlib.suppress(EngineError):  # the command has ended
            while True:
                ready = select.select([self._input, wake], [], [])[0]
                if wake in ready:
                    if not os.read(wake, CHUNK):
                        return
                    resized(self.size)
                    continue
                data = os.read(self._input, CHUNK)
                if not data:  # the terminal has gone
                    return
                send(data)
