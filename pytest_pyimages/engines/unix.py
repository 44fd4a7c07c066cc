"""HTTP on a unix socket, with the standard library."""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any

from pytest_pyimages.engines.faults import ResponseError
from pytest_pyimages.errors import EngineError
from pytest_pyimages.text import flatten

_CHUNK = 1 << 16
_IDEMPOTENT = ("GET", "DELETE")  # RFC 9110, 9.2.2: may be sent again
_REDIRECTS = (301, 302, 303, 307, 308)
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def wait_for(connection: socket.socket, event: int, seconds: float | None = None) -> bool:
    """Wait until a socket can be read or written; return whether that took no longer than so many seconds.

    :param event: ``selectors.EVENT_READ`` or ``EVENT_WRITE``.
    """
    with _Selector() as selector:
        selector.register(connection, event)
        return bool(selector.select(seconds))


class UnixConnection(HTTPConnection):
    """A connection that is opened by the first request, and again after a failure."""

    def __init__(self, path: str, limit: int) -> None:
        """Create a connection without connecting.

        :param limit: of the size of a response, in bytes.
        """
        super().__init__("localhost")
        self._path = path
        self._limit = limit

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def ask(  # noqa: PLR0913 - what a request consists of
        self,
        method: str,
        target: str,
        body: object,
        headers: Mapping[str, str],
        timeout: float,
        *,
        sent: Callable[[], object] = lambda: None,
    ) -> HTTPResponse:
        """Send a request; return the response, whose body is not read yet.

        :param body: is sent as JSON, unless it is None, or an iterator of bytes, which are sent as they are.
        :param sent: called before the wait for the response.
        :raises ResponseError: for an error response.
        """
        self.timeout = timeout
        if self.sock is not None and wait_for(self.sock, selectors.EVENT_READ, 0):  # the engine has closed it
            self.close()
        is_reused = self.sock is not None
        if self.sock is not None:
            self.sock.settimeout(timeout)
        is_json = body is not None and not isinstance(body, Iterator)
        kind = {"Content-Type": "application/json"} if is_json else {}
        try:
            self._send(method, target, json.dumps(body).encode() if is_json else body, {**headers, **kind})
            sent()
            response = self.getresponse()
            if response.status in _REDIRECTS:  # engines send none; headers of docker's configuration must not go there
                response.close()
                address = flatten(response.headers.get("location", ""))
                raise EngineError(f"the engine redirects to another address: {address}")
            if response.status >= 400:
                raise ResponseError(response.status, _find_message(self.read(response)))
        except BaseException as error:
            self.close()
            if is_reused and isinstance(error, ConnectionError) and method in _IDEMPOTENT:  # it was closed meanwhile
                return self.ask(method, target, body, headers, timeout, sent=sent)
            raise
        return response

    def _send(self, method: str, target: str, content: Any, headers: Mapping[str, str]) -> None:
        try:
            self.request(method, target, content, headers)
        except (BrokenPipeError, ConnectionResetError):
            if not isinstance(content, Iterator):
                raise
            # The engine has refused the request before it had read all of the body: its response has the reason.

    def read(self, response: HTTPResponse) -> bytes:
        """Read the body of a response, and close it."""
        content = bytearray()
        try:
            while data := response.read(_CHUNK):
                content += data
                if len(content) > self._limit:
                    raise EngineError(f"the engine's response has more than {self._limit >> 20} MiB")
            if response.length:
                raise IncompleteRead(bytes(content), response.length)
        except BaseException:
            self.close()
            raise
        finally:
            response.close()
        return bytes(content)


def _find_message(content: bytes) -> str:
    """Return the message of an error response (Engine API, "Errors"), or the whole text if it is not JSON."""
    try:
        return str(json.loads(content)["message"] or "")
    except ValueError:
        return content.decode("utf-8", "replace").strip()
    except (LookupError, TypeError):
        return ""
