"""Format the tests that differ between images: with a column per image if there is room."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from pytest_pyimages.results.comparison import Column, Difference, group_by_pattern
from pytest_pyimages.results.outcome import NOT_RUN
from pytest_pyimages.results.output.rows import LETTERS
from pytest_pyimages.text import display_width

SHOWN_PER_PATTERN = 20
NARROWEST_ID = 40  # columns for node ids; with fewer, images have no columns of their own
STYLES = {"failed": "red", "error": "red", NOT_RUN: "red", "passed": "green", "xpassed": "yellow", "skipped": "yellow"}
TITLE = "differs between images"
Paint = Callable[[str, str], str]  # text and a markup name of pytest's TerminalWriter, "" for none


def format_comparison(
    columns: Sequence[Column], found: Sequence[Difference], *, width: int, shows_all: bool, paint: Paint
) -> Iterator[str]:
    """Yield the lines, grouped by pattern.

    Only node ids may be wider than the terminal: they stay in one piece, to be copied.

    :param shows_all: whether to show more than ``SHOWN_PER_PATTERN`` tests of a pattern.
    """
    longest = max(display_width(difference.nodeid) for difference in found)
    room = width - 1 - sum(display_width(column.label) + 2 for column in columns)  # of the ids, with their indent
    has_columns = room >= max(min(longest, NARROWEST_ID) + 2, len(TITLE))
    fitting = [size for difference in found if (size := display_width(difference.nodeid) + 2) <= room]
    ids = max([*fitting, len(TITLE)])
    yield f" {TITLE:<{ids}}" + "".join(f"  {column.label}" for column in columns) if has_columns else f" {TITLE}"
    for pattern, members in group_by_pattern(columns, found):
        yield from (paint(line, "bold") for line in _wrap(pattern, width))
        shown = members if shows_all else members[:SHOWN_PER_PATTERN]
        for difference in shown:
            if has_columns:
                yield from _format_row(columns, difference, ids, paint)
            else:
                yield f"   {difference.nodeid}"
                yield from _wrap(_describe(columns, difference), width, indent="     ")
        if len(shown) < len(members):
            yield f"   … and {len(members) - len(shown)} more; -v shows all"


def _format_row(columns: Sequence[Column], difference: Difference, ids: int, paint: Paint) -> Iterator[str]:
    """Yield a node id and its outcomes: on two lines if the id is wider than ``ids`` columns."""
    name = f"   {difference.nodeid}"
    if display_width(difference.nodeid) + 2 > ids:
        yield name
        name = ""
    line = name + " " * (ids + 1 - display_width(name))
    for column, outcome in zip(columns, difference.outcomes, strict=True):
        width = display_width(column.label)
        before = (width - 1) // 2
        letter = paint(LETTERS.get(outcome, "?"), STYLES.get(outcome, ""))
        line += f"  {' ' * before}{letter}{' ' * (width - 1 - before)}"
    yield line.rstrip()


def _describe(columns: Sequence[Column], difference: Difference) -> str:
    """Return "F on 3.14 · s on 3.12"; images where the test passes are left out, and all that is in the pattern."""
    groups: dict[str, list[str]] = {}
    for column, outcome in zip(columns, difference.outcomes, strict=True):
        groups.setdefault(outcome, []).append(column.label)
    groups.pop("passed", None)
    if len(groups) == 1:
        return ""
    return " · ".join(f"{LETTERS.get(outcome, '?')} on {', '.join(labels)}" for outcome, labels in groups.items())


def _wrap(text: str, width: int, indent: str = " ") -> list[str]:
    """Return lines that fit; labels stay in one piece."""
    return textwrap.wrap(
        text,
        max(width, 20),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
