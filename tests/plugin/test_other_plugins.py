"""Plugins of the suite that speak to people: what they say inside is seen here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

IMAGES = "3.12,3.14-slim"
SUMMARY = """
import os

def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("what the plugin found")
    terminalreporter.write_line({line})
"""


def test_a_summary_on_which_images_agree_is_shown_once(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(SUMMARY.format(line="'nine \\x1b[2Jlives'"))
    pytester.makepyfile("def test_a(): pass")
    run = run_images("-q", images=IMAGES)
    run.result.stdout.fnmatch_lines(
        ["=* summary of 3.12, 3.14-slim =*", "=* what the plugin found =*", "nine \N{REPLACEMENT CHARACTER}[[]2Jlives"]
    )
    assert run.out.count("what the plugin found") == 1


def test_summaries_that_differ_are_shown_for_each_image(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(SUMMARY.format(line="os.environ['FAKE_IMAGE']"))
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images=IMAGES)
    assert [line.strip("= ") for line in run.out.splitlines() if "summary of" in line] == [
        "summary of 3.12",
        "summary of 3.14-slim",
    ]
    assert run.out.count("what the plugin found") == 2
    assert "what the plugin found" not in run_images("--no-summary", images=IMAGES).out


def test_durations_are_listed_by_the_host_alone(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = run_images("--durations=1", "--durations-min=0", images=IMAGES)
    run.result.stdout.fnmatch_lines(["=* slowest 1 durations =*"])
    assert "summary of" not in run.out


def test_what_a_plugin_writes_last_is_shown_when_it_ends_the_process(
    pytester: pytest.Pytester, run_images: Run
) -> None:
    """pytest-timeout's thread method writes the stacks to pytest's terminal writer, and exits."""
    pytester.makeconftest(
        """
        import os
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_call(item):
            item.config.pluginmanager.getplugin("capturemanager").suspend_global_capture(item)
            writer = item.config.get_terminal_writer()
            writer.sep("+", "Timeout")
            writer.line("it hangs in here")
            writer.flush()
            os._exit(1)
        """
    )
    pytester.makepyfile("def test_a(): pass")
    run = run_images()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(["*-- stderr of the worker --*", "+* Timeout +*", "it hangs in here"])


# Subtests and attempts as pytest 9 and pytest-rerunfailures report them.
ATTEMPTS = """
import pytest
from _pytest.reports import TestReport
from _pytest.runner import runtestprotocol

class SubtestReport(TestReport):
    pass

FAILED = {}

@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report):
    if isinstance(report, SubtestReport):
        return report.outcome, "u", "SUB" + report.outcome.upper()
    if report.outcome == "rerun":
        return "rerun", "R", "RERUN"
    if report.when == "call" and report.passed and FAILED.get(report.nodeid):
        report.outcome, report.longrepr = "failed", "contains failed subtests"

@pytest.fixture
def sub(request):
    def sub(outcome):
        FAILED[request.node.nodeid] = outcome == "failed"
        report = SubtestReport(request.node.nodeid, request.node.location, {}, outcome, None, "call")
        request.node.ihook.pytest_runtest_logreport(report=report)
    return sub

def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in (1, 2):
        item.config.attempt = attempt
        item._initrequest()
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            if attempt == 1 and report.when == "call":
                report.outcome = "rerun"
                item.session.testsfailed -= FAILED.pop(item.nodeid)
            if attempt == 2 or report.when != "teardown":
                item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""


def test_subtests_of_an_attempt_that_is_made_again_do_not_count(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(ATTEMPTS)
    pytester.makepyfile(
        test_it="""
        def test_flaky(sub, pytestconfig): sub("failed" if pytestconfig.attempt == 1 else "passed")
        def test_fails(sub): sub("failed")
        """
    )
    run = run_images()
    assert run.tests == {"test_it.py::test_flaky": {"3.12": "passed"}, "test_it.py::test_fails": {"3.12": "failed"}}
    run.result.stdout.fnmatch_lines(
        [
            "SUBFAILED test_it.py::test_fails[[]3.12[]]*",
            "FAILED test_it.py::test_fails[[]3.12[]] - contains failed subtests",
            "=* 2 failed, 2 passed, 2 rerun in *",
        ]
    )
    assert run.out.count("SUBFAILED") == 1
    good = run_images("-k", "flaky")
    assert good.result.ret == pytest.ExitCode.OK
    good.result.stdout.fnmatch_lines(["=* 2 passed, 1 deselected, 1 rerun in *"])
