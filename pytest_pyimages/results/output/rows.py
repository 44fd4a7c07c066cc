"""Describe images in words, and in lines for terminals that are too narrow for a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from pytest_pyimages.results.outcome import COUNTED, NOT_RUN, TOO_MANY_WARNINGS, ImageResult

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
# Columns that are always shown; others are if a count is not 0.
_ALWAYS = ("passed", "failed", "skipped")


def mark_label(result: ImageResult) -> str:
    """Return the label of an image, with a "?" if it is allowed to fail."""
    return result.label + ("?" if result.allowed_to_fail else "")


def list_counted(results: Sequence[ImageResult], *, collect_only: bool = False) -> list[str]:
    """Return the categories that have a column, in their order."""
    always = () if collect_only else _ALWAYS
    extra = dict.fromkeys(
        name for result in results for name, count in result.counts.items() if count and name not in always
    )
    return [*always, *sorted(extra, key=lambda name: COUNTED.index(name) if name in COUNTED else len(COUNTED))]


def format_run_time(value: float) -> str:
    return f"{value:.1f}s" if value else "-"


def format_build_time(result: ImageResult) -> str:
    return "cached" if result.cached else format_run_time(result.build_seconds)


def make_remark(result: ImageResult) -> str:
    """Return the last column of an image: shard, allowed to fail, exit status, tests that were not run."""
    remarks = [*(["smoke"] if result.smoke else []), *([f"same as {result.same_as}"] if result.same_as else [])]
    remarks += [f"on {result.engine}"] if result.engine else []
    if result.shard is not None:
        remarks.append(format_shard(asdict(result.shard)))
    if result.allowed_to_fail and result.outcome != "nothing collected":
        if result.failed:
            remarks.append("allowed to fail")
        elif result.outcomes and result.shard is None and not result.smoke:  # other tests may have failed
            remarks.append("passed although allowed to fail: remove the ?")
    if result.problem or result.hint or result.stopped:
        remarks.append("see below")
    elif result.exit_status == TOO_MANY_WARNINGS and result.warnings:
        remarks.append(f"too many warnings: {sum(result.warnings.values())}")
    elif result.exit_status is not None and result.exit_status > pytest.ExitCode.NO_TESTS_COLLECTED:
        remarks.append(f"exit status {result.exit_status}")
    elif result.outcome in ("interrupted", "nothing collected"):
        remarks.append(result.outcome)
    if result.not_run and not result.problem:  # a problem includes that number
        remarks.append(f"{result.not_run} not run")
    return " · ".join(remarks)


def format_shard(shard: Mapping[str, Any]) -> str:
    """Return "shard 2/3: 137 of 412 tests" for the shard of a document, without the numbers if they are unknown."""
    name = f"shard {shard['index']}/{shard['of']}"
    return name if shard["collected"] is None else f"{name}: {shard['tests']} of {shard['collected']} tests"


def make_document_remark(image: Mapping[str, Any]) -> str:
    """Return the last column of an image of a document."""
    remarks = [f"on {image['engine']}"] if "engine" in image else []
    remarks += [format_shard(image["shard"])] if "shard" in image else []
    if image["problem"] or image["allowed_to_fail"]:
        remarks.append(image["problem"] or "allowed to fail")
    return " · ".join(remarks)


def format_counts(result: ImageResult, *, collect_only: bool = False) -> str:
    """Return "2 failed, 408 passed": the worst first, as in pytest's last line."""
    names = ["failed", *(name for name in list_counted([result]) if name != "failed")]
    parts = [f"{result.collected} collected"] if collect_only else []
    parts += [_format_number(result.counts[name], name) for name in names if result.counts.get(name)]
    return ", ".join(parts) or "no tests"


def _format_number(count: int, name: str) -> str:
    """Return "2 errors"; pytest's other categories have no plural."""
    return f"{count} {name}s" if name == "error" and count != 1 else f"{count} {name}"


def summarize_images(results: Sequence[ImageResult]) -> str:
    """Return the images with their counts on one line; images with the same counts together."""
    groups: dict[str, list[str]] = {}
    for result in results:
        groups.setdefault(format_counts(result), []).append(mark_label(result))
    return " · ".join(f"{', '.join(labels)}: {counts}" for counts, labels in groups.items())


def format_image_lines(results: Sequence[ImageResult], *, collect_only: bool = False) -> Iterator[str]:
    """Yield two lines for each image."""
    for result in results:
        python = f" ({result.full_python})" if result.python else ""
        yield f"{mark_label(result)}{python}: {format_counts(result, collect_only=collect_only)}"
        times = f"build {format_build_time(result)} · run {format_run_time(result.run_seconds)}"
        yield "  " + " · ".join(filter(None, (times, make_remark(result))))
