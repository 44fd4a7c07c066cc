"""The sessions of the watch: each is a process that is forked from the watch, and reports to it."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from pytest_pyimages.cli.watching.forked import CHUNK, GRACE_SECONDS, Request, SessionReport, Task, become_session
from pytest_pyimages.host import Invocation
from pytest_pyimages.session import HANDLED


def import_modules(names: Sequence[str]) -> None:
    """Import what sessions import, so that the next ones find it in this process, which they are forked from.

    :param names: of modules of the standard library, of this package and of its dependencies, in their order.
    """
    for name in names:
        if name not in sys.modules:
            with contextlib.suppress(ImportError):
                import_module(name)


class SessionProcess:
    """A running session, which is interrupted if the watch dies."""

    def __init__(
        self,
        invocation: Invocation,
        last: SessionReport | None,
        close_copies: Callable[[], None],
        *,
        root: Path,
        expected: Sequence[str] | None = None,
    ) -> None:
        """Start the process, which starts its containers, prepares its session, and waits for ``run``.

        :param last: the report of the last session; None if nothing was run yet.
        :param close_copies: called in the new process, to close what belongs to the watch.
        :param root: the folder that is watched.
        :param expected: the arguments of pytest that are likely; None to prepare nothing.
        """
        self._reading, writing = os.pipe()
        life, self._life = os.pipe()
        self._received = b""
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal must find the watch with its handlers and this process known, or the new one without them.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reading)
            os.close(self._life)
            close_copies()
            become_session(Task(invocation, last, root, expected), life, writing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        os.close(writing)
        os.close(life)

    def run(self, request: Request) -> None:
        """Run pytest."""
        with contextlib.suppress(BrokenPipeError):  # it was killed a moment ago: ``read`` finds its end
            os.write(self._life, json.dumps([[*request.words], request.has_same_files]).encode() + b"\n")

    def fileno(self) -> int:
        """Return the descriptor that is readable when ``read`` has something; for select."""
        return self._reading

    def has_ended(self) -> bool:
        """Return whether the process was killed before it was used."""
        ended = os.waitpid(self.pid, os.WNOHANG)[0] != 0
        if ended:
            os.close(self._reading)
            os.close(self._life)
        return ended

    def read(self) -> bool:
        """Read a part of the report; return whether the session has ended."""
        data = os.read(self._reading, CHUNK)
        self._received += data
        return not data

    def end(self) -> tuple[int, SessionReport | None]:
        """Wait until the process has ended; return its exit status, or a signal's number below 0, and the report.

        There is none if the process was killed, or interrupted before pytest began.
        """
        _, status = os.waitpid(self.pid, 0)
        os.close(self._reading)
        os.close(self._life)
        code = os.waitstatus_to_exitcode(status)
        # Of a killed process it may be a part.
        return code, pickle.loads(self._received) if self._received and code >= 0 else None  # noqa: S301 - ours

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Interrupt the session as Ctrl-C does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def stop(self, number: int = signal.SIGINT) -> None:
        """Interrupt the session and wait for its end; kill it if it does not end."""
        self.interrupt(number)
        deadline = time.monotonic() + GRACE_SECONDS
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                self.interrupt(signal.SIGKILL)
            time.sleep(0.02)
        os.close(self._reading)
        os.close(self._life)
