"""Replay the events of the containers through pytest's own hooks, so that terminal, junit and most plugins work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages.errors import BuildError, PyimagesError
from pytest_pyimages.results.details import describe_failure
from pytest_pyimages.results.outcome import NOT_RUN, Failure, ImageResult
from pytest_pyimages.results.problems import describe_missing_tests
from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.results.replay.interleaved import Interleaved
from pytest_pyimages.results.replay.reporter import ReporterAdapter, needs_every_phase
from pytest_pyimages.results.reports import append_label, locate_warning, make_warning
from pytest_pyimages.runs import RunEnd
from pytest_pyimages.runs.events import (
    Collected,
    CollectReport,
    CoveragePart,
    Debugger,
    Event,
    Hello,
    Item,
    Items,
    Measured,
    Passed,
    Report,
    Seeded,
    Shown,
    Warned,
)

if TYPE_CHECKING:
    from pytest_pyimages.images import BuiltImage
    from pytest_pyimages.results.replay.debugger import DebuggerTerminal
    from pytest_pyimages.results.verdict import Judge

PATIENCE = 1.0  # seconds that a file's dots may wait for the rest of the file


class Replay:
    """Turns events into calls of pytest's hooks, and into results; only used on the main thread."""

    def __init__(
        self,
        session: pytest.Session,
        results: dict[str, ImageResult],
        *,
        collect_only: bool,
        judge: Judge,
        details: bool = False,
    ) -> None:
        """Prepare for the images of a session.

        :param results: of all images, by label; updated as they run.
        :param details: whether to keep tracebacks and captured output, for report files.
        """
        self._session = session
        self._hook = session.config.hook
        self._collect_only = collect_only
        self._details = details
        self._judge = judge
        self.measured: Callable[[str, CoveragePart | Measured], None] = lambda *_: None  # receives coverage data
        self._runs = {label: ImageRun(results, label) for label in results}
        self._known: dict[Item, Item] = {}  # images have the same tests: each is kept once
        self._refusals: dict[str, pytest.CollectReport] = {}  # by label
        self._reporter = ReporterAdapter(session.config, has_several_images=len(results) > 1)
        self._hold = session.config.getoption("verbose", 0) <= 0  # with -v each test has a line of its own
        self.patience = PATIENCE
        self.debugger: DebuggerTerminal | None = None
        self._call_only = not needs_every_phase(session.config)

    def set_built(self, label: str, built: BuiltImage) -> None:
        """Record the environment image of an image."""
        run = self._runs[label]
        run.result = replace(
            run.result,
            digest=built.digest,
            python=built.python,
            cached=built.cached,
            build_seconds=built.build_seconds,
        )

    def play(self, label: str, events: Sequence[Event]) -> None:
        """Play what one container has sent, in order."""
        run = self._runs[label]
        for event in events:
            if isinstance(event, Report) and run.interleaved is not None:
                for phase in run.interleaved.add_phase(event):
                    self._hold_or_play(run, phase)
            elif isinstance(event, (Passed, Report)):
                self._hold_or_play(run, event)
            elif isinstance(event, CoveragePart | Measured):
                self.measured(label, event)
            elif isinstance(event, (Debugger, Shown)):
                self._play_all(run)
                if self.debugger is not None:  # without a terminal, Run lets none of these through
                    self.debugger.take(event)
            else:
                self._play_other(run, event)

    def show_output(self, label: str, data: bytes) -> None:
        """Write what a suite printed outside of pytest's capture."""
        self._reporter.show_output(self._runs[label], data)

    def flush_late(self) -> None:
        """Play what has been held for longer than ``PATIENCE``."""
        now = time.monotonic()
        for run in self._runs.values():
            if run.held and now - run.held_since > PATIENCE:
                self._play_held(run)

    def flush(self) -> None:
        """Take the terminal back from a debugger, and play all that is held."""
        if self.debugger is not None:
            self.debugger.close()
        for run in self._runs.values():
            self._play_all(run)
            if not run.result.ended:  # another image reached --maxfail, or the session was interrupted
                self._set_not_run(run)
        self._play_refusals()

    def _set_not_run(self, run: ImageRun) -> list[str]:
        """Give tests that were not reported their outcome; return their node ids."""
        missing = run.list_missing()
        if not self._collect_only:
            for nodeid in missing:
                run.outcomes.setdefault(nodeid, NOT_RUN)
        return missing

    def _hold_or_play(self, run: ImageRun, event: Passed | Report) -> None:
        if not self._hold:
            self._play(run, event)
            self._reporter.end_phase()
            return
        path = run.items[event.test].path if isinstance(event, Passed) else event.location[0]
        if path != run.held_path:
            self._play_held(run)
            run.held_path = path
        if not run.held:
            run.held_since = time.monotonic()
        run.held.append(event)
        if time.monotonic() - run.held_since > PATIENCE:
            self._play_held(run)

    def _play_all(self, run: ImageRun) -> None:
        """Play what is held, phases of unfinished tests included."""
        self._play_held(run)
        if run.interleaved is not None:
            for phase in run.interleaved.take_unfinished():
                self._play(run, phase)

    def _play_held(self, run: ImageRun) -> None:
        held, run.held = run.held, []
        for event in held:
            self._play(run, event)

    def _play(self, run: ImageRun, event: Passed | Report) -> None:
        if self._session.shouldfail or self._session.shouldstop:
            return  # --maxfail was reached over all images: what was held belongs to no test that counts
        if isinstance(event, Passed):
            self._play_passed(run, event)
        else:
            self._play_report(run, event)

    def _play_passed(self, run: ImageRun, event: Passed) -> None:
        item, hook = run.items[event.test], self._hook
        self._finish_started(run)
        nodeid = append_label(item.nodeid, run.label)
        hook.pytest_runtest_logstart(nodeid=nodeid, location=(item.path, item.line, item.domain))
        for report in run.maker.make_passed(item, event, call_only=self._call_only):
            hook.pytest_runtest_logreport(report=report)
            self._reporter.drop_phase(report)
        hook.pytest_runtest_logfinish(nodeid=nodeid, location=(item.path, item.line, item.domain))
        run.count(item.nodeid, "passed")
        run.durations[item.nodeid] = sum(event.durations)
        run.reported.add(item.nodeid)

    def _play_report(self, run: ImageRun, event: Report) -> None:
        if run.started != event.nodeid:
            self._finish_started(run)
            run.started = event.nodeid
            nodeid = append_label(event.nodeid, run.label)
            self._hook.pytest_runtest_logstart(nodeid=nodeid, location=event.location)
        if event.status[0] or event.when == "teardown":  # a passed setup is not a result yet
            run.reported.add(event.nodeid)
        if event.outcome == "rerun":
            self._reporter.remove_subtests(self._session, run, event.nodeid)
        run.count(event.nodeid, event.status[0])
        run.durations[event.nodeid] = run.durations.get(event.nodeid, 0.0) + event.duration
        if event.outcome == "skipped" and event.longrepr.skip is not None:
            self._judge.record_skip(run.label, "test", event.longrepr.skip[2])
        if self._details and event.outcome == "failed":
            run.failures[event.nodeid] = describe_failure(event)
        self._hook.pytest_runtest_logreport(report=run.maker.make_report(event))
        if event.when == "teardown":
            self._finish_started(run)

    def _finish_started(self, run: ImageRun) -> None:
        if run.started:
            nodeid, run.started = append_label(run.started, run.label), ""
            self._hook.pytest_runtest_logfinish(nodeid=nodeid, location=("", None, ""))

    def _play_other(self, run: ImageRun, event: Event) -> None:
        if isinstance(event, Items):
            run.items += (self._known.setdefault(item, item) for item in event.items)
        elif isinstance(event, Collected):
            self._set_collected(run, event)
        elif isinstance(event, CollectReport):
            run.count_no_test(event.nodeid, "skipped" if event.outcome == "skipped" else "error")
            if event.outcome == "failed":
                self._judge.record_error(run.label, event.longrepr.text)
            elif event.longrepr.skip is not None:
                self._judge.record_skip(run.label, "module", event.longrepr.skip[2])
            self._play_collect(run, run.maker.make_collect(event))
        elif isinstance(event, Warned):
            run.record(event)
            self._play_warning(run, event)
        elif isinstance(event, Seeded):
            if all(other.result.seed is None for other in self._runs.values()):
                self._reporter.show_seed(event.seed)
            run.record(event)
        else:
            run.record(event)
            if isinstance(event, Hello) and event.processes:
                self._interleave(run)

    def _interleave(self, run: ImageRun) -> None:
        """Prepare for tests of several files at once."""
        run.interleaved = Interleaved()
        self._hold = False
        for other in self._runs.values():
            self._play_held(other)
        self._reporter.mix_files()

    def _play_warning(self, run: ImageRun, event: Warned) -> None:
        self._hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": make_warning(event),
                "when": event.when,
                "nodeid": locate_warning(event, run.label, self._session.config.invocation_params.dir),
                "location": None,
            }
        )

    def _set_collected(self, run: ImageRun, event: Collected) -> None:
        run.result = replace(run.result, collected=event.total)
        run.collected = True
        self._count_expected()
        self._reporter.set_expected(self._session.testscollected, deselected=event.deselected)
        if self._collect_only:
            self._reporter.list_tests(run.label, run.items)

    def _count_expected(self) -> None:
        """Set the number of tests; an image that has not collected yet counts as much as the largest."""
        known = [run.result.collected for run in self._runs.values() if run.collected]
        collecting = sum(not run.collected and not run.result.ended for run in self._runs.values())
        self._session.testscollected = sum(known) + collecting * max(known, default=0)

    def end_run(self, label: str, end: RunEnd | None, error: PyimagesError | None, *, run_seconds: float) -> None:
        """Conclude an image's run: tests without a report become an error of the image."""
        run = self._runs[label]
        if self.debugger is not None:
            self.debugger.close()
        self._play_all(run)
        self._finish_started(run)
        detail = ""
        if error is not None:
            run.result = replace(run.result, problem=str(error))
            detail = error.log if isinstance(error, BuildError) else ""
        elif end is not None:
            left = len(self._set_not_run(run)) if run.interleaved is not None and not self._collect_only else 0
            run.result, detail = self._judge.judge(run, end, left=left)
        run.result = replace(run.result, ended=True, run_seconds=run_seconds)
        self._count_expected()
        missing = self._set_not_run(run)
        if run.result.problem:
            self._fail_image(run, end, missing, detail)

    def _fail_image(self, run: ImageRun, end: RunEnd | None, missing: list[str], detail: str) -> None:
        """Report the problem of an image.

        :param missing: node ids of the tests that were not reported.
        :param detail: what is shown below the problem.
        """
        problem = run.result.problem
        if end is not None and 0 <= end.running < len(run.items):
            item = run.items[end.running]
            self._fail_running(run, item, detail)
            missing.remove(item.nodeid)
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
            self._play_collect(run, report)

    def _fail_running(self, run: ImageRun, item: Item, detail: str) -> None:
        """Report the failure of the test during which the worker died."""
        problem = run.result.problem
        run.outcomes.pop(item.nodeid, None)
        run.count(item.nodeid, "failed")
        run.reported.add(item.nodeid)
        run.failures[item.nodeid] = Failure(phase="call", message=problem, text=detail)
        self._hook.pytest_runtest_logreport(report=run.maker.make_crash(item, problem, detail))

    def fail_images_without_tests(self) -> None:
        """Report an error for each image that collected nothing while another has tests: it would pass untested.

        To be called once all images have ended, unless the command line selects tests.
        """
        largest = max((run.result for run in self._runs.values()), key=lambda result: result.found)
        if not largest.found:
            return
        for run in self._runs.values():
            if run.result.exit_status == pytest.ExitCode.NO_TESTS_COLLECTED and not run.result.problem:
                run.result = run.result.add_problem(describe_missing_tests(run.result, largest))
                self._play_collect(run, run.maker.make_image_error(run.result.problem, ""))

    def _play_refusals(self) -> None:
        """Play the usage errors of pytest in the containers, unless all images have the same.

        Then the section of the images shows it once.
        """
        problems = {self._runs[label].result.problem for label in self._refusals}
        if len(problems) > 1 or len(self._refusals) < len(self._runs):
            for label, report in self._refusals.items():
                self._play_collect(self._runs[label], report)
        self._refusals.clear()

    def _play_collect(self, run: ImageRun, report: pytest.CollectReport) -> None:
        if report.failed and run.result.allowed_to_fail:
            self._reporter.add_allowed(report)
        else:
            self._hook.pytest_collectreport(report=report)
