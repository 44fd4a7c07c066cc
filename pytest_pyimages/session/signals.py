"""Handle signals during a session: the first one interrupts, later ones wait for the clean-up.

No exception is raised while the main thread imports a module: it could leave the lock of that module held, for which
another thread that imports it would wait for ever. The signal is sent again until the import has ended. Nor is it where
a session starts threads or waits for their ends: an interrupted ``join`` makes a running thread look ended (bpo-45274).
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

# pytest turns SIGINT into exit status 2; any other signal would end it and leak its containers (pytest#5243).
HANDLED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
CLEAN_UP_SECONDS = 10.0  # how long further signals are ignored after the first
RETRY_SECONDS = 0.02
_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"


@dataclass(slots=True)
class Held:
    """The number of the first signal that has arrived in a block of ``hold_interrupts``; 0 for none."""

    number: int = 0


_held: list[Held] = []  # the blocks that the main thread is in


@contextmanager
def hold_interrupts() -> Iterator[Held]:
    """Do not interrupt this block; a signal that arrives in it interrupts after it, unless its number is reset to 0."""
    held = Held()
    if threading.current_thread() is not threading.main_thread():
        yield held
        return
    _held.append(held)
    try:
        yield held
    finally:
        _held.pop()
    if held.number:
        signal.raise_signal(held.number)


def call_in_thread(work: Callable[[], T], threads: list[threading.Thread], name: str) -> T:
    """Call a function in a thread, so that an interruption does not keep it from removing what it creates.

    :param threads: receives the thread, so that its end can be waited for.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised by future.result()
            future.set_exception(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    with hold_interrupts():
        threads.append(thread)
        thread.start()
    return future.result()


class InterruptHandler:
    """Raise KeyboardInterrupt in the main thread for the first signal; a context manager."""

    def __init__(self) -> None:
        self._former: dict[int, object] = {}
        self._first: float | None = None
        self._imports = 0  # frames of the import system that are on the stack all the time

    def __enter__(self) -> InterruptHandler:
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def install(self) -> None:
        """Install the handlers; a signal that this process ignores stays ignored."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._imports = _count_imports(sys._getframe())  # noqa: SLF001 - CPython's
        for number in HANDLED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._former[number] = signal.signal(number, self._handle)

    def restore(self) -> None:
        """Restore the former handlers."""
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned
        self._former.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if _held:
            _held[0].number = _held[0].number or number
            return
        # Code without a line, of Python 3.11, is where pytest cannot show an exception.
        has_line = frame is None or frame.f_lineno is not None
        if not has_line or _count_imports(frame) > self._imports:
            _thread.start_new_thread(_send_later, (number,))  # takes no lock that the main thread may hold
            return
        now = time.monotonic()
        if self._first is not None and now - self._first < CLEAN_UP_SECONDS:
            return
        self._first = now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise KeyboardInterrupt(signal.Signals(number).name)  # pytest prints it: it was not Ctrl-C


def _count_imports(frame: FrameType | None) -> int:
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename == _IMPORT_SYSTEM
        frame = frame.f_back
    return count


def _send_later(number: int) -> None:
    """Send a signal to the main thread, which wakes it if it waits."""
    time.sleep(RETRY_SECONDS)
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, number)
