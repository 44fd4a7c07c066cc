"""What replay collects of one image while it runs."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pyimages.results import outcome
from pytest_pyimages.results.details import describe_reason
from pytest_pyimages.results.outcome import NOT_RUN, Failure, ImageResult
from pytest_pyimages.results.replay.interleaved import Interleaved
from pytest_pyimages.results.replay.printed import PrintedText
from pytest_pyimages.results.reports import ReportMaker
from pytest_pyimages.results.warning_places import Locations, WarningPlace, add_warning, locate, make_relative
from pytest_pyimages.runs.events import (
    Beat,
    CollectReport,
    Divided,
    Event,
    Failing,
    GaveUp,
    Hello,
    Internal,
    Interrupted,
    Item,
    Kept,
    Passed,
    Report,
    Seeded,
    SuiteProperties,
    Summary,
    Warned,
)
from pytest_pyimages.text import flatten, format_seconds

if TYPE_CHECKING:
    from pytest_pyimages.images import BuiltImage

_OUTCOMES = ("passed", "failed", "skipped")
# A test that passed and whose teardown failed has one outcome of each for pytest; the worse one is compared.
_SEVERITY = {name: rank for rank, name in enumerate(("passed", "skipped", "xfailed", "xpassed", "failed", "error"))}


class ImageRun:
    """Accumulates the events of one container; ``result`` is the value that everybody else reads.

    :param results: the session's, by label; ``result`` is this image's entry.
    """

    def __init__(self, results: dict[str, ImageResult], label: str) -> None:
        self._results = results
        self.label = label
        self.counts = dict(self.result.counts)
        self.not_tests: dict[str, int] = {}
        self.outcomes: dict[str, str] = {}
        self.warnings: dict[str, int] = {}
        self.warning_places: dict[WarningPlace, Locations] = {}
        self.rootdir = ""  # pytest's in the container
        self.durations: dict[str, float] = {}
        self.failures: dict[str, Failure] = {}
        self.reasons: dict[str, str] = {}
        self.reason_places: dict[str, str] = {}
        self.result = replace(
            self.result,
            counts=self.counts,
            not_tests=self.not_tests,
            outcomes=self.outcomes,
            warnings=self.warnings,
            warning_places=self.warning_places,
            durations=self.durations,
            failures=self.failures,
            reasons=self.reasons,
            reason_places=self.reason_places,
        )
        self.maker = ReportMaker(label, allowed_to_fail=self.result.allowed_to_fail)
        self.items: list[Item] = []
        self.unfinished: set[str] = set()  # node ids that have no result, although they may have an outcome
        self.started = ""  # node id of the test whose logstart was called
        self.held: list[Passed | Report] = []  # of one file, so that the images' dots do not alternate
        self.held_path = ""
        self.held_since = 0.0
        self.collected = False
        self.has_unique_ids = False  # known once the tests are collected; pytest has --keep-duplicates
        self.running = -1  # index of the test that runs, as the worker has reported last
        self.running_since = 0.0
        self.printed: PrintedText | None = None  # what it printed outside of pytest's capture
        self.own_outcomes: dict[str, str] = {}  # by node id: an outcome that a plugin has invented, without a later one
        self.fault = ""  # the first error of replaying its events
        self._fault_detail = ""
        self.detail = ""  # what is shown below the image's problem
        self.failing: list[str] = []  # what pytest in the container keeps as failing
        self.internal = ""  # its INTERNALERROR
        self.interrupted = ""  # why it stopped
        self.gave_up = ""  # why xdist did
        self.interleaved: Interleaved | None = None  # if each test is played as a whole
        self.has_processes = False  # of xdist: several tests run at once

    def set_built(self, built: BuiltImage, *, same_as: str, engine: str) -> None:
        """Record the environment image, and the engine that it is on if there are several."""
        self.result = replace(
            self.result,
            digest=built.digest,
            python=built.python,
            implementation=", ".join(filter(None, (built.implementation, built.platform))),
            cached=built.cached,
            build_seconds=built.build_seconds,
            same_as=same_as,
            engine=engine,
        )

    @property
    def result(self) -> ImageResult:
        """The image's result so far."""
        return self._results[self.label]

    @result.setter
    def result(self, result: ImageResult) -> None:
        self._results[self.label] = result

    def count(self, nodeid: str, category: str) -> None:
        """Count one report in pytest's own words; "" is a phase that pytest does not count."""
        if not category:
            return
        self.counts[category] = self.counts.get(category, 0) + 1
        if nodeid and category in _SEVERITY:
            present = self.outcomes.get(nodeid)
            if present is None or _SEVERITY[category] > _SEVERITY.get(present, -1):
                self.outcomes[nodeid] = category

    def record_passed(self, nodeid: str, duration: float) -> None:
        """Record that all phases of a test have passed, perhaps in a later attempt; the duration is in seconds."""
        self.count(nodeid, "passed")
        self.durations[nodeid] = self.durations.get(nodeid, 0.0) + duration
        self._add_result(nodeid)

    def _add_result(self, nodeid: str) -> None:
        self.own_outcomes.pop(nodeid, None)
        self.unfinished.discard(nodeid)

    def has_result(self, nodeid: str) -> bool:
        """Return whether a test was reported; its outcome alone may be that of a subtest, or of a first attempt."""
        return nodeid in self.outcomes and nodeid not in self.unfinished and self.outcomes[nodeid] != NOT_RUN

    def record_phase(self, event: Report) -> None:
        """Record what a phase means for its test, whatever the suite calls it.

        The worker has the same rule for which tests have a result: with an outcome that a plugin has invented, such as
        "rerun", another attempt follows.
        """
        had_result = self.has_result(event.nodeid)
        self.count(event.nodeid, classify(event))
        self.durations[event.nodeid] = self.durations.get(event.nodeid, 0.0) + event.duration
        is_own = event.outcome not in _OUTCOMES
        if is_own and not event.subtest:
            self.own_outcomes[event.nodeid] = event.outcome
        if not event.subtest and not is_own and (event.when == "call" or event.outcome != "passed"):
            self._add_result(event.nodeid)
        elif not had_result:
            self.unfinished.add(event.nodeid)

    def add_fault(self, error: Exception) -> None:
        """Record an error of replaying an event; only the first one is reported."""
        if not self.fault:
            self.fault = f"a result could not be shown ({type(error).__name__}: {flatten(error)})"
            self._fault_detail = "".join(traceback.format_exception(error))

    def add_fault_to_problem(self) -> None:
        """Make an error of replaying an event a problem of the image."""
        if self.fault:
            self.result = replace(self.result, problem=" · ".join(filter(None, (self.result.problem, self.fault))))
            self.detail = "\n".join(filter(None, (self.detail, self._fault_detail)))

    def record_reason(self, event: Report | CollectReport) -> None:
        """Record why a test or file was skipped, and where, or why a test is expected to fail."""
        reason = describe_reason(event)
        if reason:
            self.reasons[event.nodeid] = reason
        if event.outcome == "skipped" and event.longrepr.skip is not None:
            path, line, _ = event.longrepr.skip
            path = make_relative(path, self.rootdir)
            self.reason_places[event.nodeid] = path if line is None else f"{path}:{line}"

    def count_no_test(self, nodeid: str, category: str) -> None:
        """Count a report of a file or of the image; every shard has the same."""
        if not self.has_result(nodeid):
            self.unfinished.add(nodeid)
        self.count(nodeid, category)
        self.not_tests[category] = self.not_tests.get(category, 0) + 1

    def list_missing(self) -> list[str]:
        """Return the node ids of the tests that were not reported."""
        return [item.nodeid for item in self.items if not self.has_result(item.nodeid)]

    def describe_activity(self) -> str:
        """Return the running test and since when it runs; empty if it is not known."""
        if not 0 <= self.running < len(self.items):
            return ""
        return f"{self.items[self.running].nodeid}, {format_seconds(time.monotonic() - self.running_since)}"

    def record(self, event: Event) -> None:
        """Keep what an event adds to the result or to the verdict."""
        if isinstance(event, Beat):
            if event.running != self.running:
                self.running, self.running_since = event.running, time.monotonic()
        elif isinstance(event, Failing):
            self.failing += event.nodeids
        elif isinstance(event, Warned):
            place = add_warning(self.warning_places, locate(event, self.rootdir), event.nodeid)
            self.warnings[place.message] = self.warnings.get(place.message, 0) + 1
        elif isinstance(event, Internal):
            self.internal = event.text
        elif isinstance(event, Interrupted):
            self.interrupted = event.text
        elif isinstance(event, GaveUp):
            self.gave_up = event.text
        else:
            self._update_result(event)

    def _update_result(self, event: Event) -> None:
        result = self.result
        if isinstance(event, Kept):
            result = replace(result, kept=outcome.Kept(failed=tuple(self.failing), stepwise=event.stepwise))
        elif isinstance(event, Hello):
            self.rootdir = event.rootdir
            result = replace(result, python=event.python, max_warnings=event.max_warnings)
        elif isinstance(event, Seeded):
            result = replace(result, seed=event.seed)
        elif isinstance(event, SuiteProperties):
            result = replace(result, properties=event.pairs)
        elif isinstance(event, Summary):
            result = replace(result, summary=event.text)
        elif isinstance(event, Divided) and result.shard is not None:
            shard = outcome.Shard(index=result.shard.index, of=result.shard.of, **event._asdict())
            result = replace(result, shard=shard)
        self.result = result


def classify(event: Report) -> str:
    """Return the category that pytest itself counts a phase in; empty if it counts none.

    A suite's own pytest_report_teststatus may hide a failure behind any other word, or be missing (-p no:terminal).
    Only for an outcome that a plugin has invented, such as "rerun", the suite's word is the category.
    """
    if event.outcome == "failed":
        return "error" if event.when in ("setup", "teardown") else "failed"
    if event.outcome not in _OUTCOMES or event.subtest:
        return event.status[0]
    if event.outcome == "skipped":
        return "skipped" if event.wasxfail is None else "xfailed"
    if event.when != "call":
        return ""
    return "passed" if event.wasxfail is None else "xpassed"
