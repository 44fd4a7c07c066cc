"""Read and write the hijacked connection of an attached container."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, BinaryIO

from pytest_pyimages.engines.base import STDOUT, ContainerStream
from pytest_pyimages.engines.faults import convert_error, list_client_errors
from pytest_pyimages.engines.frames import read_frames
from pytest_pyimages.engines.unix import wait_for
from pytest_pyimages.errors import EngineError, NoAnswerError

_CHUNK = 1 << 16
_PEER_HAS_ENDED: int = getattr(select, "POLLRDHUP", 0)  # Linux only


class AttachedStream:
    """Implements ContainerStream; the constructor raises the client's exceptions."""

    def __init__(
        self,
        upgraded: tuple[BinaryIO, Callable[[], None]],
        *,
        terminal: bool = False,
        silence: float | None = None,
        on_silence: Callable[[], None] = lambda: None,
    ) -> None:
        """Use the connection of ``Client.upgrade``.

        :param silence: seconds without output after which reading fails, once ``on_silence`` is called.
        """
        self._terminal = terminal
        self._silence = silence
        self._on_silence = on_silence
        reader, self._close = upgraded
        self._connection = _Socket(reader, silence)
        self._lock = threading.Lock()
        self._closed = False

    def frames(self) -> Iterator[tuple[int, bytes]]:
        try:
            yield from self._unframed() if self._terminal else read_frames(self._connection.read)
        except _SilentError as error:
            self._on_silence()
            raise NoAnswerError(
                f"no sign of life from the container for {self._silence:g} s: it, or the engine, hangs"
            ) from error
        except list_client_errors(EngineError) as error:
            if not self._closed:
                raise convert_error(error) from error

    def _unframed(self) -> Iterator[tuple[int, bytes]]:
        """Yield the output of a terminal, which is not framed (Engine API, "ContainerAttach")."""
        while True:
            data = self._connection.read(_CHUNK)
            if not data:
                return
            yield STDOUT, data

    def send(self, data: bytes) -> None:
        if self._closed:
            raise EngineError("the connection to the container is closed")
        try:
            self._connection.send(data)
        except list_client_errors() as error:
            raise EngineError(f"the container no longer reads its input: {convert_error(error).message}") from error

    def close(self) -> None:
        self._end(self._connection.close)

    def release(self) -> None:
        self._end(lambda: None)

    def _end(self, shut_down: Callable[[], None]) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        shut_down()
        with contextlib.suppress(OSError, ValueError):  # it may be closed already
            self._close()

    @property
    def connection(self) -> socket.socket | None:
        return self._connection.untouched


def find_connection(stream: ContainerStream) -> socket.socket | None:
    """Return the socket of an attached container for another process; None if it would be of no use there.

    That is so if something was read, for the keys of TLS, and for streams that are no sockets.
    """
    return stream.connection if isinstance(stream, AttachedStream) else None


def release_connection(stream: ContainerStream) -> None:
    """Close this process' descriptor of a connection that another process goes on using."""
    if isinstance(stream, AttachedStream):
        stream.release()


def adopt_connection(connection: socket.socket, *, silence: float) -> ContainerStream:
    """Return the stream of a container that another process has attached to.

    :param silence: seconds without output after which reading it raises NoAnswerError.
    """
    reader = connection.makefile("rb")

    def close() -> None:
        reader.close()
        connection.close()

    return AttachedStream((reader, close), silence=silence)


class _SilentError(Exception):
    """Nothing came for too long."""


class _Socket:
    """A socket, with or without TLS. One thread may wait for input while another sends.

    OpenSSL connections are not thread-safe, and a blocking read would hold the lock: so the socket does not block, and
    threads wait outside of the lock.
    """

    def __init__(self, reader: Any, silence: float | None) -> None:
        self._silence = silence
        self._socket: socket.socket = reader.raw._sock  # noqa: SLF001 - as above
        self._socket.settimeout(0)
        self._lock = threading.Lock()
        with contextlib.suppress(ssl.SSLWantReadError):  # no data yet
            # Return buffered data, or that of one read.
            self._early: bytes = reader.peek()
            return
        self._early = b""

    @property
    def untouched(self) -> socket.socket | None:
        return None if self._early or isinstance(self._socket, ssl.SSLSocket) else self._socket

    def read(self, size: int) -> bytes:
        if self._early:
            early, self._early = self._early[:size], self._early[size:]
            return early
        while True:
            try:
                with self._lock:
                    return self._socket.recv(size)
            except (BlockingIOError, ssl.SSLWantReadError):
                if not wait_for(self._socket, EVENT_READ, self._silence):
                    raise _SilentError from None
            except ssl.SSLWantWriteError:
                wait_for(self._socket, EVENT_WRITE)

    def send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                with self._lock:
                    left = left[self._socket.send(left) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait_to_send()
            except ssl.SSLWantReadError:
                wait_for(self._socket, EVENT_READ)

    def _wait_to_send(self) -> None:
        """Wait until data can be sent; raise BrokenPipeError if the peer has ended.

        Once the container has ended, the engine no longer reads but keeps the connection open: only the end of its own
        direction shows it (observed on Engine 20.10).
        """
        if not _PEER_HAS_ENDED:
            wait_for(self._socket, EVENT_WRITE)
            return
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT | _PEER_HAS_ENDED)
        if all(event & _PEER_HAS_ENDED and not event & select.POLLOUT for _, event in poll.poll()):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the other side may have closed it
            self._socket.shutdown(socket.SHUT_RDWR)  # unlike close, it wakes waiting threads
