"""Responses without an end, responses that are too deep, and redirects."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import BuildContext, ContainerSpec
from pytest_pyimages.engines.docker import DockerEngine, connect
from pytest_pyimages.errors import ConfigurationError, EngineError
from tests.support.scripted_engine import VERSION, Request, ScriptedEngine, answer, chunked, scripted_engine

SPEC = ContainerSpec(name="x", image="sha256:1", command=("true",), labels={})
NAMES = "abcdefgh"
DEEP = b"[" * 200_000 + b"]" * 200_000


@pytest.fixture(autouse=True)
def _headers_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"HttpHeaders": {"X-Canary": "secret"}}))


def endless(_: Request, peer: socket.socket) -> None:
    """Send without an end, one line."""
    with suppress(OSError):
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")


def endless_error(_: Request, peer: socket.socket) -> None:
    with suppress(OSError):
        peer.sendall(b"HTTP/1.1 500 Oh\r\nContent-Type: application/json\r\n\r\n")
        while True:
            peer.sendall(b"x" * 65536)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(endless, "the engine's response has more than 1 MiB", id="endless"),
        pytest.param(endless_error, "the engine's response has more than 1 MiB", id="endless error"),
        pytest.param(answer(200, DEEP), "not a container engine", id="deep"),
        pytest.param(answer(200, {**VERSION, "Version": [[]] * 100_000}), "", id="large, but valid"),
    ],
)
def test_the_version_is_limited(scripted: ScriptedEngine, said: bytes, expected: str) -> None:
    scripted.answers["GET /version"] = said
    started = time.monotonic()
    if not expected:
        connect(scripted.url, timeout=20.0).close()
        return
    with pytest.raises(ConfigurationError, match=expected) as caught:
        connect(scripted.url, timeout=20.0)
    assert str(caught.value).isprintable()
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(endless, "the engine's response has more than 16 MiB", id="endless"),
        pytest.param(endless_error, "the engine's response has more than 16 MiB", id="endless error"),
        pytest.param(answer(201, DEEP), "RecursionError", id="deep"),
    ],
)
def test_a_response_is_limited(scripted: ScriptedEngine, engine: DockerEngine, said: bytes, expected: str) -> None:
    scripted.answers["POST /containers/create"] = said
    with pytest.raises(EngineError, match=expected):
        engine.create_container(SPEC)


@pytest.mark.parametrize("said", [endless, chunked(DEEP)], ids=["endless", "deep"])
def test_a_stream_is_limited(scripted: ScriptedEngine, engine: DockerEngine, said: bytes) -> None:
    scripted.answers["POST /images/create"] = scripted.answers["POST /build"] = said
    with pytest.raises(EngineError, match="record"):
        list(engine.pull("python:3.12"))
    context = BuildContext(folder=Path("/"), files=(), dockerfile="", arguments={})
    with pytest.raises(EngineError, match="record"):
        list(engine.build(context, reference="a:1", labels={}))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused(scripted: ScriptedEngine, engine: DockerEngine, status: int) -> None:
    """The canary, a header of docker's configuration, reaches only the engine."""
    with scripted_engine() as other:
        address = other.url.replace("tcp://", "http://")
        redirect = answer(status, b"").replace(b"\r\n\r\n", f"\r\nLocation: {address}/v1.41/x\r\n\r\n".encode(), 1)
        for call in ("GET /version", "POST /containers/create", "POST /containers/1/attach", "POST /images/create"):
            scripted.answers[call] = redirect
        with pytest.raises(ConfigurationError, match="redirects to another address"):
            connect(scripted.url)
        with pytest.raises(EngineError, match="redirects to another address"):
            engine.create_container(SPEC)
        with pytest.raises(EngineError, match="redirects to another address"):
            engine.attach("1")
        with pytest.raises(EngineError, match="redirects to another address"):
            list(engine.pull("python:3.12"))
        assert not other.requests
    assert scripted.requests[0].headers["x-canary"] == "secret"


def test_a_name_that_is_taken_is_replaced(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    taken = answer(409, {"message": 'Conflict. The container name "/x" is already in use'})
    scripted.answers["POST /containers/create"] = [taken, taken, answer(201, {"Id": "abc"})]
    assert engine.create_container(SPEC) == "abc"
    assert [request.query for request in scripted.asked("POST /containers/create")] == [
        "name=x",
        "name=x-1",
        "name=x-2",
    ]
    scripted.answers["POST /containers/create"] = taken
    with pytest.raises(EngineError, match="already in use"):
        engine.create_container(SPEC)


def test_a_thread_that_ends_leaves_no_connection(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    for name in NAMES:
        kept = answer(200, {"Id": "1"}).replace(b"Connection: close\r\n", b"")
        scripted.answers[f"GET /images/{name}/json"] = kept

    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def ask() -> None:
        for name in NAMES:
            engine.find_image(name)

    unused = count()
    ask()
    before = count()
    assert before - unused <= 4, "one connection for all requests of a thread, with the scripted engine's end"
    for _ in range(20):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    # The scripted engine's own ends are in this process, too, until it notices.
    deadline = time.monotonic() + 60
    while count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert count() <= before
