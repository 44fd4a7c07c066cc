"""Plays what the containers report through pytest's own hooks, so that terminal, junit and most plugins just work."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages.errors import BuildError, PyimagesError
from pytest_pyimages.results.details import LONGEST_MESSAGE, describe_failure
from pytest_pyimages.results.outcome import NOT_RUN, Failure, ImageResult
from pytest_pyimages.results.problems import describe_missing_tests
from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.results.replay.interleaved import Interleaved
from pytest_pyimages.results.replay.phases import KeptPhases, needs_every_phase
from pytest_pyimages.results.replay.superseded import remove_subtests
from pytest_pyimages.results.reports import ALLOWED, append_label, locate_warning, make_warning
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
    from pytest_pyimages.results.replay.debugger import DebuggerTerminal
    from pytest_pyimages.results.verdict import Judge

MOST_WARNINGS = 1000  # different ones of an image that are kept for comparing
PATIENCE = 1.0  # seconds that a file's dots may wait for the rest of the file


class Replay:
    """Turns events into calls of pytest's hooks; only used on the main thread."""

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

        :param details: whether failures are to be kept, for report files.
        """
        self._session = session
        self._hook = session.config.hook
        self._collect_only = collect_only
        self._details = details
        self._judge = judge
        # Given what is sent of coverage.
        self.measured: Callable[[str, CoveragePart | Measured], None] = lambda *_: None
        self._images = {label: ImageRun(result) for label, result in results.items()}
        self._known: dict[Item, Item] = {}  # images have the same tests: each is kept once
        self._refusals: dict[str, pytest.CollectReport] = {}  # by label
        self._terminal: pytest.TerminalReporter | None = session.config.pluginmanager.getplugin("terminalreporter")
        if self._terminal is not None:
            # On a terminal, a collection that fails writes "collecting ..." over the line that the cursor is on.
            self._terminal.report_collect = lambda *_: None
        # Line by line there is nothing to keep together.
        self._hold = session.config.getoption("verbose", 0) <= 0
        self.patience = PATIENCE
        self.debugger: DebuggerTerminal | None = None  # the terminal that one may have
        self._call_only = not needs_every_phase(session.config)
        self._phases = KeptPhases(session.config, self._terminal)

    def events(self, label: str, events: Sequence[Event]) -> None:
        """Take what one container has sent, in order."""
        image = self._images[label]
        for event in events:
            if isinstance(event, Report) and image.interleaved is not None:
                for phase in image.interleaved.whole(event):
                    self._hold_or_play(image, phase)
            elif isinstance(event, (Passed, Report)):
                self._hold_or_play(image, event)
            elif isinstance(event, CoveragePart | Measured):
                self.measured(label, event)
            elif isinstance(event, (Debugger, Shown)):
                self._debug(image, event)
            else:
                self._other(image, event)

    def _debug(self, image: ImageRun, event: Debugger | Shown) -> None:
        self._play_all(image)
        if self.debugger is not None:  # without a terminal, Run lets nothing of it through
            self.debugger.take(event)

    def printed(self, label: str, data: bytes) -> None:
        """Show what a suite printed; with several images, each whole line says whose it is."""
        if self._terminal is None:
            return
        if self._session.config.getini("console_output_style") != "progress-even-when-capture-no":
            self._terminal._show_progress_info = False  # noqa: SLF001 - as pytest has it with -s
        image = self._images[label]
        text = image.unfinished + clean(data.decode("utf-8", "replace"))
        if len(self._images) == 1:
            self._terminal.write(text)
            return
        *lines, image.unfinished = text.split("\n")
        for line in lines:
            self._terminal.write_ensure_prefix(f"[{label}] {line}")
            self._terminal.currentfspath = -2  # as pytest marks a line that somebody else has to end

    def flush_late(self) -> None:
        """Play what has been held back for too long."""
        now = time.monotonic()
        for image in self._images.values():
            if image.held and now - image.held_since > PATIENCE:
                self._play_held(image)

    def flush(self) -> None:
        """Have the terminal back, and play everything that was held back."""
        if self.debugger is not None:
            self.debugger.close()
        for image in self._images.values():
            self._play_all(image)
            if not image.result.ended:  # enough has failed elsewhere, or somebody interrupts
                self._not_run(image)
        self._play_refusals()

    def _not_run(self, image: ImageRun) -> list[str]:
        """Set that of all tests that were not reported; return which they are."""
        missing = [item.nodeid for item in image.items if item.nodeid not in image.reported]
        if not self._collect_only:
            for nodeid in missing:
                image.result.outcomes.setdefault(nodeid, NOT_RUN)
        return missing

    def _hold_or_play(self, image: ImageRun, event: Passed | Report) -> None:
        if not self._hold:
            self._play(image, event)
            if self._terminal is not None and not self._terminal.showfspath and not self._terminal.verbosity:
                self._terminal.currentfspath = -2  # as pytest with xdist: what comes next begins a line
            return
        path = image.items[event.test].path if isinstance(event, Passed) else event.location[0]
        if path != image.held_path:
            self._play_held(image)
            image.held_path = path
        if not image.held:
            image.held_since = time.monotonic()
        image.held.append(event)
        if time.monotonic() - image.held_since > PATIENCE:
            self._play_held(image)

    def _play_all(self, image: ImageRun) -> None:
        """Play what was held back, also of tests that did not come to their end."""
        self._play_held(image)
        if image.interleaved is not None:
            for phase in image.interleaved.rest():
                self._play(image, phase)

    def _play_held(self, image: ImageRun) -> None:
        held, image.held = image.held, []
        for event in held:
            self._play(image, event)

    def _play(self, image: ImageRun, event: Passed | Report) -> None:
        hook, result = self._hook, image.result
        if self._session.shouldfail or self._session.shouldstop:
            return  # enough has failed over all images: what was held back belongs to no test that counts
        if isinstance(event, Passed):
            item = image.items[event.test]
            self._finish_started(image)
            nodeid = append_label(item.nodeid, result.label)
            hook.pytest_runtest_logstart(nodeid=nodeid, location=(item.path, item.line, item.domain))
            for report in image.maker.passed(item, event, call_only=self._call_only):
                hook.pytest_runtest_logreport(report=report)
                self._phases.forget(report)
            hook.pytest_runtest_logfinish(nodeid=nodeid, location=(item.path, item.line, item.domain))
            result.count(item.nodeid, "passed")
            result.durations[item.nodeid] = sum(event.durations)
            image.reported.add(item.nodeid)
            return
        if image.started != event.nodeid:
            self._finish_started(image)
            image.started = event.nodeid
            hook.pytest_runtest_logstart(nodeid=append_label(event.nodeid, result.label), location=event.location)
        if event.status[0] or event.when == "teardown":  # a setup that passed says nothing yet
            image.reported.add(event.nodeid)
        if event.outcome == "rerun":
            remove_subtests(self._session, result, event.nodeid)
        result.count(event.nodeid, event.status[0])
        result.durations[event.nodeid] = result.durations.get(event.nodeid, 0.0) + event.duration
        if self._details:
            describe_failure(result, event)
        hook.pytest_runtest_logreport(report=image.maker.report(event))
        if event.when == "teardown":
            self._finish_started(image)

    def _finish_started(self, image: ImageRun) -> None:
        if image.started:
            nodeid, image.started = image.started, ""
            self._hook.pytest_runtest_logfinish(
                nodeid=append_label(nodeid, image.result.label), location=("", None, "")
            )

    def _other(self, image: ImageRun, event: Event) -> None:
        result = image.result
        if isinstance(event, Items):
            for item in event.items:
                image.items.append(self._known.setdefault(item, item))
        elif isinstance(event, Collected):
            self._collected(image, event)
        elif isinstance(event, CollectReport):
            category = "skipped" if event.outcome == "skipped" else "error"
            result.count_no_test(event.nodeid if event.outcome == "failed" else "", category)
            if event.outcome == "failed":
                self._judge.look(result.label, event.longrepr.text)
            self._play_collect(image, image.maker.collect(event))
        elif isinstance(event, Warned):
            self._warned(result, event)
        elif isinstance(event, Hello):
            result.python = event.python
            if event.processes:
                self._interleave(image)
        elif isinstance(event, Seeded):
            self._tell_seed(event.seed)
            result.seed = event.seed
        else:
            image.told(event)

    def _interleave(self, image: ImageRun) -> None:
        """Prepare for tests of several files at once: as with xdist alone, their dots form one line."""
        image.interleaved = Interleaved()
        self._hold = False
        for other in self._images.values():
            self._play_held(other)
        if self._terminal is not None:
            self._terminal.showfspath = False

    def _warned(self, result: ImageResult, event: Warned) -> None:
        told = f"{event.category}: {' '.join(event.text.split())}"[:LONGEST_MESSAGE]
        if told in result.warnings or len(result.warnings) < MOST_WARNINGS:
            result.warnings[told] = result.warnings.get(told, 0) + 1
        self._hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": make_warning(event),
                "when": event.when,
                "nodeid": locate_warning(event, result.label, self._session.config.invocation_params.dir),
                "location": None,
            }
        )

    def _tell_seed(self, seed: int) -> None:
        """Say which seed all images use, once, as the header does where the host has pytest-randomly."""
        if any(image.result.seed is not None for image in self._images.values()):
            return
        config, terminal = self._session.config, self._terminal
        is_in_header = getattr(config.option, "randomly_seed", None) == seed
        if terminal is not None and not is_in_header and terminal.showheader and not terminal.no_header:
            terminal.write_line(f"Using --randomly-seed={seed}")

    def _collected(self, image: ImageRun, event: Collected) -> None:
        image.result.collected = event.total
        image.collected = True
        self._count_expected()
        if self._terminal is not None:
            self._terminal._numcollected = self._session.testscollected  # noqa: SLF001 - what progress counts against
            if hasattr(self._terminal, "tests_count"):  # pytest-sugar counts against a number of its own
                self._terminal.tests_count = self._session.testscollected
            if event.deselected:  # the items themselves exist inside only; their number is what is shown
                self._terminal.stats.setdefault("deselected", []).extend([None] * event.deselected)
        if self._collect_only and self._terminal is not None:
            if self._session.config.get_verbosity() < -1:
                counts = Counter(item.nodeid.partition("::")[0] for item in image.items)
                lines = [f"{append_label(path, image.result.label)}: {count}" for path, count in counts.items()]
            else:
                lines = [append_label(item.nodeid, image.result.label) for item in image.items]
            for line in lines:
                self._terminal.write_line(line)

    def _count_expected(self) -> None:
        """Set what progress counts against; an image that has not collected yet counts as much as the largest."""
        known = [image.result.collected for image in self._images.values() if image.collected]
        open_ones = [image for image in self._images.values() if not image.collected and not image.result.ended]
        self._session.testscollected = sum(known) + len(open_ones) * max(known, default=0)

    def ended(self, label: str, end: RunEnd | None, error: PyimagesError | None) -> None:
        """Take the end of an image's run: what is missing from it becomes an error of that image."""
        image = self._images[label]
        if self.debugger is not None:
            self.debugger.close()
        self._play_all(image)
        self._finish_started(image)
        result = image.result
        detail = ""
        if error is not None:
            result.problem = str(error)
            detail = error.log if isinstance(error, BuildError) else ""
        elif end is not None:
            left = len(self._not_run(image)) if image.interleaved is not None and not self._collect_only else 0
            detail = self._judge.judge(image, end, left=left)
        result.ended = True
        self._count_expected()
        missing = self._not_run(image)
        if not result.problem:
            return
        result.detail = detail
        if end is not None and 0 <= end.running < len(image.items):
            item = image.items[end.running]
            where = f" in {item.nodeid}"
            result.outcomes.pop(item.nodeid, None)
            result.count(item.nodeid, "failed")
            missing.remove(item.nodeid)
            image.reported.add(item.nodeid)
            result.failures[item.nodeid] = Failure(phase="call", message=result.problem, text=detail)
            self._hook.pytest_runtest_logreport(report=image.maker.crash(item, result.problem, detail))
            result.problem += where
            detail = ""  # shown with that test
        if missing and not self._collect_only:
            result.problem += (
                f" (after {len(image.items) - len(missing)} of {len(image.items)} tests; {len(missing)} not run)"
            )
        result.count_no_test("", "error")
        report = image.maker.image_error(result.problem, detail)
        if result.usage_error and not detail:
            self._refusals[label] = report
        else:
            self._play_collect(image, report)

    def miss_tests(self) -> None:
        """Make an error of each image that collected nothing, where others have tests: it would be green for nothing.

        To be called once all images have ended, unless the command line selects tests.
        """
        most = max((image.result for image in self._images.values()), key=lambda result: result.found)
        if not most.found:
            return
        for image in self._images.values():
            result = image.result
            if result.exit_status == pytest.ExitCode.NO_TESTS_COLLECTED and not result.problem:
                result.problem = describe_missing_tests(result, most)
                result.count_no_test("", "error")
                self._play_collect(image, image.maker.image_error(result.problem, ""))

    def _play_refusals(self) -> None:
        """Play what pytest inside has against its arguments, unless all images say the same: once is enough then.

        The section of the images tells.
        """
        told = {self._images[label].result.problem for label in self._refusals}
        if len(told) > 1 or len(self._refusals) < len(self._images):
            for label, report in self._refusals.items():
                self._play_collect(self._images[label], report)
        self._refusals.clear()

    def _play_collect(self, image: ImageRun, report: pytest.CollectReport) -> None:
        if report.failed and image.result.allowed_to_fail:
            # pytest has no collector that failed and fails nothing: it is only shown.
            if self._terminal is not None:
                self._terminal.stats.setdefault(ALLOWED, []).append(report)
            return
        self._hook.pytest_collectreport(report=report)
