"""Replay the events of the containers through pytest's own hooks, so that terminal, junit and most plugins work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_pyimages.errors import BuildError, PyimagesError
from pytest_pyimages.results.details import describe_failure
from pytest_pyimages.results.outcome import NOT_RUN, ImageResult
from pytest_pyimages.results.replay.image_errors import ImageErrors
from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.results.replay.interleaved import Interleaved
from pytest_pyimages.results.replay.reporter import ReporterAdapter
from pytest_pyimages.results.replay.stand_ins import StandIns
from pytest_pyimages.results.reports import append_label, describe_error, locate_warning, make_warning
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
from pytest_pyimages.text import clean

if TYPE_CHECKING:
    from pytest_pyimages.images import BuiltImage
    from pytest_pyimages.results.replay.debugger import DebuggerTerminal
    from pytest_pyimages.results.verdict import Judge

T = TypeVar("T")
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
        self._reporter = ReporterAdapter(session.config, list(results))
        self.stand_ins = StandIns(session, results)
        self.errors = ImageErrors(
            self._runs, self._hook, self._reporter, stand_ins=self.stand_ins, collect_only=collect_only
        )
        self._hold = session.config.getoption("verbose", 0) <= 0  # with -v each test has a line of its own
        self.patience = PATIENCE
        self.debugger: DebuggerTerminal | None = None
        if self.stand_ins.are_needed:
            for run in self._runs.values():
                run.interleaved = Interleaved()  # editors know of one test at a time

    def set_engine(self, label: str, engine: str) -> None:
        """Record the engine of an image, and of the images that it is run for as well; of several engines."""
        for run in self._runs.values():
            if label in (run.label, run.result.same_as):
                run.result = replace(run.result, engine=engine)

    def set_built(self, label: str, built: BuiltImage, *, same_as: str = "") -> None:
        """Record the environment image of an image.

        :param same_as: the label whose run is this image's as well.
        """
        self._runs[label].set_built(built, same_as=same_as, engine=self._runs[same_as or label].result.engine)

    def play(self, label: str, events: Sequence[Event]) -> None:
        """Play what one container has sent, in order."""
        run = self._runs[label]
        for event in events:
            if isinstance(event, Report) and run.interleaved is not None:
                for phase in run.interleaved.add_phase(event):
                    self._hold_or_play(run, phase)
            elif isinstance(event, (Passed, Report)):
                self._hold_or_play(run, event)
            else:
                self._attempt(run, self._play_other, event)

    def _attempt(self, run: ImageRun, play: Callable[[ImageRun, T], None], argument: T) -> None:
        """Do what may fail in pytest or in a plugin; an error becomes a problem of the image."""
        try:
            play(run, argument)
        except (pytest.exit.Exception, pytest.UsageError):
            raise
        except Exception as error:  # noqa: BLE001 - the results of the other images must not be lost
            run.add_fault(error)

    def show_output(self, label: str, data: bytes) -> None:
        """Write what a suite printed outside of pytest's capture."""
        self._attempt(self._runs[label], self._reporter.show_output, data)

    def list_activities(self) -> dict[str, str]:
        """Return what each running suite does, by label."""
        return {label: run.describe_activity() for label, run in self._runs.items() if not run.result.ended}

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
        self.errors.play_refusals()

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
        for event in held[:1]:
            self._play(run, event)
        if len(held) > 1:
            with self._reporter.drawing(run):
                for event in held[1:]:
                    self._play(run, event)

    def _play(self, run: ImageRun, event: Passed | Report) -> None:
        if self._session.shouldfail or self._session.shouldstop:
            return  # --maxfail was reached over all images: what was held belongs to no test that counts
        if isinstance(event, Passed):
            self._attempt(run, self._play_passed, event)
        else:
            self._attempt(run, self._play_report, event)

    def _play_passed(self, run: ImageRun, event: Passed) -> None:
        item = run.items[event.test]
        run.record_passed(item.nodeid, sum(event.durations))
        self._finish_started(run)
        if self._reporter.draw_passed(run, event):
            return
        nodeid, location = append_label(item.nodeid, run.label), (item.path, item.line, item.domain)
        self._start(nodeid, location)
        self._reporter.log_passed(run, event)
        self._hook.pytest_runtest_logfinish(nodeid=nodeid, location=location)

    def _start(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self.stand_ins.start(nodeid)
        self._hook.pytest_runtest_logstart(nodeid=nodeid, location=location)

    def _play_report(self, run: ImageRun, event: Report) -> None:
        if event.outcome == "rerun":
            self._reporter.remove_subtests(self._session, run, event.nodeid)
        run.record_phase(event)
        if event.outcome == "skipped" and event.longrepr.skip is not None:
            self._judge.record_skip(run.label, "test", event.longrepr.skip[2])
        if self._details:
            run.record_reason(event)
        if event.outcome == "failed":
            # Of short tracebacks, only the place and the message arrive.
            self._judge.record_failure(run.label, f"{event.longrepr.text}\n{event.longrepr.crash}")
            if self._details:
                run.failures[event.nodeid] = describe_failure(event)
        if run.started != event.nodeid:
            self._finish_started(run)
            run.started = event.nodeid
            self._start(append_label(event.nodeid, run.label), event.location)
        report = run.maker.make_report(event)
        self._hook.pytest_runtest_logreport(report=report)
        self.stand_ins.interact(report, describe_error(event.longrepr))
        if event.when == "teardown":
            self._finish_started(run)

    def _finish_started(self, run: ImageRun) -> None:
        if run.started:
            nodeid, run.started = append_label(run.started, run.label), ""
            self._hook.pytest_runtest_logfinish(nodeid=nodeid, location=("", None, ""))

    def _play_other(self, run: ImageRun, event: Event) -> None:
        if isinstance(event, Items | Collected):
            self._play_collected(run, event)
        elif isinstance(event, CollectReport):
            self._play_collect(run, event)
        elif isinstance(event, Warned):
            self._play_warning(run, event)
        elif isinstance(event, Seeded):
            self._play_seed(run, event)
        elif isinstance(event, CoveragePart | Measured):
            self.measured(run.label, event)
        elif isinstance(event, (Debugger, Shown)):
            self._play_debugger(run, event)
        else:
            run.record(event)
            if isinstance(event, Hello) and event.processes:
                self._interleave(run)

    def _play_collected(self, run: ImageRun, event: Items | Collected) -> None:
        if isinstance(event, Items):
            run.items += (self._known.setdefault(item, item) for item in event.items)
            if run.collected:  # tests that were made during the run
                run.has_unique_ids = False
                self._set_collected(run, deselected=0)
                self.stand_ins.add(event.items, run.label)
            return
        run.collected = True
        run.has_unique_ids = len({item.nodeid for item in run.items}) == len(run.items)
        self.stand_ins.add(run.items, run.label)
        self._set_collected(run, deselected=event.deselected)
        if self._collect_only:
            self._reporter.list_tests(run.label, run.items)

    def _play_debugger(self, run: ImageRun, event: Debugger | Shown) -> None:
        self._play_all(run)
        if self.debugger is not None:  # without a terminal, Run lets none of these through
            self.debugger.take(event)

    def _play_collect(self, run: ImageRun, event: CollectReport) -> None:
        run.count_no_test(event.nodeid, "skipped" if event.outcome == "skipped" else "error")
        if event.outcome == "failed":
            self._judge.record_error(run.label, event.longrepr.text)
            if self._details:
                run.failures[event.nodeid] = describe_failure(event)
        elif event.longrepr.skip is not None:
            self._judge.record_skip(run.label, "module", event.longrepr.skip[2])
            if self._details:
                run.record_reason(event)
        self.errors.play_collect(run, run.maker.make_collect(event), error=describe_error(event.longrepr))

    def _play_seed(self, run: ImageRun, event: Seeded) -> None:
        if all(other.result.seed is None for other in self._runs.values()):
            self._reporter.show_seed(event.seed)
        run.record(event)

    def _interleave(self, run: ImageRun) -> None:
        """Prepare for tests of several files at once."""
        run.interleaved, run.has_processes = Interleaved(), True
        self._hold = False
        for other in self._runs.values():
            self._play_held(other)
        self._reporter.mix_files()

    def _play_warning(self, run: ImageRun, event: Warned) -> None:
        run.record(event)
        self._hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": make_warning(event),
                "when": event.when,
                "nodeid": locate_warning(event, run.label, self._session.config.invocation_params.dir),
                "location": None,
            }
        )

    def _set_collected(self, run: ImageRun, *, deselected: int) -> None:
        run.result = replace(run.result, collected=len(run.items), deselected=run.result.deselected + deselected)
        self._count_expected()
        self._reporter.set_expected(self._session.testscollected, deselected=deselected)

    def _count_expected(self) -> None:
        """Set the number of tests; an image that has not collected yet counts as much as the largest."""
        known = [run.result.collected for run in self._runs.values() if run.collected]
        collecting = sum(not run.collected and not run.result.ended for run in self._runs.values())
        self._session.testscollected = sum(known) + collecting * max(known, default=0)

    def end_run(self, label: str, end: RunEnd | None, error: PyimagesError | None, *, run_seconds: float) -> None:
        """Conclude an image's run: tests without a result become an error of the image, unless it says why."""
        run = self._runs[label]
        if self.debugger is not None:
            self.debugger.close()
        self._attempt(run, self._finish_playing, None)
        if error is not None:
            run.result = replace(run.result, problem=str(error))
            run.detail = error.log if isinstance(error, BuildError) else ""
        elif end is not None:
            self._attempt(run, self._judge_run, end)
        run.add_fault_to_problem()
        run.result = replace(run.result, ended=True, run_seconds=run_seconds)
        self._count_expected()
        missing = self._set_not_run(run)
        if run.result.problem:
            self._attempt(run, lambda run, _: self.errors.fail_image(run, end, missing), None)

    def _finish_playing(self, run: ImageRun, _: None) -> None:
        self._reporter.end_output(run)
        self._play_all(run)
        self._finish_started(run)

    def _judge_run(self, run: ImageRun, end: RunEnd) -> None:
        run.result, run.detail = self._judge.judge(run, end, left=self._count_left(run))
        # With a problem it is shown there; xdist prints the progress of its processes.
        if not run.result.problem and not run.has_processes and run.printed is None:
            run.result = replace(run.result, output=clean(end.stderr))

    def _count_left(self, run: ImageRun) -> int | None:
        """Return how many tests have no result; None if they were not to be run, or not to be played."""
        if self._collect_only or self._session.shouldfail or self._session.shouldstop:
            return None
        return len(set(run.list_missing()))
