"""Clients in a container reach servers of the host over the standard streams of the installer."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_pyimages.errors import EngineError
from pytest_pyimages.indexes.servers import Forward
from pytest_pyimages.indexes.tunnel import WINDOW, Connection, Server, Tunnel

BIG = bytes(range(256)) * (3 * WINDOW // 256)
INSTALLER = """
import json, sys
from pytest_pyimages.inside.installer.commands import end_with_host, say, write_line
from pytest_pyimages.inside.installer.tunnel import Tunnel
tunnel = Tunnel(write_line, say)
end_with_host("/nowhere", tunnel.feed)
tunnel.listen(json.loads(sys.argv[1]), {"packages": "127.1.2.3"}, sys.argv[2])
print("listening")
sys.stdout.flush()
import time
time.sleep(60)
"""


@dataclass
class At:
    """A server at an address of its own, as if the container had another loopback."""

    server: Server
    address: tuple[str, int]

    def serve(self, connection: Connection) -> None:
        self.server.serve(connection)


@contextlib.contextmanager
def tunnelled(tmp_path: Path, *servers: Server) -> Iterator[list[bytes]]:
    """Run the container's part with servers of the host; yield what else it prints."""
    addresses = str([list(server.address) for server in servers]).replace("'", '"')
    (tmp_path / "hosts").write_text("127.0.0.1\tlocalhost\n")
    command = [sys.executable, "-c", INSTALLER, addresses, str(tmp_path / "hosts")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def send(data: bytes) -> None:
            try:
                stdin.write(data)  # not buffered, and all of it: a pipe blocks
            except (OSError, ValueError) as error:
                raise EngineError("gone") from error

        tunnel = Tunnel(servers, send)
        others: list[bytes] = []

        def read() -> None:
            while data := os.read(stdout.fileno(), 1 << 16):
                if other := tunnel.split(data):
                    others.append(other)

        reader = threading.Thread(target=read)
        reader.start()
        while not others:
            time.sleep(0.01)
        try:
            yield others
        finally:
            tunnel.close()
            stdin.close()  # as if the host were gone
            assert process.wait(60) == 1
            reader.join(60)


def free_address() -> tuple[str, int]:
    with socket.socket() as free:
        free.bind(("127.9.8.7", 0))
        return "127.9.8.7", free.getsockname()[1]


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = BIG if self.path == "/big" else self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def get(address: tuple[str, int], path: str) -> bytes:
    with urllib.request.urlopen(f"http://{address[0]}:{address[1]}{path}", timeout=60) as answer:
        data: bytes = answer.read()
    return data


def test_many_clients_at_once(tmp_path: Path, port: int) -> None:
    server = At(Forward(host="localhost", port=port), free_address())
    paths = ["/big", *(f"/{number}" for number in range(40)), "/big"]
    with tunnelled(tmp_path, server) as others, ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda path: hashlib.sha256(get(server.address, path)).digest(), paths))
        assert b"".join(others) == b"listening\n"
    expected = [BIG if path == "/big" else path.encode() for path in paths]
    assert found == [hashlib.sha256(data).digest() for data in expected]
    assert (tmp_path / "hosts").read_text() == "127.0.0.1\tlocalhost\n127.1.2.3\tpackages\n"


def test_client_that_does_not_read_delays_no_other(tmp_path: Path, port: int) -> None:
    server = At(Forward(host="localhost", port=port), free_address())
    with tunnelled(tmp_path, server):
        with socket.create_connection(server.address) as idle:
            idle.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(1)
            assert get(server.address, "/a") == b"/a"
        assert get(server.address, "/b") == b"/b"  # nor does one that is gone


def test_an_address_in_use_is_reported_and_the_others_serve(
    tmp_path: Path, port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        addresses = (taken.getsockname(), free_address())
        servers = [At(Forward(host="localhost", port=port), address) for address in addresses]
        with tunnelled(tmp_path, *servers):
            assert get(servers[1].address, "/a") == b"/a"
    assert f"cannot listen on 127.0.0.1, port {addresses[0][1]}: " in capfd.readouterr().err


def test_server_that_is_not_there_ends_the_connection(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = At(Forward(host="localhost", port=unused.getsockname()[1]), free_address())
        with tunnelled(tmp_path, server), pytest.raises(OSError, match=r"closed|reset"):
            get(server.address, "/a")


@pytest.mark.parametrize(
    "lines",
    [
        [b"[", b"[]", b"[1]", b'["1", "open", 0]', b'[[1], "open", 0]', b"[" * 100_000],
        [b'[1, "open", 1]', b'[1, "open", -1]', b'[1, "open", "0"]', b'[1, "open", null]', b'[1, ["open"], 0]'],
        [b'[1, "data", "AAAA"]', b'[1, "read", 5]', b'[1, "end", 0]', b'[1, "close", 0]', b'[1, "data", 7]'],
        [b'[1, "open", 0]', b'[1, "open", 0]', b'[1, "data", "?"]', b'[1, "read", -9]', b'[1, "read", "9"]'],
        [b'[1, "open", 0]', *([b'[1, "data", "AAAA"]'] * 10_000), b'[1, "data", ""]'],
        [b'[%d, "open", 0]' % number for number in range(1000)],
    ],
    ids=["no records", "no server", "no connection", "odd values", "flood", "many connections"],
)
def test_hostile_output(lines: Sequence[bytes]) -> None:
    """The container can open connections to its servers; nothing else, and not without limits."""
    most = threading.active_count()
    sent: list[bytes] = []

    class Reader:
        address = ("127.0.0.1", 1)

        def serve(self, connection: Connection) -> None:
            connection.readall() if len(lines) < 10_000 else time.sleep(0.2)

    tunnel = Tunnel([Reader()], sent.append)
    others = b"".join(tunnel.split(line + b"\n") for line in lines)
    assert threading.active_count() <= most + 128
    tunnel.close()
    deadline = time.monotonic() + 60
    while threading.active_count() > most and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == most
    assert others in (b"", lines[-1] + b"\n")
    assert all(data.endswith(b" 0\n") for data in sent)
