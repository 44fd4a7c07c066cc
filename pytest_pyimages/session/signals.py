"""Handle signals during a session: the first one interrupts, later ones wait for the clean-up."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

# pytest turns SIGINT into exit status 2; any other signal would end it and leak its containers (pytest#5243).
HANDLED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
CLEAN_UP_SECONDS = 10.0  # how long further signals are ignored after the first


class InterruptHandler:
    """Raise KeyboardInterrupt in the main thread for the first signal; a context manager."""

    def __init__(self) -> None:
        self._former: dict[int, object] = {}
        self._first: float | None = None

    def __enter__(self) -> InterruptHandler:
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def install(self) -> None:
        """Install the handlers; a signal that this process ignores stays ignored."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in HANDLED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._former[number] = signal.signal(number, self._handle)

    def restore(self) -> None:
        """Restore the former handlers."""
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned
        self._former.clear()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._first is not None and now - self._first < CLEAN_UP_SECONDS:
            return
        self._first = now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise KeyboardInterrupt(signal.Signals(number).name)  # pytest prints it: it was not Ctrl-C
