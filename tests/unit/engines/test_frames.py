"""Frames of an attached container, cut and joined in every possible way."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

from pytest_pyimages.engines.base import STDERR, STDOUT
from pytest_pyimages.engines.frames import PIECE, read_frames
from pytest_pyimages.errors import EngineError
from tests.support.scripted_engine import frame

TWO = frame(1, b"hello") + frame(2, b"world!")


def reading(*pieces: bytes) -> Callable[[int], bytes]:
    """Return a read function that gives at most one of the pieces at a time, then the end."""
    left = [piece for piece in pieces if piece]

    def read(size: int) -> bytes:
        assert size > 0
        if not left:
            return b""
        piece = left[0][:size]
        left[0] = left[0][size:]
        if not left[0]:
            left.pop(0)
        return piece

    return read


def joined(stream: Iterator[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the payloads with neighbours of the same channel put together."""
    found: list[tuple[int, bytes]] = []
    for channel, payload in stream:
        if found and found[-1][0] == channel:
            found[-1] = channel, found[-1][1] + payload
        else:
            found.append((channel, payload))
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 13, 14, 1000])
def test_pieces_of_any_size_give_the_same_frames(size: int) -> None:
    pieces = [TWO[at : at + size] for at in range(0, len(TWO), size)]
    assert joined(read_frames(reading(*pieces))) == [(STDOUT, b"hello"), (STDERR, b"world!")]


def test_empty_stream() -> None:
    assert list(read_frames(reading())) == []


def test_empty_frame() -> None:
    assert list(read_frames(reading(frame(1, b"") + frame(2, b"x") + frame(2, b"")))) == [(STDERR, b"x")]


@pytest.mark.parametrize("end", range(1, len(TWO)))
def test_cut_frame_is_an_error(end: int) -> None:
    stream = read_frames(reading(TWO[:end]))
    if end == len(frame(1, b"hello")):
        assert list(stream) == [(STDOUT, b"hello")]
        return
    received: list[tuple[int, bytes]] = []
    with pytest.raises(EngineError, match="cut"):
        received.extend(stream)
    # What came before the cut was delivered.
    assert b"".join(payload for _, payload in received) == TWO[8:13][: max(0, end - 8)] + TWO[21:end]


def test_a_large_frame_comes_in_pieces() -> None:
    payload = bytes(range(256)) * 4096 * 3
    received = list(read_frames(io.BytesIO(frame(1, payload)).read))
    assert max(len(piece) for _, piece in received) <= PIECE
    assert b"".join(piece for _, piece in received) == payload


def test_engine_error_is_one_clean_line() -> None:
    stream = read_frames(reading(frame(1, b"x") + frame(3, b"disk\x1b[31m\nfull\x00 ")))
    assert next(stream) == (STDOUT, b"x")
    with pytest.raises(EngineError) as caught:
        next(stream)
    assert caught.value.message == "the engine reports: disk [31m full"


def test_engine_error_is_limited() -> None:
    with pytest.raises(EngineError) as caught:
        list(read_frames(reading(b"\x03\x00\x00\x00\xff\xff\xff\xff" + b"y" * 100_000)))
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize("channel", [0, 4, ord("H")])
def test_invalid_frame(channel: int) -> None:
    with pytest.raises(EngineError, match="is not framed"):
        list(read_frames(reading(frame(channel, b"TTP/1.1"))))
