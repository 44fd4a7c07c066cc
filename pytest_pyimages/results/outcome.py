"""What became of each image and each test, as values: the material of every table and file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

COUNTED = ("passed", "failed", "skipped", "xfailed", "xpassed", "error")
# The worse of two: a test that passed and whose teardown failed is one of each for pytest, and an error to compare.
_SEVERITY = {name: rank for rank, name in enumerate(("passed", "skipped", "xfailed", "xpassed", "failed", "error"))}
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What pytest inside keeps in its cache at the end of a session."""

    failed: tuple[str, ...]
    stepwise: Any  # as it comes; None for nothing


ImageOutcome = Literal["passed", "failed", "error", "interrupted", "nothing collected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a report file says of a test that failed on one image."""

    phase: str  # setup, call or teardown
    message: str  # one line
    text: str  # the traceback
    line: int = 0  # in the test's file, from 1; 0 if it is not known
    sections: tuple[tuple[str, str], ...] = ()  # title and captured output


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Which part of an image's tests a session runs; the rest is known when the tests are collected."""

    index: int  # from 1
    of: int
    collected: int | None = None  # tests of all shards
    tests: int = 0  # of them in this one
    digest: str = ""  # of the sorted node ids of all shards
    durations: str = ""  # of what was known of their durations


@dataclass(slots=True, kw_only=True)
class ImageResult:
    """One image's part of the session. Grows while its run lasts; read by the summary and the reports."""

    label: str
    reference: str
    allowed_to_fail: bool
    digest: str = ""
    python: str = ""
    cached: bool = False
    build_seconds: float = 0.0
    run_seconds: float = 0.0
    exit_status: int | None = None
    problem: str = ""  # one line; empty if the image was tested to the end
    detail: str = ""  # the last lines of a log, for a problem
    stopped: str = ""  # what stopped the suite before its end, in pytest's words
    advice: str = ""  # what is missing for the suite to be collected, and what to do about it; one line
    collected: int = 0
    shard: Shard | None = None  # None if all tests were to be run
    incomplete: bool = False  # put together of shards of which some are missing
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    not_tests: dict[str, int] = field(default_factory=dict)  # what of the counts is no test: files, the image
    outcomes: dict[str, str] = field(default_factory=dict)  # node id -> outcome
    warnings: dict[str, int] = field(default_factory=dict)  # "category: message" -> how often
    durations: dict[str, float] = field(default_factory=dict)  # node id -> seconds of all phases
    failures: dict[str, Failure] = field(default_factory=dict)  # node id -> the last failure; for report files only
    seed: int | None = None  # of pytest-randomly, if the suite has that
    summary: str = ""  # what its plugins and conftests wrote at the end
    usage_error: bool = False  # pytest inside refused its arguments
    kept: Kept | None = None  # None if pytest inside did not come to say
    ended: bool = False  # False for an image that the session did not wait for

    def count(self, nodeid: str, category: str) -> None:
        """Add one report in pytest's own words; "" is a phase that pytest does not count."""
        if not category:
            return
        self.counts[category] = self.counts.get(category, 0) + 1
        if nodeid and category in _SEVERITY:
            present = self.outcomes.get(nodeid)
            if present is None or _SEVERITY[category] > _SEVERITY.get(present, -1):
                self.outcomes[nodeid] = category

    def count_no_test(self, nodeid: str, category: str) -> None:
        """Add one report of what is no test; every shard has the same."""
        self.count(nodeid, category)
        self.not_tests[category] = self.not_tests.get(category, 0) + 1

    @property
    def is_partial(self) -> bool:
        """Whether tests that it lacks may be in another shard."""
        return self.shard is not None or self.incomplete

    @property
    def found(self) -> int:
        """How many tests it has, in all shards."""
        return self.collected if self.shard is None else self.shard.collected or 0

    @property
    def outcome(self) -> ImageOutcome:
        """What this image adds to the session."""
        if self.problem:
            return "error"
        if not self.ended:
            return "interrupted"
        if self.exit_status == pytest.ExitCode.OK:
            return "passed"
        if self.exit_status == pytest.ExitCode.NO_TESTS_COLLECTED:
            return "nothing collected"
        if self.exit_status == pytest.ExitCode.INTERRUPTED:
            return "interrupted"
        return "failed"

    @property
    def not_run(self) -> int:
        """How many of its tests it did not come to."""
        return sum(outcome == NOT_RUN for outcome in self.outcomes.values())

    @property
    def is_compared(self) -> bool:
        """Whether its tests are worth a column."""
        return bool(self.outcomes) and (self.ended or self.not_run < len(self.outcomes))

    @property
    def stopped_early(self) -> bool:
        """Whether it did not come to all its tests because somebody said enough."""
        return not self.ended or (not self.problem and NOT_RUN in self.outcomes.values())

    @property
    def failed(self) -> bool:
        """Whether anything is wrong with it; an image that collected nothing is judged with the others."""
        return self.outcome not in ("passed", "nothing collected")


# Exit statuses from harmless to worst; any other number is a suite's own (pytest.exit) and stands between the last two.
_STATUSES = (
    pytest.ExitCode.NO_TESTS_COLLECTED,
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    6,  # too many warnings, since pytest 9.1
    None,
    pytest.ExitCode.INTERRUPTED,
    pytest.ExitCode.USAGE_ERROR,
)


def exit_status(results: Mapping[str, ImageResult]) -> int:
    """Return the worst exit status of the images that are not allowed to fail.

    5 only if no image collected anything, those that are allowed to fail included; 1 for an image that could not be
    tested to the end; an INTERNALERROR inside is that image's error, not ours.
    """
    if results and all(result.outcome == "nothing collected" for result in results.values()):
        return int(pytest.ExitCode.NO_TESTS_COLLECTED)
    statuses = []
    for result in results.values():
        if result.allowed_to_fail and (result.failed or result.exit_status == pytest.ExitCode.NO_TESTS_COLLECTED):
            continue
        status = result.exit_status
        if result.usage_error:
            statuses.append(int(pytest.ExitCode.USAGE_ERROR))
        elif result.problem or status is None or status == pytest.ExitCode.INTERNAL_ERROR:
            statuses.append(int(pytest.ExitCode.TESTS_FAILED))
        else:
            statuses.append(status)
    return pick_worst_status(statuses)


def pick_worst_status(statuses: Iterable[int]) -> int:
    """Return the worst of exit statuses; 0 if there are none."""
    return max(statuses, key=_rank, default=int(pytest.ExitCode.OK))


def _rank(status: int) -> int:
    return _STATUSES.index(status) if status in _STATUSES else _STATUSES.index(None)
