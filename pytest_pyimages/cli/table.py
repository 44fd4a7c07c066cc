"""Draw tables: the same on a terminal and in a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_pyimages.text import align_columns, flatten, join_cells


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> list[str]:
    """Return a header and a line per row, without control characters and with a dash for empty cells.

    :param right: the columns that are aligned to the right.
    """
    cells = [
        list(columns),
        *([*(flatten(cell) or "-" for cell in row[:-1]), flatten(row[-1])] for row in rows),
    ]
    return [join_cells(row) for row in align_columns(cells, right=[columns.index(name) for name in right])]
