"""Group the failures of one test on several images that differ in numbers only, and list their differences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST_LINES = 5  # of a traceback whose differences are listed
LONGEST_LINE = 200  # characters
Failures = Mapping[str, Mapping[str, Any]]  # by label: phase, message, text and sections, as in a report's document
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")
# A frame as pytest draws it. Those of libraries differ between Pythons although the failure is the same.
_PLACE = re.compile(r"(?P<path>[^\s<][^:]*):\d+: ")
_LIBRARY = re.compile(r"/lib/(python|pypy)|site-packages")


def group_failures(failures: Failures) -> list[Failures]:
    """Return the failures of one test, by label, in groups of those that are the same failure."""
    groups: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for label, failure in failures.items():
        groups.setdefault(_identify(failure), {})[label] = failure
    return list(groups.values())


def _identify(failure: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the exception without its numbers, and the lines of the project that it passed through.

    A traceback without pytest's "E" counts as a whole.
    """
    lines = _list_lines(failure)
    if not lines[0].startswith("E "):
        return failure["phase"], _remove_numbers("\n".join(lines))
    frames = (_PLACE.match(line) for line in failure["text"].split("\n"))
    places = [found[0] for found in frames if found is not None and not _LIBRARY.search(found["path"])]
    return failure["phase"], _remove_numbers("\n".join(lines)), *places


def list_differences(group: Failures) -> Iterator[tuple[str, str]]:
    """Yield labels and a line, ``("3.12, 3.13", "E  assert 13 == 1")``, for each line that not all of a group have.

    A line at the end names the images whose tracebacks or output differ in more than that.
    """
    rows = list(zip(*map(_list_lines, group.values()), strict=False))
    differing = [row for row in rows if len(set(row)) > 1]
    for row in differing[:MOST_LINES]:
        lines: dict[str, list[str]] = {}
        for label, line in zip(group, row, strict=True):
            lines.setdefault(line, []).append(label)
        for line, labels in lines.items():
            yield ", ".join(labels), line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"
    if len(differing) > MOST_LINES:
        yield ", ".join(group), f"{len(differing) - MOST_LINES} more lines differ"
    first = next(iter(group.values()))
    for part, name in (("text", "traceback differs"), ("sections", "captured output differs")):
        expected = _remove_numbers(str(first[part]))
        labels = [label for label, other in group.items() if _remove_numbers(str(other[part])) != expected]
        if labels:
            yield ", ".join(labels), f"the {name}"


def _remove_numbers(text: str) -> str:
    """Return a text in which versions, addresses, durations and other numbers are all the same."""
    return _NUMBER.sub("0", text)


def _list_lines(failure: Mapping[str, Any]) -> Sequence[str]:
    """Return the lines of the exception, as far as pytest has marked them; at least one line."""
    lines = [line for line in failure["text"].split("\n") if line]
    return [line for line in lines if line.startswith("E ")] or lines or [failure["message"]]
