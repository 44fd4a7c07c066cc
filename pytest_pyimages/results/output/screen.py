"""Draw a block of lines below the text of a terminal, without changing the text."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import pytest

# ECMA-48 and DEC private sequences, by the names that xterm's "Control Sequences" has for them.
ERASE_BELOW = "\x1b[J"  # ED: from the cursor to the end of the screen
# The same from the line below; CUD stays on the last row. At the first place of the screen, tmux would take ED for the
# erasure of all and add the block to its history.
ERASE_LINES_BELOW = "\x1b7\x1b[B\x1b[J\x1b8"
DOWN = "\x1bD"  # IND: a row down in the same column; on the last row the screen scrolls
UP = "\x1b[{}A"  # CUU
SAVE, RESTORE = "\x1b7", "\x1b8"  # DECSC, DECRC: where the cursor is, and its colours
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"  # DECAWM: a line that is too long for a window made narrower is cut
NO_COLOURS = "\x1b[m"  # SGR
# What colours text or clears the rest of a line, and what sets titles and links (OSC); all else moves the cursor.
_MOVES = re.compile(r"\x1b(?!\[[0-9;:]*[mK]|\]|\\)")


class Screen:
    """Replaces the file of pytest's writer, and standard output and error, until it is closed.

    Text waits for the next ``paint``, and is written together with the block below it. The cursor is then after the
    last character of the text, where it would be without a block. So partial lines are continued, "erase below" removes
    the block even if the window has changed, and nothing needs to be restored if the process ends at any moment.

    Closes itself for good when other output moves the cursor: only one can draw.
    """

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._writer = terminal._tw  # noqa: SLF001 - no public access to the writer
        self._file = file = self._writer._file  # noqa: SLF001 - nor to its file
        self.encoding: str = getattr(file, "encoding", None) or "ascii"
        self._pending: list[str] = []  # any thread may add to it
        self._painted: tuple[object, ...] = ()
        self._drawn = False  # whether a block may be there
        self._erase = ERASE_BELOW  # what removes it
        self._streams = {name: getattr(sys, name) for name in ("stdout", "stderr") if _is_terminal(getattr(sys, name))}
        self._open = True
        self._writer._file = self  # noqa: SLF001 - it only writes and flushes
        for name in self._streams:
            setattr(sys, name, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    @property
    def has_markup(self) -> bool:
        """Whether colours are wanted."""
        return self._writer.hasmarkup

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines of the window now; those of the environment if the terminal does not know."""
        try:
            columns, lines = os.get_terminal_size(self._file.fileno())
        except (OSError, ValueError):
            columns = lines = 0
        fallback = shutil.get_terminal_size()
        return columns or fallback.columns, lines or fallback.lines

    def write(self, text: str) -> int:
        """Keep the text for the next paint; raise UnicodeEncodeError at once, as the file itself would."""
        if not self._open:
            return self._file.write(text)
        if not text.isascii():
            text.encode(self.encoding, getattr(self._file, "errors", None) or "strict")
        self._pending.append(text)
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: ten times a second is often enough."""
        if not self._open:
            self._file.flush()

    def paint(self, rows: Sequence[str]) -> None:
        """Write the pending text and the rows below it, each at most one line; only on the main thread."""
        if not self._open:
            return
        pieces = len(self._pending)
        text = "".join(self._pending[:pieces])
        if _MOVES.search(text):
            self.close()
            return
        columns, _ = self.size
        column = self._writer.width_of_current_line
        if not _in_foreground(self._file) or (column and column % columns == 0):
            rows = ()  # in the background; or a wrap is pending in the last column, which drawing would lose
        elif column:
            rows = ("", *rows)
        painted = (*rows, columns)
        if text or painted != self._painted:
            self._painted = painted
            erase = ERASE_BELOW if column else ERASE_LINES_BELOW
            self._write(text, pieces, erase + _draw_below(rows) if rows else "")
            self._erase = erase

    def close(self) -> None:
        """Write the pending text, remove the block, and restore the replaced files. May be called more than once."""
        if not self._open:
            return
        self._open = False
        self._writer._file = self._file  # noqa: SLF001
        for name, stream in self._streams.items():
            if getattr(sys, name) is self:
                setattr(sys, name, stream)
        pieces = len(self._pending)
        self._write("".join(self._pending[:pieces]), pieces)

    def _write(self, text: str, pieces: int, block: str = "") -> None:
        # A signal may raise anywhere in here, most likely while a slow terminal blocks: the file's own buffer then has
        # the rest, and nothing is written twice.
        del self._pending[:pieces]
        erase, self._drawn = self._erase if self._drawn else "", self._drawn or bool(block)
        self._file.write(erase + text + block)
        self._drawn = bool(block)
        self._file.flush()


def _draw_below(rows: Sequence[str]) -> str:
    """Return sequences that draw rows below the cursor: room first, so that nothing scrolls after saving the cursor."""
    room = DOWN * len(rows) + UP.format(len(rows))
    return room + SAVE + NO_WRAP + NO_COLOURS + "".join(f"\r\n{row}" for row in rows) + WRAP + RESTORE


def _is_terminal(stream: Any) -> bool:
    return stream is not None and not stream.closed and bool(stream.isatty())


def _in_foreground(file: Any) -> bool:
    """Return whether this process is in the foreground of the terminal, and may draw."""
    try:
        return os.tcgetpgrp(file.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        return True  # not a controlling terminal
