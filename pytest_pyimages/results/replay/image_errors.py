"""Report the images that could not be tested, or only in part, as errors of pytest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import pytest

from pytest_pyimages.results.outcome import Failure
from pytest_pyimages.results.problems import describe_missing_tests
from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.results.replay.reporter import ReporterAdapter
from pytest_pyimages.results.replay.stand_ins import StandIns
from pytest_pyimages.results.reports import append_label
from pytest_pyimages.runs import RunEnd
from pytest_pyimages.runs.events import Item


class ImageErrors:
    """Calls pytest's hooks for errors of images; only used on the main thread."""

    def __init__(
        self,
        runs: Mapping[str, ImageRun],
        hook: Any,
        reporter: ReporterAdapter,
        *,
        stand_ins: StandIns,
        collect_only: bool,
    ) -> None:
        self._stand_ins = stand_ins
        self._runs = runs
        self._hook = hook
        self._reporter = reporter
        self._collect_only = collect_only
        self._refusals: dict[str, pytest.CollectReport] = {}  # by label

    def fail_image(self, run: ImageRun, end: RunEnd | None, missing: list[str]) -> None:
        """Report the problem of an image.

        :param missing: node ids of the tests that have no result.
        """
        problem, detail = run.result.problem, run.detail
        if end is not None and 0 <= end.running < len(run.items):
            item = run.items[end.running]
            missing = [nodeid for nodeid in missing if nodeid != item.nodeid]
            self._fail_running(run, item, detail)
            problem += f" in {item.nodeid}"
            detail = ""  # it is shown with that test
        if missing and not self._collect_only:
            problem += f" (after {len(run.items) - len(missing)} of {len(run.items)} tests; {len(missing)} not run)"
        run.result = replace(run.result, problem=problem)
        run.count_no_test("", "error")
        report = run.maker.make_image_error(problem, detail)
        if run.result.usage_error and not detail:
            self._refusals[run.label] = report
        else:
            self.play_collect(run, report)

    def _fail_running(self, run: ImageRun, item: Item, detail: str) -> None:
        """Report the failure of the test during which the worker died; an error if the test had a result before."""
        problem = run.result.problem
        phase: Literal["call", "teardown"] = "teardown" if run.has_result(item.nodeid) else "call"
        if phase == "call":
            run.outcomes.pop(item.nodeid, None)
        run.count(item.nodeid, "failed" if phase == "call" else "error")
        run.unfinished.discard(item.nodeid)
        run.failures[item.nodeid] = Failure(phase=phase, message=problem, text=detail)
        report = run.maker.make_crash(item, problem, detail, when=phase)
        self._stand_ins.start(append_label(item.nodeid, run.label))
        if phase == "teardown":
            self._reporter.expect_again(report)
        self._hook.pytest_runtest_logreport(report=report)
        self._stand_ins.interact(report, f"RuntimeError: {problem}")

    def fail_images_without_tests(self) -> None:
        """Report an error for each image that collected nothing while another has tests: it would pass untested.

        To be called once all images have ended, unless the command line selects tests.
        """
        largest = max((run.result for run in self._runs.values()), key=lambda result: result.found)
        if not largest.found:
            return
        for run in self._runs.values():
            if not run.result.found and not run.result.failed:
                run.result = run.result.add_problem(describe_missing_tests(run.result, largest))
                self.play_collect(run, run.maker.make_image_error(run.result.problem, ""))

    def play_refusals(self) -> None:
        """Play the usage errors of pytest in the containers, unless all images have the same.

        Then the section of the images shows it once.
        """
        problems = {self._runs[label].result.problem for label in self._refusals}
        if len(problems) > 1 or len(self._refusals) < len(self._runs):
            for label, report in self._refusals.items():
                self.play_collect(self._runs[label], report)
        self._refusals.clear()

    def play_collect(self, run: ImageRun, report: pytest.CollectReport, *, error: str = "") -> None:
        """Report a collector that failed or was skipped.

        :param error: the type and the message of its exception; by default, that is the image's problem.
        """
        if report.failed and run.result.allowed_to_fail:
            self._reporter.add_allowed(report)
        else:
            self._hook.pytest_collectreport(report=report)
            self._stand_ins.interact(report, error or f"ImageError: {run.label}: {run.result.problem}")
