"""Make text from containers, engines and registries safe to print, and align it in columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Sequence

LINE_CHARACTERS = 500


def format_seconds(seconds: float) -> str:
    """Return "59s" or "2m05s"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def flatten(text: object) -> str:
    """Return a message on one line without control characters, cut in its middle to ``LINE_CHARACTERS``.

    Engines report the reason at the end: "mounting … failed: no such file or directory".
    """
    cleaned = "".join(character if character.isprintable() else " " for character in str(text))
    words = " ".join(cleaned.split())
    end = LINE_CHARACTERS // 4
    return words if len(words) <= LINE_CHARACTERS else f"{words[: LINE_CHARACTERS - end - 3]}...{words[-end:]}"


def quote_bytes(data: bytes) -> str:
    """Return the beginning of some bytes as a quoted string, safe to print on one line."""
    text = repr(data[:60].decode("utf-8", "backslashreplace"))
    return text + "…" if len(data) > 60 else text


_CONTROL = re.compile("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ESCAPE = re.compile(r"\x1b(?!\[[0-9;]{0,32}m)")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Replace all control sequences but colours (SGR), so that text cannot steer a terminal (CWE-150)."""
    if text.isprintable():
        return text
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _ESCAPE.sub("\N{REPLACEMENT CHARACTER}", text))


_LINE = re.compile("[\x00-\x1f\x7f]")


def clean_line(text: str) -> str:
    """Replace line breaks and all control sequences: node ids and other names are printed at the start of lines."""
    text = clean(text)
    return text if text.isprintable() else _LINE.sub("\N{REPLACEMENT CHARACTER}", text)


def find_similar(word: str, choices: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return the choice that is most similar to a word; empty if none is.

    :param cutoff: the least similarity, from 0 to 1.
    """
    import difflib  # only errors need it

    return next(iter(difflib.get_close_matches(word, list(choices), n=1, cutoff=cutoff)), "")


def suggest(word: str, choices: Iterable[str], *, otherwise: str = "", cutoff: float = 0.6) -> str:
    """Return a hint for an unknown word: the choice that is most like it.

    :param otherwise: the hint if none is like it; empty: all choices.
    :param cutoff: as for ``find_similar``.
    """
    choices = list(choices)
    near = find_similar(word, choices, cutoff=cutoff)
    return f"did you mean {near}?" if near else otherwise or f"choose from {', '.join(choices)}"


_NO_WIDTH = frozenset(("Mn", "Me", "Cf"))  # combining marks and format characters


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes, by pytest's own rule (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(character) in _NO_WIDTH else 1 + (unicodedata.east_asian_width(character) in "FW")
        for character in unicodedata.normalize("NFC", text)
    )


def cut_to_width(text: str, width: int) -> str:
    """Return the longest beginning of a text that fits into a number of columns."""
    end = min(len(text), max(width, 0))
    while end and display_width(text[:end]) > width:
        end -= 1
    return text[:end]


def align_columns(rows: Sequence[Sequence[str]], *, right: Container[int] = ()) -> list[list[str]]:
    """Return the cells of rows of the same length, padded to the widths of their columns.

    :param right: indexes of the columns that are aligned to the right.
    """
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    return [
        [_pad(cell, width, right=index in right) for index, (cell, width) in enumerate(zip(row, widths, strict=True))]
        for row in rows
    ]


def _pad(cell: str, width: int, *, right: bool) -> str:
    padding = " " * (width - display_width(cell))
    return padding + cell if right else cell + padding


def join_cells(cells: Sequence[str]) -> str:
    """Return aligned cells as a line of a table."""
    return f" {'  '.join(cells)}".rstrip()


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> list[str]:
    """Return a header and a line per row, without control characters and with a dash for empty cells.

    :param right: the columns that are aligned to the right.
    """
    cells = [
        list(columns),
        *([*(flatten(cell) or "-" for cell in row[:-1]), flatten(row[-1])] for row in rows),
    ]
    return [join_cells(row) for row in align_columns(cells, right=[columns.index(name) for name in right])]
