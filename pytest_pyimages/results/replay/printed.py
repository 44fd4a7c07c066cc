"""Decode what a suite prints outside of pytest's capture, in pieces that end anywhere."""

from __future__ import annotations

import codecs
import re

from pytest_pyimages.text import clean

LONGEST_LINE = 64 * 1024  # characters; longer lines are shown in parts
_UNFINISHED = re.compile(r"(?:\r|\x1b(?:\[[0-9;]{0,32})?)\Z")  # may become "\r\n" or a colour


class PrintedText:
    """The output of one image."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unfinished = ""  # the start of a control sequence
        self._line: list[str] = []  # the parts of a line without its end
        self._length = 0

    def decode(self, data: bytes, *, is_last: bool = False) -> str:
        """Return the text of a piece without control sequences, up to the last complete character."""
        text = self._unfinished + self._decoder.decode(data, is_last)
        self._unfinished = ""
        found = None if is_last else _UNFINISHED.search(text)
        if found is not None:
            text, self._unfinished = text[: found.start()], found[0]
        return clean(text)

    def split_lines(self, data: bytes, *, is_last: bool = False) -> list[str]:
        """Return the lines that are complete with a piece; at the end the last one, too."""
        *lines, rest = self.decode(data, is_last=is_last).split("\n")
        if lines:
            lines[0] = self._take_line() + lines[0]
        if rest:
            self._line.append(rest)
            self._length += len(rest)
        if self._length > LONGEST_LINE or (is_last and self._length):
            lines.append(self._take_line())
        return lines

    def _take_line(self) -> str:
        line = "".join(self._line)
        self._line.clear()
        self._length = 0
        return line
