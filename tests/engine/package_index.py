"""A small package index (PEP 503) on loopback that asks for a name and a password; it is a plain proxy, too."""

from __future__ import annotations

import base64
import contextlib
import http.server
import io
import ssl
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: what for, and with which credentials, "name:password" or empty."""

    host: str
    path: str
    credentials: str


@dataclass
class PackageIndex:
    """What it has and what it was asked. Whoever knows no credentials gets 401.

    :param credentials: "name:password"; empty for an index that is open to everybody.
    """

    port: int
    scheme: str
    credentials: str
    files: Mapping[str, Mapping[str, bytes]]  # by project name, by file name
    asked: list[Asked] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}/simple/"

    def url_with(self, credentials: str) -> str:
        """Return the address with these credentials, percent-encoded as they have to be."""
        name, _, password = credentials.partition(":")
        return f"{self.scheme}://{quote(name, safe='')}:{quote(password, safe='')}@{self.host}/simple/"

    def page(self, path: str) -> bytes | None:
        """Return what stands under a path; None for what it has not."""
        kind, _, rest = path.strip("/").partition("/")
        if kind == "simple" and not rest:
            return _links({name: f"/simple/{name}/" for name in self.files})
        if kind == "simple" and rest in self.files:
            return _links({name: f"/files/{rest}/{name}" for name in self.files[rest]})
        project, _, name = rest.partition("/")
        return self.files.get(project, {}).get(name) if kind == "files" else None


def wheel(
    name: str, version: str, source: str, requires_python: str = ">=2.7", requires: str = ""
) -> tuple[str, bytes]:
    """Return file name and content of a wheel with one module.

    :param requires: a distribution that it depends on.
    """
    folder = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {requires_python}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    members = {
        f"{name}.py": source,
        f"{folder}/METADATA": metadata,
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py2.py3-none-any\n",
    }
    record = f"{folder}/RECORD"
    members[record] = "".join(f"{member},,\n" for member in (*members, record))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return f"{name}-{version}-py2.py3-none-any.whl", data.getvalue()


class _Server(http.server.ThreadingHTTPServer):
    index: PackageIndex

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that does not trust the certificate goes in the middle."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        index = self.server.index
        target = urlsplit(self.path)  # a whole URL where this is used as a proxy
        _, _, encoded = (self.headers.get("Authorization") or "").partition(" ")
        given = _decoded(base64.b64decode(encoded))
        index.asked.append(Asked(host=target.netloc, path=target.path, credentials=given))
        if index.credentials and given != index.credentials:
            self._answer(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="packages"'})
            return
        body = index.page(target.path)
        if body is None:
            self._answer(404, b"not here", {})
        else:
            kind = "text/html" if target.path.startswith("/simple") else "application/octet-stream"
            self._answer(200, body, {"Content-Type": kind, "Cache-Control": "max-age=3600"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing: what was asked is remembered."""


def _decoded(sent: bytes) -> str:
    try:
        return sent.decode()
    except UnicodeDecodeError:
        return sent.decode("latin-1")  # as old versions of requests send it (RFC 7617 leaves it open)


@contextlib.contextmanager
def package_index(
    files: Mapping[str, Mapping[str, bytes]], *, credentials: str = "", certificate: Path | None = None
) -> Iterator[PackageIndex]:
    """Run an index on a port of 127.0.0.1, with TLS if there is a file with its certificate and key.

    :param files: content by file name, by normalised project name.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "http" if certificate is None else "https"
    server.index = PackageIndex(port=server.server_address[1], scheme=scheme, credentials=credentials, files=files)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield server.index
    finally:
        server.shutdown()
        server.server_close()
        serving.join(60)
        assert not serving.is_alive()


def certificates(folder: Path) -> tuple[Path, Path]:
    """Return a new authority's certificate, and a file with certificate and key that it signed for localhost."""
    authority, key = folder / "authority.pem", folder / "authority.key"
    mine, request, both = folder / "server.key", folder / "server.csr", folder / "server.pem"
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    new = ("openssl", "req", "-newkey", "rsa:2048", "-nodes")
    steps = (
        (*new, "-x509", "-days", "2", "-subj", "/CN=An authority of the tests", "-keyout", key, "-out", authority),
        (*new, "-subj", "/CN=localhost", "-keyout", mine, "-out", request),
        (
            *("openssl", "x509", "-req", "-days", "2", "-in", request, "-CA", authority, "-CAkey", key),
            *("-CAcreateserial", "-extfile", names, "-out", both),
        ),
    )
    for step in steps:
        subprocess.run(step, check=True, capture_output=True, timeout=60)
    both.write_text(both.read_text() + mine.read_text())
    return authority, both


def _links(targets: Mapping[str, str]) -> bytes:
    lines = "".join(f'<a href="{target}">{name}</a><br>' for name, target in targets.items())
    return f"<!DOCTYPE html><html><body>{lines}</body></html>".encode()
