"""Signals as a session over containers wants them: the first interrupts, the next ones wait for the cleaning up."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

# pytest turns SIGINT into exit status 2 and dies of the others, with whatever it has created left behind (pytest#5243).
HANDLED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
PATIENCE = 10.0  # seconds that cleaning up may take before another signal gets through


class Interruptions:
    """Raises KeyboardInterrupt in the main thread for the first signal. ``restore`` puts back what was there before."""

    def __init__(self) -> None:
        self._before: dict[int, object] = {}
        self._first: float | None = None

    def install(self) -> None:
        """Begin to handle them; a signal that this process ignores stays ignored."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in HANDLED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)

    def restore(self) -> None:
        """Put the former handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned
        self._before.clear()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._first is not None and now - self._first < PATIENCE:
            return
        self._first = now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise KeyboardInterrupt(signal.Signals(number).name)  # which pytest shows: nobody has pressed a key
