"""Limit what an engine's response may be: its size, its depth, and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pytest_pyimages.errors import EngineError
from pytest_pyimages.text import flatten

if TYPE_CHECKING:
    import requests

MAX_VERSION = 1 << 20  # bytes of the response to /version
MAX_BODY = 1 << 24  # bytes of any other response; that on disk usage lists all images
MAX_RECORD = 1 << 20  # bytes of a record of a stream
_CHUNK = 1 << 16

Hook = Callable[..., None]


def make_response_hook(limit: int) -> Hook:
    """Return the hook that reads responses for requests, up to so many bytes.

    It refuses redirects: engines send none, and requests would send the headers of docker's configuration to the new
    address.

    :raises EngineError: from the request.
    """

    def check(response: requests.Response, *, stream: bool = False, **_: Any) -> None:
        if response.is_redirect:
            response.close()
            raise EngineError(f"the engine redirects to another address: {flatten(response.headers['location'])}")
        if stream and response.ok:  # its reader has limits of its own
            return
        content = bytearray()
        for data in response.iter_content(_CHUNK):
            content += data
            if len(content) > limit:
                response.close()
                raise EngineError(f"the engine's response has more than {limit >> 20} MiB")
        response._content = bytes(content)  # noqa: SLF001 - as requests itself does when it reads a response

    return check


def iter_records(response: requests.Response) -> Iterator[object]:
    """Yield the values of a stream of JSON lines.

    :raises ValueError: for a record that is not JSON, too deep or too long.
    """
    pending = b""
    for data in response.iter_content(512):
        pending += data
        if b"\n" in data:
            *lines, pending = pending.split(b"\n")
            yield from map(_parse, filter(bytes.strip, lines))
        if len(pending) > MAX_RECORD:
            raise ValueError(f"a record has more than {MAX_RECORD >> 20} MiB")
    if pending.strip():
        yield _parse(pending)


def _parse(line: bytes) -> object:
    try:
        return json.loads(line)
    except RecursionError as error:
        raise ValueError("a record is nested too deeply") from error
