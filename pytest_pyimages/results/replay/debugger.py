"""The host's terminal, as long as a debugger in the one container that runs has it."""

from __future__ import annotations

import binascii
import contextlib
from collections.abc import Callable

import pytest

from pytest_pyimages.errors import EngineError
from pytest_pyimages.results.output.live import Stages
from pytest_pyimages.runs import HostTerminal, Size
from pytest_pyimages.runs.events import Debugger, Shown


class DebuggerTerminal:
    """Gives the terminal away and takes it back; only used on the main thread.

    :param send: tells the worker something; raises EngineError once it has gone.
    """

    def __init__(
        self,
        terminal: HostTerminal,
        send: Callable[[bytes], None],
        *,
        reporter: pytest.TerminalReporter | None,
        shown: Stages,
    ) -> None:
        self._terminal = terminal
        self._send = send
        self._reporter = reporter
        self._shown = shown
        self._attached = contextlib.ExitStack()

    def take(self, event: Debugger | Shown) -> None:
        """Show what a debugger writes; begin or end to pass on what is typed."""
        if isinstance(event, Shown):
            self._terminal.show(event.data)
        elif event.on:
            self._begin()
        else:
            self.close()

    def _begin(self) -> None:
        if self._reporter is not None:
            self._reporter.ensure_newline()
            self._reporter.currentfspath = None
        self._shown.pause()
        self._attached.callback(self._shown.resume)
        if self._reporter is not None:
            self._reporter.flush()
        self._attached.enter_context(self._terminal.attached(self._type, self._resize))
        self._tell(b"attached")

    def close(self) -> None:
        """Have the terminal as it was. May be called more than once."""
        self._attached.close()

    def _type(self, keys: bytes) -> None:
        self._send(b"typed " + binascii.b2a_base64(keys, newline=False))

    def _resize(self, size: Size) -> None:
        self._tell(b"size %d %d" % (size["rows"], size["columns"]))

    def _tell(self, line: bytes) -> None:
        with contextlib.suppress(EngineError):  # the container has ended, which is told elsewhere
            self._send(line)
