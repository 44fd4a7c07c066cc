"""What is worse on an image than on the one that it is measured by, and what the newest Pythons warn of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult

# A test is slower if both are so: machines are noisy, and images share one.
SLOWER_FACTOR = 2.0
SLOWER_SECONDS = 0.5
# Categories of Python's own that say what will not work one day (docs: "Warning Categories").
OF_TOMORROW = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
MOST = 10  # lines of each kind

_BAD = ("failed", "error", NOT_RUN)


@dataclass(frozen=True, slots=True)
class Regressions:
    """What is worse on one image than on the baseline."""

    label: str
    failing: tuple[str, ...]  # node ids of tests that do not fail on the baseline
    slower: tuple[tuple[str, float, float], ...]  # node id, seconds on the baseline, seconds here; the worst first
    warnings: tuple[str, ...]  # category and message


def find_regressions(results: Mapping[str, ImageResult], baseline: str) -> tuple[Regressions, ...]:
    """Return what is worse on each other image than on the baseline; an image without anything is not in it."""
    base = results[baseline]
    found = []
    for label, result in results.items():
        if label == baseline or not result.outcomes:
            continue
        failing = tuple(
            nodeid
            for nodeid, outcome in result.outcomes.items()
            if outcome in _BAD and base.outcomes.get(nodeid, "") not in (*_BAD, "")
        )
        slower = [
            (nodeid, before, seconds)
            for nodeid, seconds in result.durations.items()
            if (before := base.durations.get(nodeid)) is not None
            and seconds >= before * SLOWER_FACTOR
            and seconds - before >= SLOWER_SECONDS
        ]
        slower.sort(key=lambda test: test[1] - test[2])
        warnings = tuple(warning for warning in result.warnings if warning not in base.warnings)
        if failing or slower or warnings:
            found.append(Regressions(label, failing, tuple(slower), warnings))
    return tuple(found)


def find_new_warnings(results: Mapping[str, ImageResult]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what each of the newest Pythons announces, prereleases included, and no older one of these images does."""
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
        told = tuple(
            warning
            for warning in results[label].warnings
            if warning.partition(":")[0] in OF_TOMORROW and not any(warning in seen for seen in old)
        )
        if told:
            yield label, told


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def format_regressions(results: Mapping[str, ImageResult], baseline: str) -> Iterator[str]:
    """Yield what is said of a baseline, a line each."""
    found = find_regressions(results, baseline)
    if not found:
        yield f"nothing is worse than on {baseline}"
    for one in found:
        parts = [
            f"{number} {text}"
            for number, text in (
                (len(one.failing), "newly failing"),
                (len(one.slower), "slower"),
                (len(one.warnings), "new warnings" if len(one.warnings) != 1 else "new warning"),
            )
            if number
        ]
        yield f"{one.label} against {baseline}: {', '.join(parts)}"
        lines = (
            [f"fails   {nodeid}" for nodeid in one.failing],
            [f"slower  {nodeid}  {before:.2f}s -> {now:.2f}s" for nodeid, before, now in one.slower],
            [f"warns   {warning}" for warning in one.warnings],
        )
        for kind in lines:
            yield from (f"  {line}" for line in kind[:MOST])
            if len(kind) > MOST:
                yield f"  … and {len(kind) - MOST} more"


def format_new_warnings(results: Mapping[str, ImageResult]) -> Iterator[str]:
    """Yield what is said of warnings that only the newest have, a line each; images that say the same, once."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for label, told in find_new_warnings(results):
        groups.setdefault(told, []).append(label)
    for told, labels in groups.items():
        yield f"warns only on {', '.join(labels)}"
        yield from (f"  {warning}" for warning in told[:MOST])
        if len(told) > MOST:
            yield f"  … and {len(told) - MOST} more"
