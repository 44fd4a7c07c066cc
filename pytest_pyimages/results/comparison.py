"""What differs between images, and what the differences have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult


@dataclass(frozen=True, slots=True)
class Difference:
    """A test whose outcome is not the same on every image."""

    nodeid: str
    outcomes: tuple[str, ...]  # in the order of the images; "" where the test was not collected


def differences(results: Mapping[str, ImageResult]) -> tuple[Difference, ...]:
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


def _ignored(result: ImageResult) -> tuple[str, ...]:
    """Return the outcomes that say nothing of a test on an image."""
    if result.stopped_early:
        return ("", NOT_RUN)
    return ("",) if result.is_partial else ()


def compared_labels(results: Mapping[str, ImageResult]) -> tuple[str, ...]:
    """Return the images that have a column in the comparison."""
    return tuple(label for label, result in results.items() if result.is_compared)


def patterns(labels: tuple[str, ...], found: tuple[Difference, ...]) -> Iterator[tuple[str, tuple[Difference, ...]]]:
    """Yield the differences grouped by what they have in common, in words; the tests' order is kept."""
    groups: dict[str, list[Difference]] = {}
    for difference in found:
        groups.setdefault(_pattern(labels, difference.outcomes), []).append(difference)
    for pattern, members in groups.items():
        yield pattern, tuple(members)


_VERBS = (("error", "errors"), ("failed", "fails"), (NOT_RUN, "not run"), ("xpassed", "passes unexpectedly"))


def _pattern(labels: tuple[str, ...], outcomes: tuple[str, ...]) -> str:
    for outcome, verb in (*_VERBS, ("xfailed", "fails as expected"), ("skipped", "skipped")):
        where = [index for index, value in enumerate(outcomes) if value == outcome]
        if where:
            return f"{verb} {_where(labels, where)}"
    return f"collected {_where(labels, [index for index, value in enumerate(outcomes) if value])}"


def _where(labels: tuple[str, ...], where: list[int]) -> str:
    if len(where) == 1:
        return f"only on {labels[where[0]]}"
    if where == list(range(where[0], len(labels))) and where[0] > 0:
        return f"from {labels[where[0]]} on"
    if len(where) == len(labels):
        return "everywhere"
    return "on " + ", ".join(labels[index] for index in where)
