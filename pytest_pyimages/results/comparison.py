"""What differs between images, and what the differences have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult


@dataclass(frozen=True, slots=True)
class Difference:
    """A test whose outcome is not the same on every image."""

    nodeid: str
    outcomes: tuple[str, ...]  # in the order of the images; "" where the test was not collected


@dataclass(frozen=True, slots=True)
class Column:
    """An image in the comparison."""

    label: str  # as it is shown, "3.15-rc?"
    python: str  # its version; empty if that is not known

    @property
    def minor(self) -> tuple[int, int] | None:
        found = re.match(r"(\d+)\.(\d+)", self.python)
        return (int(found[1]), int(found[2])) if found else None


def find_differences(results: Mapping[str, ImageResult]) -> tuple[Difference, ...]:
    """Return the tests that differ, in the order in which the images collected them.

    Images without any outcome (never started, nothing collected) are a row of the table and no difference of each test;
    nor is it one where a run was stopped (-x) before it came to a test, or a test is in another shard. One that died is
    another matter.
    """
    compared = [result for result in results.values() if result.is_compared]
    ignored = [_ignored(result) for result in compared]
    nodeids = dict.fromkeys(nodeid for result in compared for nodeid in result.outcomes)
    found = []
    for nodeid in nodeids:
        outcomes = tuple(result.outcomes.get(nodeid, "") for result in compared)
        told = {outcome for outcome, says_nothing in zip(outcomes, ignored, strict=True) if outcome not in says_nothing}
        if len(told) > 1:
            found.append(Difference(nodeid, outcomes))
    return tuple(found)


def find_skipped_everywhere(results: Mapping[str, ImageResult]) -> tuple[str, ...]:
    """Return the tests that no image has run, although each has them: they are tested nowhere."""
    compared = [result.outcomes for result in results.values() if result.is_compared]
    if not compared:
        return ()
    return tuple(
        nodeid
        for nodeid, outcome in compared[0].items()
        if outcome == "skipped" and all(outcomes.get(nodeid) == "skipped" for outcomes in compared[1:])
    )


def _ignored(result: ImageResult) -> tuple[str, ...]:
    """Return the outcomes that say nothing of a test on an image."""
    if result.stopped_early:
        return ("", NOT_RUN)
    return ("",) if result.is_partial else ()


def make_columns(results: Mapping[str, ImageResult]) -> tuple[Column, ...]:
    """Return the images that have a column in the comparison."""
    return tuple(
        Column(result.label + ("?" if result.allowed_to_fail else ""), result.python)
        for result in results.values()
        if result.is_compared
    )


def group_by_pattern(
    columns: Sequence[Column], found: Sequence[Difference]
) -> Iterator[tuple[str, tuple[Difference, ...]]]:
    """Yield the differences grouped by what they share, in words, the worst first; the tests keep their order."""
    groups: dict[tuple[int, str], list[Difference]] = {}
    for difference in found:
        groups.setdefault(_pattern(columns, difference.outcomes), []).append(difference)
    for (_, pattern), members in sorted(groups.items(), key=lambda group: group[0][0]):  # stable: the first seen first
        yield pattern, tuple(members)


_VERBS = (
    (("error",), "errors"),
    (("failed", "error"), "fails"),
    ((NOT_RUN,), "not run"),
    (("xpassed",), "passes unexpectedly"),
    (("xfailed",), "fails as expected"),
    (("skipped",), "skipped"),
)


def _pattern(columns: Sequence[Column], outcomes: tuple[str, ...]) -> tuple[int, str]:
    """Return how bad it is, from 0, and what to call it."""
    for rank, (meant, verb) in enumerate(_VERBS):
        if rank == 0 and "failed" in outcomes:
            continue  # both are failures
        where = [index for index, outcome in enumerate(outcomes) if outcome in meant]
        if where:
            return rank, f"{verb} {_where(columns, where)}"
    return len(_VERBS), f"collected {_where(columns, [index for index, outcome in enumerate(outcomes) if outcome])}"


def _where(columns: Sequence[Column], where: Sequence[int]) -> str:
    """Return which of the images that is, by their Pythons if possible: "from 3.14 on"."""
    if len(where) == len(columns):
        return "everywhere"
    if len(where) == 1:
        return f"only on {columns[where[0]].label}"
    inside = [columns[index].minor for index in where]
    outside = [column.minor for index, column in enumerate(columns) if index not in where]
    ours, theirs = ([minor for minor in minors if minor is not None] for minors in (inside, outside))
    if len(ours) + len(theirs) == len(columns):
        if min(ours) > max(theirs):
            return "from {}.{} on".format(*min(ours))
        if max(ours) < min(theirs):
            return "up to {}.{}".format(*max(ours))
    if len(outside) == 1:
        (other,) = (column.label for index, column in enumerate(columns) if index not in where)
        return f"everywhere but on {other}"
    return "on " + ", ".join(columns[index].label for index in where)
