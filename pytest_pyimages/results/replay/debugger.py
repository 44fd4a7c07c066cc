"""Connect the host's terminal to a debugger in the container."""

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
    """Attaches and detaches the terminal; only used on the main thread.

    :param send: sends a line to the worker; raises EngineError once that has ended.
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
        """Write the debugger's output; begin or end to forward keys."""
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
        self._send_if_running(b"attached")

    def close(self) -> None:
        """Restore the terminal. May be called more than once."""
        self._attached.close()

    def _type(self, keys: bytes) -> None:
        self._send(b"typed " + binascii.b2a_base64(keys, newline=False))

    def _resize(self, size: Size) -> None:
        self._send_if_running(b"size %d %d" % (size["rows"], size["columns"]))

    def _send_if_running(self, line: bytes) -> None:
        with contextlib.suppress(EngineError):  # the end of the container is reported elsewhere
            self._send(line)
