"""The frames of an attached container's stream: an eight-byte header, then the payload (Engine API, "Attach")."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from pytest_pyimages.errors import EngineError

_HEADER = struct.Struct(">BxxxL")
_STDIN, _STDOUT, _STDERR, _SYSTEM = range(4)
PIECE = 1 << 16  # bytes; a larger frame is delivered in several pieces


def frames(read: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (1 for stdout or 2 for stderr, payload) until the stream ends between two frames.

    :param read: returns at least one and at most so many bytes; none at the end.
    :raises EngineError: where a header or payload is cut short, or the engine reports an error of its own.
    """
    while True:
        header = _exactly(read, _HEADER.size)
        if not header:
            return
        if len(header) < _HEADER.size:
            raise EngineError("the connection to the container was cut")
        channel, size = _HEADER.unpack(header)
        if channel == _SYSTEM:
            text = _exactly(read, min(size, 4096)).decode("utf-8", "replace").strip()
            raise EngineError(f"the engine reports: {text}")
        if channel not in (_STDIN, _STDOUT, _STDERR):
            raise EngineError("the connection to the container carries something that is not its output")
        while size:
            piece = read(min(size, PIECE))
            if not piece:
                raise EngineError("the connection to the container was cut")
            size -= len(piece)
            yield channel, piece


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = read(size - len(data))
        if not piece:
            break
        data += piece
    return data
