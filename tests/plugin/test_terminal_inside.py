"""The terminal reporter in the container is pytest's own: what conftests and plugins read of it is as by hand."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

READS_REPORTER = """
import time
import warnings
import pytest

def pytest_sessionstart(session):
    session.config.pluginmanager.getplugin("terminalreporter").write_line("from sessionstart")

@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter, exitstatus, config):
    yield
    reporter = terminalreporter
    start = getattr(reporter, "_sessionstarttime", None) or reporter._session_start.time
    counts = {name: len(reports) for name, reports in reporter.stats.items()}
    reporter.section("what the conftest reads")
    reporter.write_line(f"READ counts {sorted(counts.items())}")
    reporter.write_line(f"READ collected {reporter._numcollected}, session {reporter._session.testsfailed}")
    reporter.write_line(f"READ recent {0 <= time.time() - start < 600}, tty {bool(reporter.isatty)}")
    reporter.write_line(f"READ path {reporter.showfspath}, {reporter.currentfspath}, {exitstatus}")
    reporter.write_line(f"READ writer {config.get_terminal_writer() is reporter._tw}")
    reporter.write_line(f"READ class {type(reporter) is __import__('_pytest').terminal.TerminalReporter}")
    reporter.write_line(f"READ warning {reporter.stats['warnings'][0].message.splitlines()[1].strip()}")
"""
SUITE = """
import warnings
import pytest

def test_one(): pass
def test_two(): warnings.warn("old")
def test_skip(): pytest.skip("no")
def test_left_out(): pass
@pytest.mark.parametrize("broken", [1], indirect=True)
def test_error(broken): pass
@pytest.fixture
def broken(request): raise ValueError
"""
REPLACES_REPORTER = """
import sys
import pytest
from _pytest.terminal import TerminalReporter

class Pretty(TerminalReporter):
    def pytest_runtest_logreport(self, report):
        super().pytest_runtest_logreport(report)
        self._tw.line("DRAWN")
        print("PRINTED")

    def summary_stats(self):
        print("PRINTED results")

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    manager = config.pluginmanager
    manager.unregister(manager.getplugin("terminalreporter"))
    manager.register(Pretty(config, sys.stdout), "terminalreporter")

def pytest_terminal_summary(terminalreporter):
    assert type(terminalreporter) is Pretty
    print("printed summary of", len(terminalreporter.stats["passed"]))
    terminalreporter.write_line("written summary")
"""


def read_lines(text: str) -> list[str]:
    return re.findall("^READ .*", text, re.MULTILINE)


@pytest.mark.parametrize("options", [(), ("-v",), ("-s", "-q", "-rN")])
def test_conftests_read_the_state_that_they_read_by_hand(
    pytester: pytest.Pytester, run_images: Run, options: tuple[str, ...]
) -> None:
    pytester.makeconftest(READS_REPORTER)
    pytester.makepyfile(SUITE)
    by_hand = pytester.runpytest_subprocess("-p", "no:pyimages", "-k", "not left_out", *options)
    run = run_images("-k", "not left_out", *options)
    assert len(read_lines(run.out)) == 7
    assert read_lines(run.out) == read_lines(by_hand.stdout.str())
    assert run.result.ret == by_hand.ret
    assert run.out.count("what the conftest reads") == 1
    assert run.out.count("test session starts") == ("-q" not in options)  # the host's
    assert run.out.count("from sessionstart") == 1


@pytest.mark.parametrize("place", ["conftest", "fixture"])
def test_status_hooks_of_a_suite_are_called_for_phases_that_passed(
    pytester: pytest.Pytester, run_images: Run, place: str
) -> None:
    """Wherever they come from; pytest's own reporter counts the phases by what they return."""
    pytester.makepyfile(
        statuses="""
        def pytest_report_teststatus(report):
            if report.when == "teardown":
                return "torn down", "t", "TORN DOWN"
        """
    )
    pytester.makeconftest(
        f"""
        import pytest, statuses
        def pytest_configure(config):
            if {place == "conftest"}:
                config.pluginmanager.register(statuses)
        @pytest.fixture
        def late(pytestconfig):
            if {place == "fixture"}:
                pytestconfig.pluginmanager.register(statuses)
        def pytest_terminal_summary(terminalreporter):
            counts = {{name: len(reports) for name, reports in terminalreporter.stats.items()}}
            terminalreporter.write_line(f"READ counts {{sorted(counts.items())}}")
        """
    )
    pytester.makepyfile("def test_one(): pass\ndef test_two(late): pass\ndef test_three(): pass\n")
    by_hand = pytester.runpytest_subprocess("-p", "no:pyimages")
    run = run_images()
    expected = {
        "conftest": "('', 3), ('passed', 3), ('torn down', 3)",
        "fixture": "('', 4), ('passed', 3), ('torn down', 2)",
    }
    assert read_lines(by_hand.stdout.str()) == read_lines(run.out) == [f"READ counts [{expected[place]}]"]


def test_reporter_of_a_plugin_is_not_seen_either(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(REPLACES_REPORTER)
    pytester.makepyfile("def test_a(): pass\ndef test_b(): pass")
    run = run_images()
    assert run.result.ret == 0
    run.result.stdout.fnmatch_lines(["printed summary of 2", "written summary"])
    assert not re.search("DRAWN|PRINTED", run.out + run.err)


def test_lines_that_a_test_writes_are_captured_as_by_hand(pytester: pytest.Pytester, run_images: Run) -> None:
    """The reporter has the start of a line that nobody sees; no empty line stands for it."""
    pytester.makepyfile(
        """
        def test_a(request):
            request.config.pluginmanager.getplugin("terminalreporter").write_line("from the test")
            assert 0
        """
    )
    run = run_images()
    run.result.stdout.fnmatch_lines(["*- Captured stdout call -*", "from the test"], consecutive=True)


def test_nothing_is_drawn_that_nobody_sees(pytester: pytest.Pytester, run_images: Run) -> None:
    """Among thousands of failures, pytest takes minutes for that."""
    pytester.makeconftest(
        """
        from _pytest.terminal import TerminalReporter

        def fail(*args, **kwargs):
            raise SystemExit("drawn in the container")

        TerminalReporter._getfailureheadline = TerminalReporter._outrep_summary = fail

        def pytest_terminal_summary(terminalreporter):
            terminalreporter.write_line("failed %d" % len(terminalreporter.stats["failed"]))
        """
    )
    pytester.makepyfile(
        "import pytest\ndef test_a(): assert 0\n@pytest.mark.xfail\ndef test_b(): assert 0\ndef test_c(): pass"
    )
    run = run_images("-rA", "--xfail-tb")
    assert run.result.ret == 1
    run.result.stdout.fnmatch_lines(["E *assert 0", "failed 1"])
    run.result.assert_outcomes(failed=1, xfailed=1, passed=1)
