"""Rows of text in columns, the same on a terminal and in a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from pytest_pyimages.text import one_line

GAP = "  "


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> list[str]:
    """Return a header and a line per row, with a dash for what is empty; control characters are taken out.

    :param right: the columns that are set to the right.
    """
    cells = [list(columns), *([*(one_line(cell) or "-" for cell in row[:-1]), one_line(row[-1])] for row in rows)]
    widths = [max(cell_len(row[place]) for row in cells) for place in range(len(columns))]
    lines = []
    for row in cells:
        filled = (" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        padded = (
            fill + cell if column in right else cell + fill
            for cell, fill, column in zip(row, filled, columns, strict=True)
        )
        lines.append(f" {GAP.join(padded)}".rstrip())
    return lines
