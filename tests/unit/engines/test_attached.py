"""The attached connection byte by byte: no data is lost and no thread blocks forever."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import STDERR, STDOUT
from pytest_pyimages.engines.docker import DockerEngine, connect
from pytest_pyimages.errors import EngineError
from tests.support.scripted_engine import TLS, Request, ScriptedEngine, answer, frame, scripted_engine

ATTACH = "POST /containers/abc/attach"
TYPE = b"Content-Type: application/vnd.docker.raw-stream\r\n"
UPGRADED = b"HTTP/1.1 101 UPGRADED\r\n" + TYPE + b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
NOT_UPGRADED = b"HTTP/1.1 200 OK\r\n" + TYPE + b"\r\n"


@pytest.fixture(params=["unix", "tcp", "tls"])
def scripted(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ScriptedEngine]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    if request.param == "tls":
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(TLS))
    with scripted_engine(tmp_path if request.param == "unix" else None, tls=request.param == "tls") as engine:
        yield engine


def sending(*pieces: bytes, pause: float = 0.0) -> Callable[[Request, socket.socket], None]:
    def handler(_: Request, peer: socket.socket) -> None:
        for piece in pieces:
            peer.sendall(piece)
            time.sleep(pause)

    return handler


def received(engine: DockerEngine) -> list[tuple[int, bytes]]:
    with contextlib.closing(engine.attach("abc")) as stream:
        return list(stream.frames())


@pytest.mark.parametrize("headers", [UPGRADED, NOT_UPGRADED], ids=["101", "200"])
def test_the_first_frame_may_come_with_the_headers(
    scripted: ScriptedEngine, engine: DockerEngine, headers: bytes
) -> None:
    scripted.answers[ATTACH] = headers + frame(1, b"early") + frame(2, b"too") + frame(1, b"l" * 100_000)
    found = received(engine)
    assert found[:2] == [(STDOUT, b"early"), (STDERR, b"too")]
    assert b"".join(payload for _, payload in found[2:]) == b"l" * 100_000


def test_half_a_frame_may_come_with_the_headers(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    data = frame(1, b"hello")
    scripted.answers[ATTACH] = sending(UPGRADED + data[:5], data[5:], pause=0.05)
    assert b"".join(payload for _, payload in received(engine)) == b"hello"


def test_byte_by_byte(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    data = frame(1, b"hello") + frame(2, b"")
    scripted.answers[ATTACH] = sending(UPGRADED, *(bytes([byte]) for byte in data), pause=0.002)
    assert b"".join(payload for _, payload in received(engine)) == b"hello"


def test_two_frames_in_one_tls_record(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    """The second waits in TLS's own buffer, of which the kernel knows nothing."""
    released = threading.Event()

    def handler(_: Request, peer: socket.socket) -> None:
        peer.sendall(UPGRADED)
        peer.sendall(frame(1, b"one") + frame(1, b"two"))
        released.wait(60)

    scripted.answers[ATTACH] = handler
    with contextlib.closing(engine.attach("abc")) as stream:
        frames = stream.frames()
        began = time.monotonic()
        assert [next(frames), next(frames)] == [(STDOUT, b"one"), (STDOUT, b"two")]
        assert time.monotonic() - began < 30
        released.set()


@pytest.mark.parametrize("keep", [1, 7, 8, 10], ids=["a byte", "a header less one", "a header", "some payload"])
def test_cut_stream_is_an_error(scripted: ScriptedEngine, engine: DockerEngine, keep: int) -> None:
    scripted.answers[ATTACH] = UPGRADED + frame(1, b"whole") + frame(1, b"hello")[:keep]
    with contextlib.closing(engine.attach("abc")) as stream:
        frames = stream.frames()
        assert next(frames) == (STDOUT, b"whole")
        with pytest.raises(EngineError, match="the connection to the container was cut"):
            list(frames)


def test_engine_error_ends_the_frames(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers[ATTACH] = UPGRADED + frame(3, b"log driver failed")
    with pytest.raises(EngineError, match="the engine reports: log driver failed"):
        received(engine)


@pytest.mark.parametrize("status", [404, 409, 500])
def test_refused_attach(scripted: ScriptedEngine, engine: DockerEngine, status: int) -> None:
    scripted.answers[ATTACH] = answer(status, {"message": "No such container: abc"})
    with pytest.raises(EngineError, match="No such container: abc"):
        engine.attach("abc")


def test_attach_requests_both_directions(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers[ATTACH] = UPGRADED
    assert received(engine) == []
    request = scripted.asked(ATTACH)[0]
    assert sorted(request.query.split("&")) == ["stderr=1", "stdin=1", "stdout=1", "stream=1"]
    assert (request.headers["connection"], request.headers["upgrade"]) == ("Upgrade", "tcp")


def test_one_thread_sends_much_while_another_reads_much(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    payload = bytes(range(256)) * 4096 * 4  # 4 MiB, more than all buffers between

    def echo(_: Request, peer: socket.socket) -> None:
        peer.sendall(UPGRADED)
        left = len(payload)
        while left:
            data = peer.recv(30_000)
            left -= len(data)
            peer.sendall(frame(1, data))

    scripted.answers[ATTACH] = echo
    with contextlib.closing(engine.attach("abc")) as stream:
        sender = threading.Thread(target=stream.send, args=(payload,))
        sender.start()
        back = b"".join(data for _, data in stream.frames())
        sender.join(60)
    assert back == payload


def test_input_arrives_while_the_reader_waits(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    def greet(_: Request, peer: socket.socket) -> None:
        peer.sendall(UPGRADED)
        peer.sendall(frame(1, b"got " + peer.recv(100)))

    scripted.answers[ATTACH] = greet
    with contextlib.closing(engine.attach("abc")) as stream:
        timer = threading.Timer(0.2, stream.send, args=(b"this",))
        timer.start()
        assert list(stream.frames()) == [(STDOUT, b"got this")]
        timer.join()


def silent(_: Request, peer: socket.socket) -> None:
    peer.sendall(UPGRADED + frame(1, b"x")[:-1])
    with contextlib.suppress(OSError):
        peer.recv(1)


def test_close_wakes_the_reader(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers[ATTACH] = silent
    stream = engine.attach("abc")
    found: list[tuple[int, bytes]] = []
    reader = threading.Thread(target=lambda: found.extend(stream.frames()))
    reader.start()
    time.sleep(0.1)
    stream.close()
    stream.close()
    reader.join(60)
    assert not reader.is_alive()
    assert found == []


def test_close_wakes_the_sender(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    released = threading.Event()

    def deaf(_: Request, peer: socket.socket) -> None:
        peer.sendall(UPGRADED)
        released.wait(60)

    scripted.answers[ATTACH] = deaf
    stream = engine.attach("abc")
    errors: list[EngineError] = []

    def send() -> None:
        try:
            stream.send(b"x" * 64 * 1024**2)
        except EngineError as error:
            errors.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(0.1)
    stream.close()
    sender.join(60)
    released.set()
    assert not sender.is_alive()
    assert "the container no longer reads its input" in errors[0].message


@pytest.mark.skipif(not hasattr(select, "POLLRDHUP"), reason="only Linux tells that the other side has ended")
def test_unread_input_does_not_block(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    """So does an engine whose container ended before it had read all."""
    released = threading.Event()

    def ended(_: Request, peer: socket.socket) -> None:
        peer.sendall(UPGRADED)
        peer.sendall(frame(2, b"no Python found"))
        peer.shutdown(socket.SHUT_WR)
        released.wait(60)

    scripted.answers[ATTACH] = ended
    with contextlib.closing(engine.attach("abc")) as stream:
        with pytest.raises(EngineError, match="the container no longer reads its input"):
            stream.send(b"x" * 64 * 1024**2)
        assert list(stream.frames()) == [(STDERR, b"no Python found")]
        released.set()


def test_nothing_can_be_sent_after_close(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers[ATTACH] = UPGRADED
    stream = engine.attach("abc")
    stream.close()
    with pytest.raises(EngineError, match="closed"):
        stream.send(b"x")
    assert list(stream.frames()) == []


def test_send_after_the_peer_has_closed(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers[ATTACH] = UPGRADED
    with contextlib.closing(engine.attach("abc")) as stream:
        assert list(stream.frames()) == []
        with pytest.raises(EngineError, match="the container no longer reads its input"):
            stream.send(b"x" * 10_000_000)


def test_tcp_connections_are_kept_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with scripted_engine() as scripted:
        scripted.answers[ATTACH] = silent
        engine = connect(scripted.url)
        with contextlib.closing(engine.attach("abc")) as stream:
            connection = stream._connection._socket  # only there it can be seen
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_KEEPIDLE"):
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        engine.close()


def test_many_connections_at_once(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers[ATTACH] = UPGRADED + frame(1, b"hello")
    found: list[list[tuple[int, bytes]]] = []
    threads = [threading.Thread(target=lambda: found.append(received(engine))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [[(STDOUT, b"hello")]] * 12
