"""An engine that answers byte for byte what a test says: the faults that no real one produces on demand."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TLS = Path(__file__).parent / "tls"
VERSION = {"Version": "28.2", "ApiVersion": "1.50", "MinAPIVersion": "1.24", "Os": "linux", "Components": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str  # without the query
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


Handler = Callable[[Request, socket.socket], None]


def answer(status: int, body: object, kind: str = "application/json") -> bytes:
    """Return a whole HTTP answer; anything but bytes goes out as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + data


def chunked(*records: object, end: bool = True) -> bytes:
    """Return an answer of several records in chunks, as a pull gives it; without its end it is cut."""
    data = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    for record in records:
        line = (record if isinstance(record, bytes) else json.dumps(record).encode()) + b"\r\n"
        data += b"%x\r\n%s\r\n" % (len(line), line)
    return data + (b"0\r\n\r\n" if end else b"")


def frame(channel: int, payload: bytes) -> bytes:
    return bytes([channel, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


@dataclass
class ScriptedEngine:
    """What it is to answer, by "METHOD /path" without the version; and what it was asked."""

    url: str
    answers: dict[str, bytes | list[bytes] | Handler] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def asked(self, what: str) -> list[Request]:
        return [request for request in self.requests if key(request) == what]

    def handle(self, peer: socket.socket) -> None:
        request = read_request(peer)
        if request is None:
            return
        self.requests.append(request)
        said = self.answers.get(key(request), answer(404, {"message": f"nothing is scripted for {key(request)}"}))
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(said, bytes):
            peer.sendall(said)
        else:
            said(request, peer)


def key(request: Request) -> str:
    parts = request.path.split("/")
    versioned = len(parts) > 1 and parts[1].startswith("v1.")
    return f"{request.method} /{'/'.join(parts[2 if versioned else 1 :])}"


def read_request(peer: socket.socket) -> Request | None:
    """Return what the client asks; None if it goes before it has said all."""
    data = b""
    while not _complete(data):
        piece = peer.recv(65536)
        if not piece:
            return None
        data += piece
    first, headers, body = _split(data)
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    return Request(method=method, path=path, query=query, headers=headers, body=body)


def _split(data: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return first, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}, body


def _complete(data: bytes) -> bool:
    if b"\r\n\r\n" not in data:
        return False
    _, headers, body = _split(data)
    if headers.get("transfer-encoding") == "chunked":
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(headers.get("content-length", 0))


@contextlib.contextmanager
def scripted_engine(where: Path | None = None, *, tls: bool = False) -> Iterator[ScriptedEngine]:
    """Run one on a unix socket in this folder, or else on a port of 127.0.0.1; at the end all it started is over."""
    if where is None:
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    else:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(where / "engine.sock"))
        listener.listen(64)
        url = f"unix://{where}/engine.sock"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if tls:
        context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    engine = ScriptedEngine(url=url, answers={"GET /version": answer(200, VERSION)})
    peers: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(peer: socket.socket) -> None:
        # The client may go at any time, and a failed handshake is its affair.
        with contextlib.suppress(OSError), peer:
            if tls:
                with context.wrap_socket(peer, server_side=True) as secured:
                    peers.append(secured)
                    engine.handle(secured)
            else:
                engine.handle(peer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peers.append(peer)
                threads.append(threading.Thread(target=serve, args=(peer,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield engine
    finally:
        for open_socket in (listener, *peers):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(60)
            assert not thread.is_alive()
