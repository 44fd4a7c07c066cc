"""An engine that has any image, and whose containers send again what the worker has sent in a real one.

``python -m tools.bench.replaying SOCKET RECORD`` serves what a warm run needs of the Engine API, so that the controller
reads its streams as from a real engine, while the tests cost nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import re
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pytest_pyimages.engines.labels import EXECUTABLE_LABEL, KIND_LABEL, LABEL, PYTHON_LABEL, RECIPE_LABEL
from tools.bench.clock import NotMeasuredError

PLATFORM = {"Os": "linux", "Architecture": "amd64"}
VERSION = {"Version": "28.0", "ApiVersion": "1.47", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"}
START_SECONDS = 10.0
_HEADER = struct.Struct(">BxxxL")  # of a frame (Engine API, "ContainerAttach")
_STDOUT, _STDERR = 1, 2
_UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


class Stream(NamedTuple):
    """What one container has sent."""

    channels: tuple[tuple[int, int], ...]  # of each frame: standard output or error, and its size in bytes
    output: bytes  # of the worker
    errors: bytes
    token: bytes  # that the lines of the worker begin with

    def make_frames(self, token: bytes) -> Iterator[bytes]:
        """Yield the same frames as those of a run with another token, of the same length."""
        lines = self.output.split(b"\n")
        changed = b"\n".join(token + line[len(token) :] if line.startswith(self.token) else line for line in lines)
        rest = {_STDOUT: memoryview(changed), _STDERR: memoryview(self.errors)}
        for channel, size in self.channels:
            yield _HEADER.pack(channel, size) + rest[channel][:size]
            rest[channel] = rest[channel][size:]


def read_stream(record: Path) -> Stream:
    """Read the longest stream of a container from a folder that ``Watch`` has written: that of the suite.

    :raises NotMeasuredError: if there is none.
    """
    attached = [sent for sent in record.glob("*.sent") if b"/attach?" in sent.read_bytes().partition(b"\n")[0]]
    if not attached:
        raise NotMeasuredError("no container was recorded")
    sent = max(attached, key=lambda path: path.with_suffix(".answered").stat().st_size)
    job = json.loads(_skip_headers(sent).partition(b"\n")[0])
    data = memoryview(_skip_headers(sent.with_suffix(".answered")))
    channels = []
    contents = {_STDOUT: bytearray(), _STDERR: bytearray()}
    while data:
        channel, size = _HEADER.unpack_from(data)
        channels.append((channel, size))
        contents[channel] += data[_HEADER.size : _HEADER.size + size]
        data = data[_HEADER.size + size :]
    return Stream(tuple(channels), bytes(contents[_STDOUT]), bytes(contents[_STDERR]), job["token"].encode())


def _skip_headers(path: Path) -> bytes:
    return path.read_bytes().partition(b"\r\n\r\n")[2]


def describe_image(reference: str) -> dict[str, Any]:
    """Return a base image, or an environment image that was built for the recipe in its reference."""
    name, _, tag = reference.rpartition(":")
    labels = {}
    if "pytest-pyimages" in name:
        labels = {
            LABEL: "1",
            KIND_LABEL: "environment",
            RECIPE_LABEL: tag,
            PYTHON_LABEL: "3.12.0",
            EXECUTABLE_LABEL: "/usr/local/bin/python",
        }
    digest = f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}"
    return {"Id": digest, **PLATFORM, "RepoTags": [reference], "Config": {"Labels": labels}}


class Container:
    """A container that can be started once."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.ended = threading.Event()


class ReplayingServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The engine."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, stream: Stream) -> None:
        self.stream = stream
        self.containers: dict[str, Container] = {}
        self.numbers = itertools.count(1)
        super().__init__(str(path), Handler)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server: ReplayingServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Print nothing."""

    def _handle(self) -> None:
        path = re.sub(r"^/v[0-9.]+", "", unquote(urlsplit(self.path).path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = {
            "/version": VERSION,
            "/info": {"NCPU": os.cpu_count(), "KernelVersion": "6.1.0"},
            "/containers/json": [],
            "/networks": [],
            "/volumes": {"Volumes": []},
        }.get(path)
        if answer is not None:
            self._answer(answer)
        elif path == "/volumes/create":
            self._answer({"Mountpoint": f"/volumes/{json.loads(body)['Name']}"}, 201)
        elif path == "/containers/create":
            identifier = f"container{next(self.server.numbers)}"
            self.server.containers[identifier] = Container()
            self._answer({"Id": identifier, "Warnings": []}, 201)
        elif self.command == "DELETE":
            self._answer(None, 204)
        elif path.startswith("/images/"):
            self._answer(describe_image(path.removeprefix("/images/").removesuffix("/json")))
        else:
            _, _, identifier, action = path.split("/")
            self._act(self.server.containers[identifier], action)

    do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - as the base class calls them

    def _act(self, container: Container, action: str) -> None:
        if action == "attach":
            self._replay(container)
            return
        if action == "start":
            container.started.set()
        elif action == "wait":
            container.ended.wait()
            self._answer({"StatusCode": 0})
            return
        self._answer(None, 204)

    def _replay(self, container: Container) -> None:
        """Send the stream once the container is started and has got its job; end when the host has read it."""
        self.wfile.write(_UPGRADED)
        self.close_connection = True
        token = json.loads(self.rfile.readline())["token"].encode()
        container.started.wait()
        with contextlib.suppress(ConnectionError):  # the session has ended before
            for frame in self.server.stream.make_frames(token):
                self.wfile.write(frame)
            self.rfile.readline()  # that the last record has arrived
        container.ended.set()

    def _answer(self, value: object, status: int = 200) -> None:
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def replaying(record: Path, socket_path: Path) -> Iterator[str]:
    """Start the engine as a process of its own; yield its DOCKER_HOST.

    :raises NotMeasuredError: if it does not start.
    """
    process = subprocess.Popen((sys.executable, "-m", "tools.bench.replaying", str(socket_path), str(record)))
    try:
        deadline = time.monotonic() + START_SECONDS
        while not socket_path.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotMeasuredError("the engine that replays a recorded run did not start")
            time.sleep(0.05)
        yield f"unix://{socket_path}"
    finally:
        process.terminate()
        process.wait()
        socket_path.unlink(missing_ok=True)


def main(socket_path: str, record: str) -> None:
    """Serve until the process is terminated."""
    with ReplayingServer(Path(socket_path), read_stream(Path(record))) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
