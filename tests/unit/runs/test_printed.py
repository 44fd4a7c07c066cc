"""What a suite prints: the mark of the worker is found and never shown, however the stream is divided."""

from __future__ import annotations

import pytest

from pytest_pyimages.runs.printed import KEPT, PrintedOutput
from pytest_pyimages.text import clean

TOKEN = "0f" * 16
MARK = b"\0%s\1" % TOKEN.encode()


class Shown:
    """The output of a run, and what was shown of it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.output = PrintedOutput(TOKEN, self.pieces.append)

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.output.feed(piece)

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)


@pytest.mark.parametrize("size", range(1, len(MARK) + 8))
@pytest.mark.parametrize("before", [b"", b"text\n", b"\0", b"a\0b\0", MARK[:-1], MARK[:5]], ids=repr)
def test_the_mark_is_found_and_not_shown(before: bytes, size: int) -> None:
    shown, stream = Shown(), before + MARK + b"late\n"
    for start in range(0, len(stream), size):
        assert not shown.output.has_ended or start > len(before)
        shown.feed(stream[start : start + size])
    assert shown.output.has_ended
    assert shown.data == before + b"late\n"
    assert shown.output.text == clean(shown.data.decode())


def test_what_may_be_the_mark_is_shown_at_the_end() -> None:
    shown = Shown()
    shown.feed(b"text", MARK[:9])
    assert (shown.data, shown.output.has_ended) == (b"text", False)
    shown.output.close()
    shown.output.close()
    assert (shown.data, shown.output.has_ended) == (b"text" + MARK[:9], False)


@pytest.mark.parametrize("piece", [b"\0", b"x\0", MARK[:-1] + b"x", MARK.swapcase(), MARK[1:]], ids=repr)
def test_other_text_is_shown_at_once_unless_it_may_be_the_mark(piece: bytes) -> None:
    shown = Shown()
    shown.feed(piece, b"y")
    assert (shown.data, shown.output.has_ended) == (piece + b"y", False)


def test_the_end_of_much_output_is_kept() -> None:
    shown = Shown()
    shown.feed("ä".encode() * KEPT, b"end", MARK)
    assert len(shown.data) == 2 * KEPT + 3
    assert shown.output.text.encode() == shown.data[-KEPT + 1 :], "from a whole character on"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"\x1b]0;title\x07", "\ufffd]0;title\ufffd"),
        (b"a\0b\r\n", "a\ufffdb\n"),
        (b"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    ],
    ids=["title", "control", "colours"],
)
def test_what_is_kept_is_safe_to_print(output: bytes, text: str) -> None:
    """It is shown with the test that has ended the worker."""
    shown = Shown()
    shown.feed(output)
    assert shown.output.text == text
