"""Compare the results of several runs, by test and image: what newly fails or passes, is flaky, or is slower."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.results.outcome import NOT_RUN, ImageResult
from pytest_pyimages.results.regressions import SLOWER_FACTOR, SLOWER_SECONDS

KINDS = ("newly failing", "flaky", "no longer run", "slower", "newly passing")
_FAILED = ("failed", "error")
_NO_RESULT = ("", "skipped", NOT_RUN)


class Run(Protocol):
    """One run, such as a report file has."""

    @property
    def started(self) -> float: ...  # seconds since the epoch
    @property
    def exit_status(self) -> int: ...
    @property
    def results(self) -> Mapping[str, ImageResult]: ...  # by label
    @property
    def session(self) -> Mapping[str, str]: ...  # may have "commit"


R = TypeVar("R", bound=Run)


class Change(Immutable):
    """A test whose results on one image have changed."""

    kind: str  # of KINDS
    nodeid: str
    label: str
    outcomes: tuple[str, ...]  # of each run, the oldest first; empty where it was not collected
    before: float  # seconds: the median of the earlier runs
    now: float  # seconds in the last run


def sort_runs(runs: Sequence[R]) -> list[R]:
    """Return the runs, the oldest first; of equal ones only the first."""
    unique = {(run.started, *run.results): run for run in reversed(runs)}
    return sorted(unique.values(), key=lambda run: run.started)


def find_changes(runs: Sequence[Run]) -> Iterator[Change]:
    """Yield what has changed in the last run, and what is flaky, in the order of KINDS.

    :param runs: the oldest first.
    """
    found: dict[str, list[Change]] = {kind: [] for kind in KINDS}
    commits = [run.session.get("commit", "") for run in runs]
    pairs = dict.fromkeys(
        (nodeid, label) for run in runs for label in run.results for nodeid in run.results[label].outcomes
    )
    for nodeid, label in pairs:
        results = [run.results.get(label) for run in runs]
        outcomes = tuple("" if result is None else result.outcomes.get(nodeid, "") for result in results)
        times = [None if result is None else result.durations.get(nodeid) for result in results]
        earlier = [seconds for seconds in times[:-1] if seconds is not None]
        before, now = statistics.median(earlier) if earlier else 0.0, times[-1] or 0.0
        kind = _classify(outcomes, commits)
        if not kind and earlier and now >= before * SLOWER_FACTOR and now - before >= SLOWER_SECONDS:
            kind = "slower"
        if kind:
            change = Change(kind=kind, nodeid=nodeid, label=label, outcomes=outcomes, before=before, now=now)
            found[kind].append(change)
    found["slower"].sort(key=lambda change: change.before - change.now)
    for changes in found.values():
        yield from changes


def _classify(outcomes: Sequence[str], commits: Sequence[str]) -> str:
    """Return what kind of change the outcomes of one test on one image are, apart from its time; empty if none.

    A test is flaky if a single run has another result than the runs before and after it, or if a commit has two
    results. Runs in which it was skipped or not run are left out.
    """
    verdicts = [
        (outcome in _FAILED, commit)
        for outcome, commit in zip(outcomes, commits, strict=True)
        if outcome not in _NO_RESULT
    ]
    failed = [has_failed for has_failed, _ in verdicts]
    triples = zip(failed, failed[1:], failed[2:], strict=False)
    is_unsteady = any(before is after and before is not between for before, between, after in triples)
    # A commit with a "+" stands for any changes.
    clean = {verdict for verdict in verdicts if verdict[1] and not verdict[1].endswith("+")}
    if is_unsteady or len(clean) > len({commit for _, commit in clean}):
        return "flaky"
    if outcomes[-1] in _NO_RESULT:
        return "no longer run" if outcomes[-1] and verdicts and outcomes[-2] not in _NO_RESULT else ""
    if len(verdicts) < 2 or verdicts[-1][0] is verdicts[-2][0]:
        return ""
    return "newly failing" if verdicts[-1][0] else "newly passing"


class _DocumentRun(Immutable):
    """The run that a document describes."""

    started: float
    exit_status: int
    results: Mapping[str, ImageResult]
    session: Mapping[str, str]


def compare_with_report(
    earlier: Run, document: Mapping[str, Any], results: Mapping[str, ImageResult]
) -> dict[str, Any]:
    """Return the history of an earlier run and of the one that a document describes.

    :param results: of that run, by label.
    """
    this = _DocumentRun(
        started=document["started"],
        exit_status=document["exit_status"],
        results=results,
        session=document.get("session", {}),
    )
    return make_history([earlier, this])


def make_history(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the part of a report's document that compares runs, the oldest first."""
    return {
        "runs": [
            {"started": run.started, "commit": run.session.get("commit", ""), "exit_status": run.exit_status}
            for run in runs
        ],
        "changes": [asdict(change) for change in find_changes(runs)],
    }
