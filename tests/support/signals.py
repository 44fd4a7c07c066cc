"""Start programs with default signal handling, also where this process inherited that signals are ignored."""

from __future__ import annotations

import signal
from types import FrameType

INTERRUPTS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT)


def restore_defaults_in_children() -> None:
    """Replace "ignored" by a handler that does nothing.

    ``nohup`` and a shell's ``&`` let a program ignore signals, and its children inherit that through exec; a handler,
    however, becomes the default there (execve(2)). This process itself goes on ignoring them.
    """
    for number in INTERRUPTS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _do_nothing)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Handle a signal as if it were ignored."""
