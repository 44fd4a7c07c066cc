"""Compare the outcomes of tests between images, and group the differences by pattern."""

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

    label: str  # with "?" if the image is allowed to fail
    python: str  # its version; empty if unknown

    @property
    def variant(self) -> str:
        """The variant in the label: "lowest" of 3.14+lowest@linux/arm64?; empty without one."""
        return self.label.rstrip("?").partition("@linux/")[0].partition("+")[2]

    @property
    def minor(self) -> tuple[int, int] | None:
        found = re.match(r"(\d+)\.(\d+)", self.python)
        return (int(found[1]), int(found[2])) if found else None


def find_differences(results: Mapping[str, ImageResult]) -> tuple[Difference, ...]:
    """Return the tests that differ, in the order in which the images collected them.

    Images without any outcome are not compared, nor are the tests of smoke-tested images alone. A test that was not run
    because of -x, or is in another shard, does not differ; one that was not run because the worker died does.
    """
    compared = [result for result in results.values() if result.is_compared]
    ignored = [_list_ignored(result) for result in compared]
    full = [result for result in compared if not result.smoke] or compared
    nodeids = dict.fromkeys(nodeid for result in full for nodeid in result.outcomes)
    found = []
    for nodeid in nodeids:
        outcomes = tuple(result.outcomes.get(nodeid, "") for result in compared)
        if len({outcome for outcome, skipped in zip(outcomes, ignored, strict=True) if outcome not in skipped}) > 1:
            found.append(Difference(nodeid, outcomes))
    return tuple(found)


def find_skipped_everywhere(results: Mapping[str, ImageResult]) -> tuple[str, ...]:
    """Return the tests that every image has skipped."""
    compared = [result.outcomes for result in results.values() if result.is_compared]
    if not compared:
        return ()
    return tuple(
        nodeid
        for nodeid, outcome in compared[0].items()
        if outcome == "skipped" and all(outcomes.get(nodeid) == "skipped" for outcomes in compared[1:])
    )


def _list_ignored(result: ImageResult) -> tuple[str, ...]:
    """Return the outcomes of an image that make no difference."""
    if result.stopped_early:
        return ("", NOT_RUN)
    return ("",) if result.is_partial or result.smoke else ()


def make_columns(results: Mapping[str, ImageResult]) -> tuple[Column, ...]:
    """Return a column for each image that is compared."""
    return tuple(
        Column(result.label + ("?" if result.allowed_to_fail else ""), result.python)
        for result in results.values()
        if result.is_compared
    )


def group_by_pattern(
    columns: Sequence[Column], found: Sequence[Difference]
) -> Iterator[tuple[str, tuple[Difference, ...]]]:
    """Yield descriptions of patterns and their differences, the worst pattern first; the tests keep their order."""
    groups: dict[tuple[int, str], list[Difference]] = {}
    for difference in found:
        groups.setdefault(_describe_pattern(columns, difference.outcomes), []).append(difference)
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


def _describe_pattern(columns: Sequence[Column], outcomes: tuple[str, ...]) -> tuple[int, str]:
    """Return the severity of a pattern, 0 for the worst, and its description."""
    for rank, (included, verb) in enumerate(_VERBS):
        if rank == 0 and "failed" in outcomes:
            continue  # both are failures
        where = [index for index, outcome in enumerate(outcomes) if outcome in included]
        if where and (variant := _find_variant(columns, where)):
            return rank, f"{verb} only with +{variant}"
        if where:
            ran = [index for index, outcome in enumerate(outcomes) if outcome not in ("", "skipped")]
            if verb == "skipped" and 0 < len(ran) < len(where):
                return rank, "runs " + re.sub("^on ", "only on ", _describe_columns(columns, ran))
            return rank, f"{verb} {_describe_columns(columns, where)}"
    return len(
        _VERBS
    ), f"collected {_describe_columns(columns, [index for index, outcome in enumerate(outcomes) if outcome])}"


def _find_variant(columns: Sequence[Column], where: Sequence[int]) -> str:
    """Return the variant whose columns are exactly these; empty if there is none."""
    variant = columns[where[0]].variant
    members = [index for index, column in enumerate(columns) if column.variant == variant]
    return variant if members == list(where) else ""


def _describe_columns(columns: Sequence[Column], where: Sequence[int]) -> str:
    """Describe some of the columns, by a range of Pythons if possible: "from 3.14 on".

    :param where: indexes of the columns.
    """
    if len(where) == len(columns):
        return "everywhere"
    if len(where) == 1:
        return f"only on {columns[where[0]].label}"
    included = [columns[index].minor for index in where]
    excluded = [column.minor for index, column in enumerate(columns) if index not in where]
    ours, theirs = ([minor for minor in minors if minor is not None] for minors in (included, excluded))
    if len(ours) + len(theirs) == len(columns):
        if min(ours) > max(theirs):
            return "from {}.{} on".format(*min(ours))
        if max(ours) < min(theirs):
            return "up to {}.{}".format(*max(ours))
    if len(excluded) == 1 or 2 * len(excluded) < len(where):
        return "everywhere but on " + ", ".join(
            column.label for index, column in enumerate(columns) if index not in where
        )
    return "on " + ", ".join(columns[index].label for index in where)
