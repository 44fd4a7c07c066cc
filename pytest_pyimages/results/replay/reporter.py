"""Adjust pytest's terminal reporter, and its statistics, to tests that run in containers."""

from __future__ import annotations

import math
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pyimages.results.replay.dots import Dots, make_dots
from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.results.replay.printed import PrintedText
from pytest_pyimages.results.replay.progress import Progress
from pytest_pyimages.results.replay.shared_failures import limit_teardowns, share_failures
from pytest_pyimages.results.replay.small_report import TestReport
from pytest_pyimages.results.replay.stand_ins import find_foreign
from pytest_pyimages.results.reports import ALLOWED, SUBTEST, append_label
from pytest_pyimages.runs.events import Item, Passed

if TYPE_CHECKING:
    from pytest_pyimages.results.output.junit import JunitSuites

_LINE_OPEN = -2  # what pytest sets ``currentfspath`` to where the next text has to begin a new line

# The statistics from which pytest-rerunfailures removes subtests of an attempt that it repeats, and the category that
# an image counts.
_REMOVED = (("failed", "failed"), (ALLOWED, "failed"), ("subtests passed", "subtests passed"))


class ReporterAdapter:
    """Writes through the reporter what it cannot know itself; does nothing without one (``-p no:terminal``)."""

    def __init__(self, config: pytest.Config, labels: Sequence[str]) -> None:
        self.terminal: pytest.TerminalReporter | None = config.pluginmanager.getplugin("terminalreporter")
        self._config = config
        self._is_sugar = type(self.terminal).__module__ == "pytest_sugar"
        self._has_several_images = len(labels) > 1
        slowest = config.getoption("durations", None)
        least = config.getoption("durations_min", None)
        if least is None:  # pytest's default
            least = 0.005 if config.getoption("verbose", 0) < 2 else 0.0
        # How many are shown among the slowest, and from how many seconds on.
        self._kept_phases: float = 0 if slowest is None else slowest or math.inf
        self._least_seconds: float = math.inf if slowest is None else least
        self._log = config.hook.pytest_runtest_logreport
        junit = config.pluginmanager.get_plugin("pyimages-junit") if config.getoption("xmlpath", None) else None
        self._junit: JunitSuites | None = junit if junit is not None and junit.is_in_use else None
        self._call_only = not _needs_every_phase(config, has_junit=self._junit is not None)
        # Reports that others have got may be changed, or compared with those that the terminal has.
        listeners = find_foreign(config.hook.pytest_runtest_logreport)
        self._may_shrink = all(each.plugin is self.terminal for each in listeners)
        self._may_be_changed = bool(find_foreign(config.hook.pytest_report_teststatus))
        self._progress = Progress()
        self._dots: Dots | None = None  # while one is used
        self._subtests: dict[Any, int] = {}
        if self.terminal is not None:
            # pytest's plugin, since 9.0, counts the failed subtests of each test that it sees, as 0 for most.
            key: Any = getattr(sys.modules.get("_pytest.subtests"), "failed_subtests_key", None)
            self._subtests = config.stash.get(key, self._subtests)
            if type(getattr(self.terminal, "_progress_nodeids_reported", None)) is set:
                self.terminal._progress_nodeids_reported = self._progress  # noqa: SLF001 - only its length is read
            if self._is_sugar and type(getattr(self.terminal, "reports", None)) is list:  # which it never reads
                vars(self.terminal)["reports"] = deque(maxlen=0)
            # On a terminal, a collection that fails writes "collecting ..." over the line that the cursor is on.
            self.terminal.report_collect = lambda *_: None
            limit_teardowns(self.terminal)
            if self._has_several_images:
                share_failures(self.terminal, labels)

    def show_output(self, run: ImageRun, data: bytes) -> None:
        """Write what a suite printed; with several images, each complete line begins with its image."""
        self._show_output(run, data, is_last=False)

    def end_output(self, run: ImageRun) -> None:
        """Write what is left of a suite's output."""
        self._show_output(run, b"", is_last=True)

    def _show_output(self, run: ImageRun, data: bytes, *, is_last: bool) -> None:
        if self.terminal is None or (not data and run.printed is None):
            return
        if run.printed is None:
            run.printed = PrintedText()
        if self._config.getini("console_output_style") != "progress-even-when-capture-no":
            self.terminal._show_progress_info = False  # noqa: SLF001 - as pytest sets it with -s
        if not self._has_several_images:
            self.terminal.write(run.printed.decode(data, is_last=is_last), flush=True)
            return
        for line in run.printed.split_lines(data, is_last=is_last):
            self.terminal.write_ensure_prefix(f"[{run.label}] {line}")
            self.terminal.currentfspath = _LINE_OPEN
        self.terminal.flush()

    def show_seed(self, seed: int) -> None:
        """Write the seed that all images use, as the header does where the host has pytest-randomly."""
        terminal = self.terminal
        is_in_header = getattr(self._config.option, "randomly_seed", None) == seed
        if terminal is not None and not is_in_header and terminal.showheader and not terminal.no_header:
            terminal.write_line(f"Using --randomly-seed={seed}")

    def set_expected(self, tests: int, *, deselected: int) -> None:
        """Set the number of tests that progress is measured by."""
        if self.terminal is None:
            return
        self.terminal._numcollected = tests  # noqa: SLF001 - no hook sets it
        if hasattr(self.terminal, "tests_count"):  # pytest-sugar has a number of its own
            self.terminal.tests_count = tests
        if deselected:  # the items exist in the container only; only their number is shown
            self.terminal.stats.setdefault("deselected", []).extend([None] * deselected)

    def list_tests(self, label: str, items: Iterable[Item]) -> None:
        """Write the node ids of an image (``--collect-only``); with -qq a number for each file."""
        if self.terminal is None:
            return
        if self._config.get_verbosity() < -1:
            counts = Counter(item.nodeid.partition("::")[0] for item in items)
            lines = [f"{append_label(path, label)}: {count}" for path, count in counts.items()]
        else:
            lines = [append_label(item.nodeid, label) for item in items]
        for line in lines:
            self.terminal.write_line(line)

    def mix_files(self) -> None:
        """Write the dots of all files on one line, as with xdist."""
        if self.terminal is not None:
            self.terminal.showfspath = False

    def end_phase(self) -> None:
        """Mark the line of a test that was just reported as one that other text must not continue, as with xdist."""
        if self.terminal is not None and not self.terminal.showfspath and not self.terminal.verbosity:
            self.terminal.currentfspath = _LINE_OPEN

    def add_allowed(self, report: pytest.CollectReport) -> None:
        """Add an error that fails nothing to the statistics; pytest's own collect errors fail the session."""
        if self.terminal is not None:
            self.terminal._add_stats(ALLOWED, [report])  # noqa: SLF001 - in the last line even if nothing follows

    @contextmanager
    def drawing(self, run: ImageRun) -> Iterator[None]:
        """Let ``draw_passed`` draw tests of a file whose path pytest has written with the first of them."""
        if self._call_only and self._may_shrink and run.has_unique_ids:
            self._dots = make_dots(self._config, self.terminal, self._progress)
        try:
            yield
        finally:
            if self._dots is not None:
                self._dots.close()
                self._dots = None

    def draw_passed(self, run: ImageRun, event: Passed) -> bool:
        """Show a test that passed without calling hooks; return whether that was possible."""
        if self._dots is None:
            return False
        setup, call, _ = event.durations
        return self._dots.draw(TestReport(run.maker, run.items[event.test], event.start + setup, call))

    def log_passed(self, run: ImageRun, event: Passed) -> None:
        """Call the hook for the phases of a test that passed; pytest's terminal keeps no more of them than it needs."""
        item = run.items[event.test]
        for report in run.maker.make_passed(item, event, call_only=self._call_only):
            self._log(report=report)
            if report.when != "call":
                self._drop_phase(report)
                continue
            if self._junit is not None and self._call_only:
                setup, _, teardown = event.durations
                self._junit.end_passed(report, setup + teardown)
            self._shrink_call(run, item, report)
            nodeid = _get_id(report)
            self._subtests.pop(nodeid, None)
            if run.has_unique_ids:
                self._progress.end(nodeid)

    def expect_again(self, report: pytest.TestReport) -> None:
        """Prepare for one more report of a test that has a result: progress counts a test once."""
        self._progress.reopen(_get_id(report))

    def _drop_phase(self, report: pytest.TestReport) -> None:
        """Remove a phase that was just added and will not be shown: such phases take most of the memory."""
        # pytest-sugar counts a test by its call, but keeps its other phases beside it.
        category = "passed" if self._is_sugar and report.when != "call" else ""
        kept = [] if self.terminal is None else self.terminal.stats.get(category, [])
        is_shown = len(kept) <= self._kept_phases or report.duration >= self._least_seconds
        if kept and kept[-1] is report and not is_shown:
            del kept[-1]

    def _shrink_call(self, run: ImageRun, item: Item, report: pytest.TestReport) -> None:
        """Replace a report that was just added by a small one, which becomes equal to it when it is read."""
        kept = [] if self.terminal is None else self.terminal.stats.get("passed", [])
        if not self._may_shrink or not kept or kept[-1] is not report:
            return
        as_made = run.maker.make_passed_phase
        if not self._may_be_changed or vars(report) == vars(as_made(item, "call", report.start, report.duration)):
            kept[-1] = TestReport(run.maker, item, report.start, report.duration)

    def remove_subtests(self, session: pytest.Session, run: ImageRun, nodeid: str) -> None:
        """Forget the outcomes of a test's subtests, because the test is run again."""
        if self.terminal is None:
            return
        labelled = append_label(nodeid, run.label)
        for category, counted in _REMOVED:
            reports = self.terminal.stats.get(category, [])
            left = [report for report in reports if not (getattr(report, SUBTEST, False) and report.nodeid == labelled)]
            number = len(reports) - len(left)
            if not number:
                continue
            run.counts[counted] -= number
            if left:
                self.terminal.stats[category] = left
            else:
                del self.terminal.stats[category]
            if category == "failed":
                session.testsfailed -= number
            if counted == "failed":
                run.outcomes.pop(nodeid, None)
                run.failures.pop(nodeid, None)


def _get_id(report: pytest.TestReport) -> Any:
    """Return what pytest knows a test by: a node id, or an object since 9.2."""
    return getattr(report, "id", report.nodeid)


def _needs_every_phase(config: pytest.Config, *, has_junit: bool) -> bool:
    """Return whether a listener may use the reports of setups and teardowns that passed.

    Of pytest's own listeners only junit and --durations do. These phases are two thirds of the reports of a large
    suite, and each costs two rounds of hooks.

    :param has_junit: whether junit is told how long they took.
    """
    if config.getoption("durations", None) is not None or (config.getoption("xmlpath", None) and not has_junit):
        return True
    return bool(find_foreign(config.hook.pytest_runtest_logreport))
