"""The tests that differ between images as lines of a terminal: with a column per image where there is room."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from pytest_pyimages.results.comparison import Column, Difference, group_by_pattern
from pytest_pyimages.results.outcome import NOT_RUN
from pytest_pyimages.results.output.rows import LETTERS

SHOWN_PER_PATTERN = 20
NARROWEST_ID = 40  # columns for node ids; where there are fewer, no image has one of its own
STYLES = {"failed": "red", "error": "red", NOT_RUN: "red", "passed": "green", "xpassed": "yellow", "skipped": "yellow"}
TITLE = "differs between images"


def format_comparison(
    columns: Sequence[Column], found: Sequence[Difference], *, width: int, shows_all: bool
) -> Iterator[Text]:
    """Yield the lines, grouped by what the tests have in common.

    None is wider than the terminal but those of node ids that are: they stay in one piece, to be copied.
    """
    longest = max(cell_len(difference.nodeid) for difference in found)
    room = width - 1 - sum(cell_len(column.label) + 2 for column in columns)  # of the ids, with their indent
    if room < min(longest, NARROWEST_ID) + 2:
        yield from _listed(columns, found, width=width, shows_all=shows_all)
        return
    fitting = [size for difference in found if (size := cell_len(difference.nodeid) + 2) <= room]
    ids = max([*fitting, len(TITLE)])
    heads = "".join(f"  {column.label}" for column in columns)
    yield Text(f" {TITLE}{' ' * (ids - len(TITLE))}{heads}")
    for pattern, members, more in _groups(columns, found, shows_all=shows_all):
        yield from (Text(line, style="bold") for line in _wrapped(pattern, width))
        for difference in members:
            name = f"   {difference.nodeid}"
            if cell_len(difference.nodeid) + 2 > ids:
                yield Text(name)
                name = ""
            yield _row(name + " " * (ids + 1 - cell_len(name)), columns, difference)
        if more:
            yield Text(f"   {more}")


def _row(start: str, columns: Sequence[Column], difference: Difference) -> Text:
    line = Text(start)
    for column, outcome in zip(columns, difference.outcomes, strict=True):
        width = cell_len(column.label)
        before = (width - 1) // 2
        line.append("  " + " " * before)
        line.append(LETTERS.get(outcome, "?"), style=STYLES.get(outcome, ""))
        line.append(" " * (width - 1 - before))
    line.rstrip()
    return line


def _listed(columns: Sequence[Column], found: Sequence[Difference], *, width: int, shows_all: bool) -> Iterator[Text]:
    """Yield a line for each test, and a further one where the words above it do not say all."""
    yield Text(f" {TITLE}")
    for pattern, members, more in _groups(columns, found, shows_all=shows_all):
        yield from (Text(line, style="bold") for line in _wrapped(pattern, width))
        for difference in members:
            yield Text(f"   {difference.nodeid}")
            yield from (Text(line) for line in _wrapped(_in_words(columns, difference), width, indent="     "))
        if more:
            yield Text(f"   {more}")


def _groups(
    columns: Sequence[Column], found: Sequence[Difference], *, shows_all: bool
) -> Iterator[tuple[str, Sequence[Difference], str]]:
    for pattern, members in group_by_pattern(columns, found):
        shown = members if shows_all else members[:SHOWN_PER_PATTERN]
        left = len(members) - len(shown)
        yield pattern, shown, f"… and {left} more; -v shows all" if left else ""


def _in_words(columns: Sequence[Column], difference: Difference) -> str:
    """Return "F on 3.14 · s on 3.12": of a test that passes somewhere, only what is otherwise."""
    groups: dict[str, list[str]] = {}
    for column, outcome in zip(columns, difference.outcomes, strict=True):
        groups.setdefault(outcome, []).append(column.label)
    groups.pop("passed", None)
    if len(groups) == 1:
        return ""  # the group's name is just that
    return " · ".join(f"{LETTERS.get(outcome, '?')} on {', '.join(labels)}" for outcome, labels in groups.items())


def _wrapped(text: str, width: int, indent: str = " ") -> list[str]:
    """Return lines that fit; labels stay in one piece."""
    return textwrap.wrap(
        text,
        max(width, 20),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
