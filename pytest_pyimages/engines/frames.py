"""Decode the frames of an attached container: an eight-byte header, then the payload (Engine API, "Attach")."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

from pytest_pyimages.engines.base import STDERR, STDOUT
from pytest_pyimages.errors import EngineError
from pytest_pyimages.text import flatten

PIECE = 1 << 16  # bytes; a larger frame is delivered in several pieces
_HEADER = struct.Struct(">BxxxL")
_SYSTEM: Final = 3
_SYSTEM_BYTES = 4096
_CUT = "the connection to the container was cut"


def read_frames(read: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (STDOUT or STDERR, payload) until the stream ends between two frames.

    :param read: returns at least one and at most the given number of bytes; none at the end.
    :raises EngineError: if a frame is cut, or the engine reports an error.
    """
    while True:
        header = _read_exactly(read, _HEADER.size)
        if not header:
            return
        if len(header) < _HEADER.size:
            raise EngineError(_CUT)
        channel, size = _HEADER.unpack(header)
        if channel == _SYSTEM:
            text = _read_exactly(read, min(size, _SYSTEM_BYTES)).decode("utf-8", "replace")
            raise EngineError(f"the engine reports: {flatten(text)}")
        if channel not in (STDOUT, STDERR):
            raise EngineError("the stream of the container is not framed")
        while size:
            piece = read(min(size, PIECE))
            if not piece:
                raise EngineError(_CUT)
            size -= len(piece)
            yield channel, piece


def _read_exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """Read ``size`` bytes, fewer only at the end of the stream."""
    data = b""
    while len(data) < size:
        piece = read(size - len(data))
        if not piece:
            break
        data += piece
    return data
