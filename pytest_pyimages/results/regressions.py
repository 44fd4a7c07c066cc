"""Find regressions against a baseline image or an earlier run, and warnings that only the newest Pythons have."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult

# A test counts as slower if both are exceeded: images share a machine, whose load varies.
SLOWER_FACTOR = 2.0
SLOWER_SECONDS = 0.5
# Python's own categories for future changes (docs: "Warning Categories").
FUTURE_CATEGORIES = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
MOST = 10  # lines of each kind
# As deprecations of Python and of libraries announce it: "slated for removal in", "such sequences will not work".
_ANNOUNCED = re.compile(
    r"\b(removal|removed|errors?|raise|reject|disallow(ed)?|not work|stop working|SyntaxError)\b", re.IGNORECASE
)

_BAD = ("failed", "error", NOT_RUN)


@dataclass(frozen=True, slots=True)
class Regressions:
    """The regressions of one image against the baseline."""

    label: str
    failing: tuple[str, ...]  # node ids of tests that pass on the baseline
    fixed: tuple[str, ...]  # node ids of tests that fail in an earlier run
    slower: tuple[tuple[str, float, float], ...]  # node id, seconds on the baseline, seconds; the worst first
    warnings: tuple[str, ...]  # category and message


def find_regressions(
    results: Mapping[str, ImageResult], baseline: str, earlier: Mapping[str, ImageResult] | None = None
) -> tuple[Regressions, ...]:
    """Return the regressions of each image that has any, against another image or an earlier run of itself.

    :param baseline: the label of an image.
    :param earlier: the results of an earlier run, by label, instead.
    """
    found = []
    for label, result in results.items():
        base = results[baseline] if earlier is None else earlier.get(label)
        if base is None or base is result or not result.outcomes:
            continue
        failing = _list_newly(_BAD, result, base)
        fixed = _list_newly(_BAD, base, result) if earlier is not None else ()
        slower = [
            (nodeid, before, seconds)
            for nodeid, seconds in result.durations.items()
            if (before := base.durations.get(nodeid)) is not None
            and seconds >= before * SLOWER_FACTOR
            and seconds - before >= SLOWER_SECONDS
        ]
        slower.sort(key=lambda test: test[1] - test[2])
        warnings = tuple(warning for warning in result.warnings if warning not in base.warnings)
        if failing or fixed or slower or warnings:
            found.append(Regressions(label, failing, fixed, tuple(slower), warnings))
    return tuple(found)


def _list_newly(outcomes: Collection[str], result: ImageResult, base: ImageResult) -> tuple[str, ...]:
    """Return the tests that have one of these outcomes, and another one on the baseline."""
    return tuple(
        nodeid
        for nodeid, outcome in result.outcomes.items()
        if outcome in outcomes and base.outcomes.get(nodeid, "") not in (*outcomes, "")
    )


def find_new_warnings(results: Mapping[str, ImageResult]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield warnings of the newest Python and of prereleases that no older image has, with the label of the image."""
    versions = {label: version for label, result in results.items() if (version := _version(result.python)) is not None}
    if not versions:
        return
    newest = max((version.release[:2] for version in versions.values() if not version.is_prerelease), default=None)
    old = [
        results[label].warnings
        for label, version in versions.items()
        if not version.is_prerelease and version.release[:2] != newest
    ]
    for label, version in versions.items():
        if not old or not (version.is_prerelease or version.release[:2] == newest):
            continue
        new = tuple(
            warning
            for warning in results[label].warnings
            if warning.partition(":")[0] in FUTURE_CATEGORIES and not any(warning in seen for seen in old)
        )
        if new:
            yield label, new


def announces_error(warning: str) -> bool:
    """Return whether a warning's own text announces that what it warns of will not work in a later version."""
    return warning.partition(":")[0] in (*FUTURE_CATEGORIES, "SyntaxWarning") and bool(_ANNOUNCED.search(warning))


def count_new_warnings(images: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int]]:
    """Return minor versions of Python, how many warnings no older one has, and how many of these announce an error.

    :param images: of a report's document.
    """
    warnings: dict[tuple[int, ...], set[str]] = {}
    for image in images:
        version = _version(image["python"])
        if version is not None:
            warnings.setdefault(version.release[:2], set()).update(image.get("warnings", ()))
    counts, seen = [], set[str]()
    for number, release in enumerate(sorted(warnings)):
        new = warnings[release] - seen
        if number and new:
            counts.append((".".join(map(str, release)), len(new), sum(map(announces_error, new))))
        seen |= new
    return counts


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def format_regressions(
    results: Mapping[str, ImageResult], baseline: str, earlier: Mapping[str, ImageResult] | None = None
) -> Iterator[str]:
    """Yield lines on the regressions of all images.

    :param baseline: the label of an image, or the name of the file that the earlier results are from.
    """
    if earlier is not None and not earlier.keys() & results.keys():
        yield f"{baseline} has none of these images"
        return
    found = find_regressions(results, baseline, earlier)
    if not found:
        yield f"no regressions compared with {baseline}"
    for one in found:
        parts = [
            f"{number} {text}"
            for number, text in (
                (len(one.failing), "newly failing"),
                (len(one.fixed), "newly passing"),
                (len(one.slower), "slower"),
                (len(one.warnings), "new warnings" if len(one.warnings) != 1 else "new warning"),
            )
            if number
        ]
        yield f"{one.label} compared with {baseline}: {', '.join(parts)}"
        lines = (
            [f"fails   {nodeid}" for nodeid in one.failing],
            [f"passes  {nodeid}" for nodeid in one.fixed],
            [f"slower  {nodeid}  {before:.2f}s -> {now:.2f}s" for nodeid, before, now in one.slower],
            [f"warns   {warning}" for warning in one.warnings],
        )
        for kind in lines:
            yield from (f"  {line}" for line in kind[:MOST])
            if len(kind) > MOST:
                yield f"  … and {len(kind) - MOST} more"


def format_new_warnings(results: Mapping[str, ImageResult]) -> Iterator[str]:
    """Yield lines on warnings that only the newest Pythons have; images with the same warnings together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for label, warnings in find_new_warnings(results):
        groups.setdefault(warnings, []).append(label)
    for warnings, labels in groups.items():
        yield f"warns only on {', '.join(labels)}"
        yield from (f"  {warning}" for warning in warnings[:MOST])
        if len(warnings) > MOST:
            yield f"  … and {len(warnings) - MOST} more"
