"""The results of images and tests, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import pytest

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.results.warning_places import Places

COUNTED = ("passed", "failed", "skipped", "xfailed", "xpassed", "error")
NOT_RUN = "not run"
TOO_MANY_WARNINGS = 6  # pytest's ExitCode.MAX_WARNINGS_ERROR, since 9.1


class Kept(NamedTuple):
    """What pytest in the container has in its cache at the end of a session."""

    failed: tuple[str, ...]  # node ids
    stepwise: Any  # the value of cache/stepwise; None if there is none


ImageOutcome = Literal["passed", "failed", "error", "interrupted", "nothing collected"]


class Failure(NamedTuple):
    """How a test failed on one image, for report files."""

    phase: str  # setup, call or teardown; collect of a file
    message: str  # one line
    text: str  # the traceback
    line: int = 0  # in the test's file, from 1; 0 if it is not known
    sections: tuple[tuple[str, str], ...] = ()  # title and captured output


class Shard(Immutable):
    """The part of an image's tests that a session runs; the other fields are known once the tests are collected."""

    index: int  # from 1
    of: int
    collected: int | None = None  # tests of all shards
    tests: int = 0  # in this shard
    digest: str = ""  # of the sorted node ids of all shards
    durations: str = ""  # digest of their recorded durations

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


class ImageResult(Immutable):
    """The result of one image; pytest_pyimages_run_finished gets it when the image has ended.

    The mappings are read-only. Until the image has ended they are views of what replay has collected so far.
    """

    label: str
    reference: str
    allowed_to_fail: bool
    digest: str = ""  #: of the environment image
    python: str = ""  #: its version; empty if it is not known
    implementation: str = ""  #: "PyPy 7.3.19", "free-threaded", a platform; empty for the usual CPython
    cached: bool = False
    build_seconds: float = 0.0
    run_seconds: float = 0.0
    exit_status: int | None = None  #: of pytest in the container; None if it reported none
    problem: str = ""  #: one line; empty if the image was tested to the end
    stopped: str = ""  #: why the suite stopped before its end, in pytest's words
    hint: str = ""  #: what is missing for the suite to be collected, and how to add it; one line
    collected: int = 0
    deselected: int = 0  #: tests that the command line or a plugin left out; not those of other shards
    engine: str = ""  #: address or context of the engine that it ran on; empty if the session has only one
    same_as: str = ""  #: label of the same image, which was run in its place; empty if it was run itself
    smoke: bool = False  #: only the project's modules and the tests that are marked were to be run
    shard: Shard | None = None  #: None if all tests were to be run
    incomplete: bool = False  #: merged from shards of which some are missing
    counts: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    not_tests: Mapping[str, int] = field(default_factory=dict)  #: of the counts: files and the image
    outcomes: Mapping[str, str] = field(default_factory=dict)  #: by node id
    warnings: Mapping[str, int] = field(default_factory=dict)  #: by "category: message": how often
    warning_places: Places = field(default_factory=dict)  #: by place: how often by node id, or by file from ten on
    max_warnings: int | None = None  #: how many warnings may be there if all tests pass; None without a limit
    durations: Mapping[str, float] = field(default_factory=dict)  #: by node id: seconds of all phases
    failures: Mapping[str, Failure] = field(default_factory=dict)  #: by node id: the last one; only for report files
    reasons: Mapping[str, str] = field(default_factory=dict)  #: by node id: why skipped or expected to fail; likewise
    reason_places: Mapping[str, str] = field(default_factory=dict)  #: by node id: "path:line" of skips; likewise
    seed: int | None = None  #: of pytest-randomly, if the suite has it
    summary: str = ""  #: what plugins and conftests of the suite wrote in pytest_terminal_summary
    output: str = ""  #: what the suite printed outside of pytest's capture, unless that was shown as it came (-s)
    properties: tuple[tuple[str, str], ...] = ()  #: what the suite itself adds to those of its junit file
    usage_error: bool = False  #: pytest in the container refused its arguments
    kept: Kept | None = None  #: None if pytest in the container did not report it
    ended: bool = False  #: False if the session did not wait for the image

    def __post_init__(self) -> None:
        tests = ("outcomes", "durations", "failures", "reasons", "reason_places")
        for name in ("counts", "not_tests", "warnings", "warning_places", *tests):
            mapping = getattr(self, name)
            if not isinstance(mapping, MappingProxyType):
                object.__setattr__(self, name, MappingProxyType(mapping))

    def add_problem(self, problem: str, *, incomplete: bool = False) -> ImageResult:
        """Return this result with one more problem, which counts as an error."""
        return replace(
            self,
            problem=" · ".join(filter(None, (self.problem, problem))),
            incomplete=self.incomplete or incomplete,
            counts={**self.counts, "error": self.counts.get("error", 0) + 1},
            not_tests={**self.not_tests, "error": self.not_tests.get("error", 0) + 1},
        )

    @property
    def full_python(self) -> str:
        """Its Python as people call it: "3.14.4", "3.11.13 PyPy 7.3.19"."""
        return f"{self.python} {self.implementation}".rstrip()

    @property
    def is_partial(self) -> bool:
        """Whether other shards may have more of its tests."""
        return self.shard is not None or self.incomplete

    @property
    def found(self) -> int:
        """The number of its tests, in all shards."""
        return self.collected if self.shard is None else self.shard.collected or 0

    @property
    def outcome(self) -> ImageOutcome:
        """The outcome of the image as a whole."""
        if self.problem:
            return "error"
        if not self.ended:
            return "interrupted"
        if self.counted_status == pytest.ExitCode.OK:
            return "passed"
        if self.exit_status == pytest.ExitCode.NO_TESTS_COLLECTED and not self.collected:
            return "nothing collected"
        if self.exit_status == pytest.ExitCode.INTERRUPTED:
            return "interrupted"
        return "failed"

    @property
    def counted_status(self) -> int | None:
        """The exit status, but 1 instead of a status that the suite has chosen against its own results.

        That is 5 of a suite with tests, and 0 of one with failures.
        """
        is_denied = self.exit_status == pytest.ExitCode.NO_TESTS_COLLECTED and self.collected
        is_hidden = self.exit_status == pytest.ExitCode.OK and (self.counts.get("failed") or self.counts.get("error"))
        return int(pytest.ExitCode.TESTS_FAILED) if is_denied or is_hidden else self.exit_status

    @property
    def not_run(self) -> int:
        """The number of its tests that were not run."""
        return sum(outcome == NOT_RUN for outcome in self.outcomes.values())

    @property
    def is_compared(self) -> bool:
        """Whether the comparison has a column for it."""
        return bool(self.outcomes) and (self.ended or self.not_run < len(self.outcomes))

    @property
    def stopped_early(self) -> bool:
        """Whether tests were not run because of -x, --maxfail or an interruption."""
        return not self.ended or (not self.problem and NOT_RUN in self.outcomes.values())

    @property
    def was_tested(self) -> bool:
        """Whether at least one of its tests was run, or all of them were collected if none was to be run."""
        tests = sum(self.counts.values()) - sum(self.not_tests.values())
        is_complete = not self.problem and self.exit_status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        return is_complete or tests > 0

    @property
    def failed(self) -> bool:
        """Whether the image failed; one without tests depends on the others (``fold_exit_statuses``)."""
        return self.outcome not in ("passed", "nothing collected")


# From harmless to worst; None stands for any other number, which a suite passed to pytest.exit.
_STATUSES = (
    pytest.ExitCode.NO_TESTS_COLLECTED,
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    TOO_MANY_WARNINGS,
    None,
    pytest.ExitCode.INTERRUPTED,
    pytest.ExitCode.USAGE_ERROR,
)


def fold_exit_statuses(results: Mapping[str, ImageResult]) -> int:
    """Return the worst exit status of the images that are not allowed to fail.

    It is 5 only if that is the exit status of all images, those that are allowed to fail included. An image that could
    not be tested to the end, or whose pytest had an INTERNALERROR, counts as 1. If no image was tested, none is allowed
    to fail: a run that tests nothing is no success.
    """
    no_tests = int(pytest.ExitCode.NO_TESTS_COLLECTED)
    if results and all(result.exit_status == no_tests and not result.problem for result in results.values()):
        return no_tests
    is_tested = any(result.was_tested for result in results.values())
    statuses = []
    for result in results.values():
        if is_tested and result.allowed_to_fail and result.outcome != "passed":
            continue
        status = result.counted_status
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
