"""Keep unit tests inside their process: an audit hook that refuses programs and connections to anywhere else."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

# Of the standard library's table of audit events.
EVENTS = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "pty.spawn",
        "socket.connect",
        "subprocess.Popen",
    }
)
FIRST_EPHEMERAL_PORT = 32768  # of Linux; Docker's own are 2375 and 2376


class OutsideError(Exception):
    """A unit test has started a program, or has connected to what it does not serve itself."""


class Guard:
    """Watches this process while ``watching``; audit hooks cannot be removed, hence one for all tests."""

    def __init__(self) -> None:
        self._violations: list[str] | None = None
        sys.addaudithook(self._audit)

    @contextlib.contextmanager
    def watching(self) -> Iterator[list[str]]:
        """Refuse what leads outside; what was refused is in the list, also if the code has caught the error."""
        before, violations = self._violations, list[str]()
        self._violations = violations
        try:
            yield violations
        finally:
            self._violations = before

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self._violations is None or event not in EVENTS:
            return
        if event == "socket.connect":
            if is_own_address(args[1]):
                return
            args = args[1:]
        violation = f"{event}: {args[:2]!r}"
        self._violations.append(violation)
        raise OutsideError(violation)


def is_own_address(address: Any) -> bool:
    """Whether a test may have made what listens there: a socket among temporary files, or an ephemeral local port."""
    if isinstance(address, str):
        return os.path.realpath(address).startswith(os.path.realpath(tempfile.gettempdir()))
    return bool(address[0] == "127.0.0.1" and address[1] >= FIRST_EPHEMERAL_PORT)
