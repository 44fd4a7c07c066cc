"""Transfer the waiting containers of a watch to other sessions of the same user, over a Unix socket.

The socket is in the folder for file locks. The new owner of a container has the connection to its program, its volumes,
and a file lock in the lease that the container belongs to. A connection to the socket is for one container:

1. the watch sends a greeting: a suspended process accepts connections, too;
2. the session sends its request;
3. the watch sends the container's id, and the descriptor of the connection to its program;
4. the session locks its part of the lease, and confirms that;
5. the watch confirms the transfer, and starts another container.

If either of them ends before the last message, the watch remains the owner.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.containers.ahead import Waiting, Wanted
from pytest_pyimages.containers.bytecode import BytecodeLayer
from pytest_pyimages.containers.leases import Lease, find_offers_folder, join_lease
from pytest_pyimages.containers.mounted_source import Decision, MountedSource
from pytest_pyimages.containers.process import SILENT_SECONDS
from pytest_pyimages.containers.waiting import StartedAhead, WaitingContainers
from pytest_pyimages.engines import Engine, adopt_connection, find_connection

GREETING_SECONDS = 0.5
START_SECONDS = 0.5  # within which a container must have started: a session needs about as long to start one itself
ANSWER_SECONDS = 2.0
PACKET = 1 << 16  # bytes
GREETING, LEASED, TRANSFERRED = b"pyimages 1", b"leased", b"transferred"  # with the version of the protocol
# Of a peer that has ended, does not answer, or is another version of this program.
_PEER_ERRORS = (OSError, ValueError, LookupError, TypeError, RecursionError)


class _Request(NamedTuple):
    """The container that a session would start, as digests of ``_make_key``."""

    wanted: str
    engine: str  # of its EngineInfo
    bytecode: str  # of its BytecodeLayer


class _Offer(NamedTuple):
    """The answer of a watch."""

    session: str  # of its lease
    container: str  # id
    volumes: list[str]  # names
    below: str  # see MountedSource


def _make_key(*values: object) -> str:
    return hashlib.sha256(repr(values).encode(errors="surrogateescape")).hexdigest()


@contextlib.contextmanager
def _shorten(folder: Path) -> Iterator[str]:
    """Yield another path of a folder: that of a socket may have no more than 107 bytes (unix(7))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def offer_containers(waiting: WaitingContainers, lease: Lease) -> Iterator[None]:
    """Offer the containers of a watch to other sessions, as long as this context lasts.

    :param lease: of the containers.
    """
    path = find_offers_folder() / f"{lease.session}.socket"
    try:
        listener = _listen(path)
    except OSError:  # sessions start their own
        yield
        return
    with listener:
        threading.Thread(target=_accept, args=(listener, waiting, lease), name="pyimages-offers", daemon=True).start()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the thread may have closed it
                listener.shutdown(socket.SHUT_RDWR)  # unlike close, it wakes the thread


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    early = path.with_suffix(".new")  # a session takes a socket that refuses connections for one of a dead watch
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with _shorten(path.parent) as folder:
            listener.bind(f"{folder}/{early.name}")
        listener.listen()
        early.rename(path)
    except OSError:
        listener.close()
        early.unlink(missing_ok=True)
        raise
    return listener


def _accept(listener: socket.socket, waiting: WaitingContainers, lease: Lease) -> None:
    while True:
        try:
            connection = listener.accept()[0]
        except OSError:  # the context has ended, or this process has too many open files
            listener.close()  # else sessions would wait for an answer
            return
        arguments = (connection, waiting, lease)
        threading.Thread(target=_answer, args=arguments, name="pyimages-offer", daemon=True).start()


def _answer(connection: socket.socket, waiting: WaitingContainers, lease: Lease) -> None:
    with connection, contextlib.suppress(*_PEER_ERRORS):
        connection.settimeout(ANSWER_SECONDS)
        connection.send(GREETING)
        request = _Request(**json.loads(connection.recv(PACKET)))
        thread = waiting.take_first(lambda wanted: _make_key(wanted) == request.wanted, START_SECONDS)
        if thread is None:
            return
        if _make_key(thread.info) != request.engine:  # it is of use for the watch
            waiting.put_back(thread)
            return
        try:
            if _make_key(thread.bytecode) == request.bytecode and thread.is_current:
                _transfer(connection, waiting, thread, lease)
        finally:
            waiting.replace(thread, lease)


def _transfer(connection: socket.socket, waiting: WaitingContainers, thread: StartedAhead, lease: Lease) -> None:
    container, mounted, stream, _ = thread.started.result()
    attached = find_connection(stream)
    if attached is None:
        return
    offer = _Offer(lease.session, container, [*thread.volumes], mounted.below)
    socket.send_fds(connection, [json.dumps(offer).encode()], [attached.fileno()])
    if connection.recv(PACKET) == LEASED:
        waiting.transfer(thread, lambda: connection.send(TRANSFERRED))


class OfferedContainers:
    """The containers that watches of this user offer. May be used from several threads at once."""

    def __init__(self) -> None:
        self.problems: Sequence[str] | None = None  # the session itself sweeps
        self._asked: set[str] = set()
        self._silent: set[Path] = set()  # sockets of watches that have not answered in time
        self._lock = threading.Lock()

    def take(self, engine: Engine, wanted: Wanted, bytecode: BytecodeLayer | None = None) -> Waiting | None:
        """Return a container that is the same as the session would start; None without one, or at a second request."""
        key = _make_key(wanted)
        with self._lock:
            if key in self._asked:
                return None
            self._asked.add(key)
        request = _Request(key, _make_key(engine.info), _make_key(bytecode))
        for path in sorted({*find_offers_folder().glob("*.socket")} - self._silent):
            try:
                found = _ask(path, request, engine)
            except TimeoutError:
                self._silent.add(path)
            except _PEER_ERRORS:
                continue
            else:
                if found is not None:
                    return found
        return None


def _ask(path: Path, request: _Request, engine: Engine) -> Waiting | None:
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        connection.settimeout(GREETING_SECONDS)
        try:
            with _shorten(path.parent) as folder:
                connection.connect(f"{folder}/{path.name}")
        except ConnectionRefusedError:  # its watch was killed
            path.unlink(missing_ok=True)
            return None
        if connection.recv(PACKET) != GREETING:
            return None
        connection.settimeout(ANSWER_SECONDS)
        connection.send(json.dumps(request._asdict()).encode())
        data, descriptors, _, _ = socket.recv_fds(connection, PACKET, 1, socket.MSG_CMSG_CLOEXEC)
        if not descriptors:
            return None
        attached = stack.enter_context(socket.socket(fileno=descriptors[0]))
        offer = _Offer(*json.loads(data))
        owned = stack.enter_context(contextlib.ExitStack())
        owned.enter_context(join_lease(offer.session))
        connection.send(LEASED)
        if _receive_last(connection) != TRANSFERRED:
            return None
        for volume in offer.volumes:
            owned.callback(engine.remove_volume, volume)
        owned.callback(engine.remove_container, offer.container, wait=False)
        stream = adopt_connection(attached.dup(), silence=SILENT_SECONDS)
        owned.callback(stream.close)
        mounted = MountedSource(Decision("overlay"), mounts=(), witness=(), below=offer.below)
        return Waiting(offer.container, mounted, stream, owned.pop_all().close)


def _receive_last(connection: socket.socket) -> bytes:
    """Return the last message of a watch, which cannot be sent any more once this returns."""
    with contextlib.suppress(TimeoutError):
        return connection.recv(PACKET)
    connection.shutdown(socket.SHUT_RDWR)
    return connection.recv(PACKET)  # if it was sent in this moment
