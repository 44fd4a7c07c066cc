"""Sees what a process asks of the container engine, and when: a proxy between the two that passes every byte on."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tools.bench.clock import NotMeasuredError

_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE) (?:/v[0-9.]+)?(/[^ \r\n]*) HTTP/1\.1\r\n")
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it left the process."""

    when: float  # of time.perf_counter
    method: str
    path: str  # without the API's version

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Watch:
    """A socket that leads to the engine; use it as a context manager.

    :param engine: the engine's own DOCKER_HOST, unix:// or tcp:// without TLS.
    :param path: where to put the socket; its folder must exist.
    :param record: an existing folder for all bytes: ``N.sent`` and ``N.answered`` of the N-th connection.
    """

    def __init__(self, engine: str, path: Path, record: Path | None = None) -> None:
        self.url = f"unix://{path}"
        self._engine = engine
        self._path = path
        self._record = record
        self._listener = socket.socket(socket.AF_UNIX)
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._open: list[socket.socket] = []

    def __enter__(self) -> Watch:
        self._listener.bind(str(self._path))
        self._listener.listen(32)
        threading.Thread(target=self._accept, name="watch", daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        for connection in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # close alone does not wake who waits in accept or recv
            connection.close()
        self._path.unlink()

    def take(self) -> list[Request]:
        """Return the requests since the last call, in order."""
        with self._lock:
            taken, self._requests = self._requests, []
        return sorted(taken, key=lambda request: request.when)

    def _accept(self) -> None:
        while True:
            try:
                process, _ = self._listener.accept()
            except OSError:
                return  # closed
            engine = _connected(self._engine)
            with self._lock:
                self._open += [process, engine]
                number = len(self._open) // 2
            sent, answered = (
                Path(os.devnull) if self._record is None else self._record / f"{number}.{side}"
                for side in ("sent", "answered")
            )
            threading.Thread(target=self._requests_of, args=(process, engine, sent), daemon=True).start()
            threading.Thread(target=_answers_of, args=(engine, process, answered), daemon=True).start()

    def _requests_of(self, process: socket.socket, engine: socket.socket, record: Path) -> None:
        """Pass on what the process sends, and note its requests before the engine has them."""
        seen = b""
        for piece in _pieces(process, record):
            now = time.perf_counter()
            seen += piece
            end = 0
            with self._lock:
                for match in _REQUEST.finditer(seen):
                    self._requests.append(Request(now, match[1].decode(), match[2].decode(errors="replace")))
                    end = match.end()
            # What may be the beginning of something is kept, the rest is not needed again.
            seen = seen[max(end, len(seen) - 1024) :]
            try:
                engine.sendall(piece)
            except OSError:
                return
        with contextlib.suppress(OSError):
            engine.shutdown(socket.SHUT_WR)


def _answers_of(engine: socket.socket, process: socket.socket, record: Path) -> None:
    with contextlib.suppress(OSError):
        for piece in _pieces(engine, record):
            process.sendall(piece)
        process.shutdown(socket.SHUT_WR)


def _pieces(connection: socket.socket, record: Path) -> Iterator[bytes]:
    with record.open("wb", buffering=0) as file:
        while True:
            try:
                piece = connection.recv(_PIECE)
            except OSError:
                return
            if not piece:
                return
            file.write(piece)
            yield piece


def _connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(parts.path)
        return connection
    if parts.scheme in ("tcp", "http") and parts.hostname:
        return socket.create_connection((parts.hostname, parts.port or 2375))
    raise NotMeasuredError(f"an engine at {url} cannot be watched: only unix:// and tcp:// can")
