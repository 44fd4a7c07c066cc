"""What runs on a machine of the cluster: the task of a unit, which lends the machine's engine to a host.

The task holds its share of the machine, as Dask counts it, until the host is done with it. It removes what the host has
created there and not removed: when it is asked to end, when it hears nothing of the host for some time, and when it
cannot reach the scheduler any more.
"""

from __future__ import annotations

import importlib.metadata
import os
import pickle
import queue
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pytest_pyimages.cluster.channel import Channel, put_at_once
from pytest_pyimages.cluster.created import Created
from pytest_pyimages.cluster.messages import (
    Announcement,
    Call,
    Input,
    Left,
    Piece,
    Ready,
    Result,
    Unusable,
    describe_error,
)
from pytest_pyimages.engines import BuildContext, ContainerStream, Engine, connect
from pytest_pyimages.errors import EngineError, PyimagesError

if TYPE_CHECKING:
    from distributed import Client, Worker

SILENT_SECONDS = 20.0  # without a beat of the host
STUCK_SECONDS = 300.0  # that the engine may take for one piece of input; beats are not read meanwhile
LEAVE_SECONDS = 2.0  # for the last messages
UNREAD = 64  # pieces of input that may wait for their reader
ITERATORS = ("pull", "push", "build")


def serve(session: str, task: str, version: str) -> str:
    """Lend the engine of this machine for a unit; return the machine's name.

    :param session: the name of the queue for announcements.
    :param task: the key of the task on the host.
    :param version: of this package on the host.
    """
    from distributed import get_client, get_worker

    client, worker = get_client(), get_worker()
    machine = name_machine(worker)
    if version != read_version():
        problem = f"pytest-pyimages is {read_version()} there and {version} here · install the same version on both"
        announce(client, session, Unusable(task, str(worker.address), machine, problem))
        return machine
    try:
        engine = connect()
    except PyimagesError as error:
        announce(client, session, Unusable(task, str(worker.address), machine, str(error)))
        return machine
    attempt = f"pyimages-{uuid4().hex}"
    # The names of sockets are the same on all machines.
    info = replace(engine.info, endpoint=f"{socket.gethostname()}:{engine.info.endpoint}", context=machine)
    with ExitStack() as stack:
        stack.callback(engine.close)
        channel = Channel(client, attempt, is_host=False)
        lending = Lending(engine, channel)
        stack.callback(lending.end)
        announce(client, session, Ready(task, attempt, str(worker.address), machine, info))
        lending.wait()
    return machine


def read_version() -> str:
    """Return the version of this package."""
    return importlib.metadata.version("pytest-pyimages")


def name_machine(worker: Worker) -> str:
    """Return a machine's name for users: the one that it was given, or else its host name."""
    name = str(worker.name)
    return socket.gethostname() if "://" in name or name.isdecimal() else name


def announce(client: Client, session: str, announcement: Announcement) -> None:
    """Tell the host what has become of a task."""
    from distributed import Queue

    announcements = Queue(session, client=client)
    announcements.put(pickle.dumps(announcement))
    announcements.close()  # the scheduler forgets it once the host has done this, too


class Lending:
    """Does what a host asks of this machine's engine, each call in a thread of its own."""

    def __init__(self, engine: Engine, channel: Channel) -> None:
        self._engine = engine
        self._channel = channel
        self._created = Created()
        self._streams: dict[int, ContainerStream] = {}
        self._inputs: dict[int, queue.Queue[bytes | None]] = {}
        self._lock = threading.Lock()
        self._has_left = threading.Event()
        self._is_done = False  # whether the host has left
        self._heard = time.monotonic()
        self._is_receiving = False  # a message is being taken, which may have to wait for the engine
        threading.Thread(target=self._receive, name="pyimages-lending", daemon=True).start()

    def wait(self) -> None:
        """Wait until the host is done, or seems to be gone."""
        while not self._has_left.wait(1.0):
            silence = time.monotonic() - self._heard
            if silence > (STUCK_SECONDS if self._is_receiving else SILENT_SECONDS):
                return

    def end(self) -> None:
        """End what still runs, remove what the host has not removed, and close the channel."""
        with self._lock:
            streams, inputs = list(self._streams.values()), list(self._inputs.values())
            self._inputs.clear()  # nothing waits for room any more
        for each in inputs:
            put_at_once(each, None)
        for stream in streams:
            stream.close()
        self._created.remove_all(self._engine)
        with suppress(EngineError):
            self._channel.send(Left(), LEAVE_SECONDS)
        self._channel.close(LEAVE_SECONDS)
        self._channel.release(is_last=not self._is_done)

    def _receive(self) -> None:
        try:
            for message in self._channel.receive():
                self._is_receiving = True
                if isinstance(message, Call):
                    if message.method in ("attach", "upload"):
                        self._inputs[message.number] = queue.Queue(UNREAD)
                    threading.Thread(target=self._answer, args=(message,), name=message.method, daemon=True).start()
                elif isinstance(message, Input):
                    self._take_input(message)
                self._heard, self._is_receiving = time.monotonic(), False
            self._is_done = True
        except EngineError:
            pass  # the scheduler is gone, and with it the host
        finally:
            self._has_left.set()

    def _take_input(self, message: Input) -> None:
        """Hand data to their call; wait until it has room for them, or has ended."""
        while (pieces := self._inputs.get(message.number)) is not None:
            try:
                pieces.put(None if message.is_last else message.data, timeout=0.2)
            except queue.Full:
                continue
            return

    def _answer(self, call: Call) -> None:
        answer: Callable[[Call], Any] = {
            "attach": self._attach,
            "upload": self._upload,
            "build": self._build,
        }.get(call.method, self._call)
        try:
            reply = Result(call.number, answer(call))
        except Exception as error:  # noqa: BLE001 - raised on the host
            reply = describe_error(call.number, error)  # type: ignore[assignment]
        with suppress(EngineError):  # no thread waits for it any more
            self._channel.send(reply)

    def _call(self, call: Call) -> Any:
        method = getattr(self._engine, call.method)
        if call.method in ITERATORS:
            return self._yield_all(call, method(*call.args, **call.kwargs))
        value = method(*call.args, **call.kwargs)
        self._created.note(call.method, call.args, call.kwargs, value)
        return value

    def _yield_all(self, call: Call, values: Iterator[Any]) -> None:
        for value in values:
            self._channel.send(Piece(call.number, value))

    def _attach(self, call: Call) -> None:
        pieces = self._inputs[call.number]
        try:
            with closing(self._engine.attach(*call.args, **call.kwargs)) as stream:
                with self._lock:
                    self._streams[call.number] = stream
                threading.Thread(target=self._write, args=(stream, pieces), name="input", daemon=True).start()
                self._channel.send(Piece(call.number, None))  # attached
                self._yield_all(call, stream.frames())
        finally:
            with self._lock:
                self._streams.pop(call.number, None)
            self._inputs.pop(call.number, None)
            put_at_once(pieces, None)

    @staticmethod
    def _write(stream: ContainerStream, pieces: queue.Queue[bytes | None]) -> None:
        """Write to a container until nothing follows; then close both directions."""
        try:
            for data in iter(pieces.get, None):
                stream.send(data)
        except EngineError:  # it has ended; the host learns it from its output
            return
        stream.close()

    def _upload(self, call: Call) -> None:
        pieces = self._inputs[call.number]
        try:
            container, path = call.args
            self._engine.upload(container, path, iter(pieces.get, None))
        finally:
            self._inputs.pop(call.number, None)

    def _build(self, call: Call) -> None:
        """Build from a Dockerfile; the first argument has the content of its files."""
        context, files = call.args
        with tempfile.TemporaryDirectory(prefix="pyimages-build-") as folder:
            unpack_files(Path(folder), files)
            here: BuildContext = context._replace(folder=Path(folder))
            self._yield_all(call, self._engine.build(here, **call.kwargs))


def pack_files(context: BuildContext) -> dict[str, tuple[int, bytes | str]]:
    """Return the mode and the content of each file of a build context, or what a link leads to."""
    files: dict[str, tuple[int, bytes | str]] = {}
    for name in context.files:
        path = context.folder / name
        content = os.readlink(path) if path.is_symlink() else path.read_bytes()  # noqa: PTH115 - as it is written
        files[name] = path.lstat().st_mode & 0o7777, content
    return files


def unpack_files(folder: Path, files: dict[str, tuple[int, bytes | str]]) -> None:
    """Write the files of ``pack_files`` into a folder."""
    for name, (mode, content) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.symlink_to(content)
        else:
            path.write_bytes(content)
            path.chmod(mode)
