"""What is said of an image, in words, and in lines where a table is too wide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from pytest_pyimages.results.outcome import COUNTED, NOT_RUN, ImageResult

LETTERS = {
    "passed": ".",
    "failed": "F",
    "error": "E",
    "skipped": "s",
    "xfailed": "x",
    "xpassed": "X",
    NOT_RUN: "!",
    "": "-",
}
# The columns that every run has, and whichever others there is something in.
_ALWAYS = ("passed", "failed", "skipped")


def mark_label(result: ImageResult) -> str:
    """Return what an image is called: with a "?" where it is allowed to fail."""
    return result.label + ("?" if result.allowed_to_fail else "")


def list_counted(results: Sequence[ImageResult], *, collect_only: bool = False) -> list[str]:
    """Return the outcomes that have a column, in their order."""
    always = () if collect_only else _ALWAYS
    extra = dict.fromkeys(
        name for result in results for name, count in result.counts.items() if count and name not in always
    )
    return [*always, *sorted(extra, key=lambda name: COUNTED.index(name) if name in COUNTED else len(COUNTED))]


def seconds(value: float) -> str:
    return f"{value:.1f}s" if value else "-"


def format_build_time(result: ImageResult) -> str:
    return "cached" if result.cached else seconds(result.build_seconds)


def remark(result: ImageResult) -> str:
    """Return what is special about an image."""
    remarks = []
    if result.shard is not None:
        remarks.append(format_shard(asdict(result.shard)))
    if result.allowed_to_fail and result.outcome != "nothing collected":
        if result.failed:
            remarks.append("allowed to fail")
        elif result.outcomes and result.shard is None:  # what the other shards say, nobody knows here
            remarks.append("passes although it may fail: the ? can go")
    if result.problem or result.hint or result.stopped:
        remarks.append("see below")
    elif result.exit_status is not None and result.exit_status > pytest.ExitCode.NO_TESTS_COLLECTED:
        remarks.append(f"exit status {result.exit_status}")
    elif result.outcome in ("interrupted", "nothing collected"):
        remarks.append(result.outcome)
    if result.not_run and not result.problem:  # which says so itself
        remarks.append(f"{result.not_run} not run")
    return " · ".join(remarks)


def format_shard(shard: Mapping[str, Any]) -> str:
    """Return "shard 2/3: 137 of 412 tests", the numbers if they are known; of a shard as documents have it."""
    name = f"shard {shard['index']}/{shard['of']}"
    return name if shard["collected"] is None else f"{name}: {shard['tests']} of {shard['collected']} tests"


def make_document_remark(image: Mapping[str, Any]) -> str:
    """Return what is special about an image, as documents have it."""
    remarks = [format_shard(image["shard"])] if "shard" in image else []
    if image["problem"] or image["allowed_to_fail"]:
        remarks.append(image["problem"] or "allowed to fail")
    return " · ".join(remarks)


def format_counts(result: ImageResult, *, collect_only: bool = False) -> str:
    """Return "2 failed, 408 passed": the worst first, as pytest has it."""
    names = ["failed", *(name for name in list_counted([result]) if name != "failed")]
    told = [f"{result.collected} collected"] if collect_only else []
    told += [_number(result.counts[name], name) for name in names if result.counts.get(name)]
    return ", ".join(told) or "no tests"


def _number(count: int, name: str) -> str:
    """Return "2 errors": of pytest's own words for outcomes, the one that has a plural."""
    return f"{count} {name}s" if name == "error" and count != 1 else f"{count} {name}"


def summarize_images(results: Sequence[ImageResult]) -> str:
    """Return which images ran, and what became of their tests; images with the same counts are told together."""
    groups: dict[str, list[str]] = {}
    for result in results:
        groups.setdefault(format_counts(result), []).append(mark_label(result))
    return " · ".join(f"{', '.join(labels)}: {counts}" for counts, labels in groups.items())


def format_image_lines(results: Sequence[ImageResult], *, collect_only: bool = False) -> Iterator[str]:
    """Yield two lines for each image."""
    for result in results:
        python = f" ({result.python})" if result.python else ""
        yield f"{mark_label(result)}{python}: {format_counts(result, collect_only=collect_only)}"
        times = f"build {format_build_time(result)} · run {seconds(result.run_seconds)}"
        yield "  " + " · ".join(told for told in (times, remark(result)) if told)
