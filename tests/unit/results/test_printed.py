"""What suites print outside of pytest's capture, in pieces."""

from __future__ import annotations

import random
import time

import pytest

from pytest_pyimages.results.replay.printed import LONGEST_LINE, PrintedText
from pytest_pyimages.text import clean

TEXT = "é\r\n\x1b[31mred\x1b[0m\x1b]0;title\x07 \N{SNAKE}\n\x1b[1;32mlast \u2028 line"


@pytest.mark.parametrize("seed", range(20))
def test_pieces_make_the_same_text(seed: int) -> None:
    chance, data, place = random.Random(seed), TEXT.encode(), 0
    printed, lines = PrintedText(), PrintedText()
    shown, found = "", list[str]()
    while place < len(data):
        length = chance.randint(1, 7)
        shown += printed.decode(data[place : place + length])
        found += lines.split_lines(data[place : place + length])
        place += length
    assert shown + printed.decode(b"", is_last=True) == clean(TEXT)
    assert found + lines.split_lines(b"", is_last=True) == clean(TEXT).split("\n")


@pytest.mark.parametrize(("data", "expected"), [(b"a\xc3", "a\ufffd"), (b"a\r", "a\ufffd"), (b"a\x1b[3", "a\ufffd[3")])
def test_what_is_cut_off_at_the_end_is_shown(data: bytes, expected: str) -> None:
    assert PrintedText().split_lines(data, is_last=True) == [expected]


def test_a_line_without_an_end_is_shown_in_parts_and_linear_time() -> None:
    printed, started, longest = PrintedText(), time.process_time(), 0
    for _ in range(20_000):
        for line in printed.split_lines(b"x" * 4096):
            longest = max(longest, len(line))
    assert longest <= LONGEST_LINE + 4096
    assert time.process_time() - started < 10
