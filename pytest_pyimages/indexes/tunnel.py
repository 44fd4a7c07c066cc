"""Let a build reach servers of this host over the standard streams of its container; its network stays its own.

``inside/installer/tunnel.py`` describes what is sent. This needs nothing of the engine's network, so that it also works
with an engine on another machine.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from pytest_pyimages.errors import EngineError

WINDOW = 1 << 20  # bytes of one connection that are on their way to its client
PIECE = 1 << 16  # bytes of a frame
MOST_CONNECTIONS = 128
MOST_LINES = 1 << 13  # of one connection that its server has not taken; each has 2 KiB at most
MOST_BYTES = 4096  # of a line


class Server(Protocol):
    """What connections of a build lead to."""

    @property
    def address(self) -> tuple[str, int]:
        """The address in the container that its clients connect to."""

    def serve(self, connection: Connection) -> None:
        """Serve one connection to its end; may raise OSError."""


class Connection(io.RawIOBase):
    """One connection of a build; as much of a socket as ``http.server`` needs."""

    def __init__(self, number: int, send: Callable[[bytes], None]) -> None:
        super().__init__()
        self._head = b"%d " % number
        self._send = send
        self._received: queue.Queue[bytes] = queue.Queue(MOST_LINES)
        self._left = b""
        self._change = threading.Condition()
        self._window = WINDOW
        self.is_gone = False  # whether the client is

    def readable(self) -> bool:
        return True

    def recv(self, size: int) -> bytes:
        """Return the next bytes, at most so many; none at the end."""
        if not self._left:
            self._left = self._received.get()
        data, self._left = self._left[:size], self._left[size:]
        if not data:
            self.put(b"")  # for the next reader
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # any writable buffer
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def makefile(self, mode: str, size: int) -> io.BufferedReader:
        del mode, size  # http.server only reads a file
        return io.BufferedReader(self)

    def sendall(self, data: bytes) -> None:
        """Send data; wait until the client takes it. :raises BrokenPipeError: if the client is gone."""
        view = memoryview(data)
        while view:
            with self._change:
                self._change.wait_for(lambda: self._window or self.is_gone)
                size = min(len(view), self._window, PIECE)
                self._window -= size
            if self.is_gone:
                raise BrokenPipeError("the client has closed the connection")
            self._send(self._head + b"%d\n" % size + view[:size])
            view = view[size:]

    def end(self) -> None:
        """Close the connection after what was sent."""
        with contextlib.suppress(BrokenPipeError):
            self._send(self._head + b"0\n")

    def put(self, data: bytes) -> None:
        """Take data from the client, or its end if there is none."""
        try:
            self._received.put_nowait(data)
        except queue.Full:
            self.drop()

    def allow(self, size: int) -> None:
        """Let so many more bytes be sent."""
        with self._change:
            self._window = min(self._window + max(size, 0), WINDOW)
            self._change.notify_all()

    def drop(self) -> None:
        """End the connection at once: its client is gone."""
        with self._change:
            self.is_gone = True
            self._change.notify_all()
        with contextlib.suppress(queue.Full, queue.Empty):
            if self._received.full():
                self._received.get_nowait()
            self._received.put_nowait(b"")


class Tunnel:
    """The connections of one container, each served by a thread. What comes from the container is not trusted.

    :param send: writes to the container's standard input; may be called by any thread, and raise EngineError.
    """

    def __init__(self, servers: Sequence[Server], send: Callable[[bytes], None]) -> None:
        self._servers = servers
        self._send_unlocked = send
        self._lock = threading.Lock()
        self._connections: dict[int, Connection] = {}
        self._rest = b""

    def split(self, data: bytes) -> bytes:
        """Take the next piece of the container's output; return its part that is not the tunnel's."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        others = bytearray()
        for line in lines:
            if line.startswith(b"["):
                self._receive(line)
            else:
                others += line + b"\n"
        if self._rest and (not self._rest.startswith(b"[") or len(self._rest) > MOST_BYTES):
            others += self._rest
            self._rest = b""
        return bytes(others)

    def close(self) -> None:
        """End all connections."""
        for connection in tuple(self._connections.values()):
            connection.drop()

    def _receive(self, line: bytes) -> None:
        try:
            number, kind, value = json.loads(line)
            data = base64.b64decode(value, validate=True) if kind == "data" else b""
        except (ValueError, TypeError, RecursionError):
            return
        if not isinstance(number, int):
            return
        connection = self._connections.get(number)
        if kind == "open" and connection is None and isinstance(value, int) and 0 <= value < len(self._servers):
            self._open(number, self._servers[value])
        elif connection is None:
            return
        elif kind == "data" and data:
            connection.put(data)
        elif kind == "read" and isinstance(value, int):
            connection.allow(value)
        elif kind == "end":
            connection.put(b"")
        elif kind == "close":
            connection.drop()

    def _open(self, number: int, server: Server) -> None:
        connection = Connection(number, self._send)
        if len(self._connections) >= MOST_CONNECTIONS:
            connection.end()
            return
        self._connections[number] = connection

        def serve() -> None:
            try:
                with contextlib.suppress(OSError):
                    server.serve(connection)
            finally:
                connection.end()
                connection.drop()
                self._connections.pop(number, None)

        # A daemon: a server that does not answer must not keep the process alive.
        threading.Thread(target=serve, name=f"pyimages-connection-{number}", daemon=True).start()

    def _send(self, data: bytes) -> None:
        with self._lock:
            try:
                self._send_unlocked(data)
            except EngineError as error:
                raise BrokenPipeError(error.message) from error
