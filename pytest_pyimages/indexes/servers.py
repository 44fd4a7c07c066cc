"""Servers that only this host reaches, and the addresses at which the container of a build finds them."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes.locations import read_host, read_port
from pytest_pyimages.indexes.tunnel import PIECE, Connection

CONNECT_SECONDS = 30.0


class Forward(Immutable):
    """A port of this host, or of one that it alone can name: data is passed on as it is."""

    host: str
    port: int

    @property
    def address(self) -> tuple[str, int]:
        if self.host == "localhost":
            return "127.0.0.1", self.port
        try:
            return str(ipaddress.ip_address(self.host)), self.port
        except ValueError:
            return choose_loopback(self.host), self.port

    def serve(self, connection: Connection) -> None:
        with socket.create_connection((self.host, self.port), timeout=CONNECT_SECONDS) as server:
            server.settimeout(None)

            def send() -> None:
                _copy(connection.recv, server.sendall)
                with contextlib.suppress(OSError):  # the server has closed it
                    server.shutdown(socket.SHUT_RDWR if connection.is_gone else socket.SHUT_WR)

            sender = threading.Thread(target=send, name=f"pyimages-to-{self.host}-{self.port}", daemon=True)
            sender.start()
            try:
                _copy(server.recv, connection.sendall)
            finally:
                connection.end()
                connection.put(b"")
                sender.join()


def find_forwards(urls: Iterable[str]) -> tuple[Forward, ...]:
    """Return what leads to the servers of some URLs; those whose port is unknown are left out."""
    found = (Forward(host=read_host(url), port=port) for url in urls if (port := read_port(url)))
    return tuple(dict.fromkeys(found))


def choose_loopback(text: str) -> str:
    """Return an address in 127.0.0.0/8 (RFC 6890) for a text: the same in each build, so that caches know it again."""
    first, second, third = hashlib.sha256(text.encode()).digest()[:3]
    return f"127.{first % 254 + 1}.{second}.{third % 254 + 1}"


def _copy(receive: Callable[[int], bytes], send: Callable[[bytes], None]) -> None:
    """Send all that is received; stop if either side is gone."""
    with contextlib.suppress(OSError):
        while data := receive(PIECE):
            send(data)
