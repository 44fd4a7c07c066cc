"""Reach an engine by ssh, as the docker command does: ``docker system dial-stdio`` on the other host.

docker-py's own connection imports paramiko even where it runs the ssh program, and starts that for each request. Here
the program's input and output are one end of a socket pair, so that the other end is used like any socket.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from typing import Any
from urllib.parse import urlsplit

from docker.transport import UnixHTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

END_SECONDS = 2.0  # that the program has to end, once its input is closed


def make_ssh_command(url: str) -> list[str]:
    """Return the command that connects its standard streams with the engine of a URL ``ssh://[user@]host[:port]``."""
    parts = urlsplit(url)
    user = ["-l", parts.username] if parts.username else []
    port = ["-p", str(parts.port)] if parts.port else []
    return ["ssh", *user, *port, "--", parts.hostname or "", "docker", "system", "dial-stdio"]


class SshAdapter(UnixHTTPAdapter):
    """Sends the requests of a client through the ssh program."""

    def __init__(self, url: str, timeout: Any) -> None:
        self._command = make_ssh_command(url)
        super().__init__("/", timeout, pool_connections=1)

    def get_connection(self, url: Any, proxies: Any = None) -> Any:  # noqa: ARG002 - docker-py's signature
        with self.pools.lock:
            pool = self.pools.get("ssh")
            if pool is None:
                pool = self.pools["ssh"] = _Pool(self._command, self.timeout)
        return pool


class _Pool(HTTPConnectionPool):
    def __init__(self, command: list[str], timeout: Any) -> None:
        super().__init__("localhost", timeout=timeout)
        self._command = command

    def _new_conn(self) -> Any:
        return _Connection(self._command, self.timeout)


class _Connection(HTTPConnection):
    def __init__(self, command: list[str], timeout: Any) -> None:
        super().__init__("localhost")
        self._command = command
        self._timeout = timeout.read_timeout

    def connect(self) -> None:
        ours, theirs = _ProgramSocket.pair()
        with theirs:
            try:
                ours.program = subprocess.Popen(  # noqa: S603 - as the docker command does
                    self._command,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    preexec_fn=_ignore_interrupts if os.name == "posix" else None,  # noqa: PLW1509 - as docker-py does
                )
            except OSError:
                ours.close()
                raise
        ours.settimeout(self._timeout)
        self.sock = ours


class _ProgramSocket(socket.socket):
    """One end of a socket pair, whose other end a program uses."""

    program: subprocess.Popen[bytes] | None = None

    @classmethod
    def pair(cls) -> tuple[_ProgramSocket, socket.socket]:
        ours, theirs = socket.socketpair()
        return cls(fileno=ours.detach()), theirs

    def _real_close(self, *args: Any) -> None:
        """Close the socket, once the last file made from it is closed, and end the program."""
        super()._real_close(*args)  # type: ignore[misc] # of the standard library's class
        if self.program is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.program.wait(END_SECONDS)
                return
            self.program.kill()
            self.program.wait()


def _ignore_interrupts() -> None:
    """Let Ctrl-C end pytest, which still has to remove its containers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
