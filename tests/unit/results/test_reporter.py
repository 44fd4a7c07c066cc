"""What the adapter adds to pytest's terminal reporter."""

from __future__ import annotations

import pytest
from _pytest.terminal import TerminalReporter

from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.results.replay.reporter import ReporterAdapter
from pytest_pyimages.results.reports import ReportMaker
from pytest_pyimages.runs.events import Item, Passed
from tests.support.reporters import make_reporter
from tests.support.results import make_run

PASSED = Passed(0, 1.7e9, (0.25, 0.5, 0.25))


@pytest.fixture
def reporter() -> TerminalReporter:
    return make_reporter()


def test_allowed_error_is_in_the_last_line_although_it_comes_last(reporter: TerminalReporter) -> None:
    adapter = ReporterAdapter(reporter.config, ["3.14", "3.15-rc"])
    reporter._set_main_color()  # what any earlier report has done
    adapter.add_allowed(ReportMaker("3.15-rc", allowed_to_fail=True).make_image_error("no such image", ""))
    parts, _ = reporter.build_summary_stats_line()
    assert [text for text, _ in parts] == ["1 allowed to fail"]


@pytest.fixture
def run() -> ImageRun:
    run = make_run()
    run.items = [Item("test_a.py::test_1", "test_a.py", 0, "test_1")]
    return run


class Listener:
    """A plugin that hears of each report."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Do nothing."""


class Repeater:
    """A plugin for what happens in containers only, as pytest-rerunfailures has one for xdist."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Do nothing."""

    pytest_runtest_logreport.__module__ = "pytest_rerunfailures"


class Reader:
    """A plugin that shows reports in its own way."""

    def pytest_report_teststatus(self, report: pytest.TestReport) -> None:
        """Leave it to pytest."""


class Changer:
    """A plugin that adds to reports."""

    def pytest_report_teststatus(self, report: pytest.TestReport) -> None:
        report.sections.append(("Seen", "by a plugin"))


@pytest.mark.parametrize(
    ("plugin", "is_small"), [(None, True), (Listener, False), (Repeater, True), (Reader, True), (Changer, False)]
)
def test_reports_that_others_have_are_left_alone(
    reporter: TerminalReporter, run: ImageRun, plugin: type | None, is_small: bool
) -> None:
    if plugin is not None:
        reporter.config.pluginmanager.register(plugin())
    ReporterAdapter(reporter.config, ["3.12"]).log_passed(run, PASSED)
    (report,) = reporter.stats["passed"]
    assert (type(report) is not pytest.TestReport) is is_small
    assert report.sections == ([("Seen", "by a plugin")] if plugin is Changer else [])
    assert report.start == 1.7e9 + 0.25


class SugarReporter(TerminalReporter):  # type: ignore[misc]  # final, which pytest-sugar ignores
    """Keeps reports as pytest-sugar does: those of setups and teardowns as passed, and all of them once more."""

    __module__ = "pytest_sugar"

    def __init__(self, reporter: TerminalReporter) -> None:
        super().__init__(reporter.config)
        self.reports: list[pytest.TestReport] = []
        self.seen: list[str | None] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.stats.setdefault("passed", []).append(report)
        self.reports.append(report)
        self.seen.append(report.when)


def test_reports_are_kept_once_by_pytest_sugar(reporter: TerminalReporter, run: ImageRun) -> None:
    manager = reporter.config.pluginmanager
    manager.unregister(reporter)
    sugar = SugarReporter(reporter)
    manager.register(sugar, "terminalreporter")
    ReporterAdapter(reporter.config, ["3.12"]).log_passed(run, PASSED)
    assert sugar.seen == ["setup", "call", "teardown"]
    (report,) = sugar.stats["passed"]
    assert type(report) is not pytest.TestReport
    assert len(sugar.reports) == 0
    assert report.when == "call"
    assert report.duration == 0.5


@pytest.mark.parametrize(
    ("option", "is_divided", "phases", "ended"),
    [
        (None, False, ["call"], []),
        ("xmlpath", True, ["call"], [("test_a.py::test_1[3.12]", 0.5)]),
        ("xmlpath", False, ["setup", "call", "teardown"], []),
        ("durations", True, ["setup", "call", "teardown"], []),
    ],
)
def test_phases_are_reported_if_a_listener_uses_them(
    reporter: TerminalReporter,
    run: ImageRun,
    option: str | None,
    is_divided: bool,
    phases: list[str],
    ended: list[tuple[str, float]],
) -> None:
    """Instead of setups and teardowns, junit is told how long both took."""
    seen: list[str | None] = []
    concluded: list[tuple[str, float]] = []

    class Listener:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            seen.append(report.when)

        pytest_runtest_logreport.__module__ = "_pytest.junitxml"

    class Junit:
        is_in_use = is_divided

        def end_passed(self, report: pytest.TestReport, seconds: float) -> None:
            concluded.append((report.nodeid, seconds))

    reporter.config.pluginmanager.register(Listener())
    reporter.config.pluginmanager.register(Junit(), "pyimages-junit")
    if option is not None:
        setattr(reporter.config.option, option, "junit.xml" if option == "xmlpath" else 1)
    ReporterAdapter(reporter.config, ["3.12"]).log_passed(run, PASSED)
    assert (seen, concluded) == (phases, ended)


@pytest.mark.parametrize("is_unique", [False, True])
def test_progress_counts_each_test_once(reporter: TerminalReporter, run: ImageRun, is_unique: bool) -> None:
    """Also if it is run again, as with --keep-duplicates, or if the worker dies after it."""
    adapter = ReporterAdapter(reporter.config, ["3.12"])
    run.has_unique_ids = is_unique
    crash = run.maker.make_crash(run.items[0], "worker died", "", when="teardown")
    reporter.config.hook.pytest_runtest_logreport(report=crash)
    for _ in range(1 if is_unique else 3):
        adapter.log_passed(run, PASSED)
        assert len(reporter._progress_nodeids_reported) == 1
    assert len([*reporter._progress_nodeids_reported]) == (0 if is_unique else 1), "the id itself is not kept"
    adapter.expect_again(crash)
    reporter.config.hook.pytest_runtest_logreport(report=crash)
    assert len(reporter._progress_nodeids_reported) == 1
