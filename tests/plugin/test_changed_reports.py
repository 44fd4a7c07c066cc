"""Hooks of the suite change reports: each still belongs to its test, and counts as by hand."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

HOOK = """
import pytest

@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    {change}
"""
UNESCAPE = "report.nodeid = report.nodeid.encode('utf-8').decode('unicode_escape')"
CITIES = """
import pytest

@pytest.mark.parametrize("city", ["Z\\u00fcrich", "\\u6771\\u4eac"])
def test_city(city):
    assert city
"""
SUITE = """
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_passes(number): pass
def test_fails(): assert 0
def test_skips(): pytest.skip("no")
"""
CHANGES = {
    "parameters removed": "report.nodeid = report.nodeid.partition('[')[0]",
    "one id for all": "report.nodeid = 'test_it.py::test_fails'",
    "failure turned into a pass": "report.outcome = 'passed' if report.failed else report.outcome",
    "pass turned into a failure": "report.outcome = 'failed' if report.when == 'call' else report.outcome",
    "failure as an object": "report.longrepr = report.failed and object() or report.longrepr",
    "sections": "report.sections = None if report.passed else [('a', 'b', 'c'), 'text', ('title', 5)]",
    "properties": "report.user_properties = {'a': 1} if report.passed else None",
    "durations": "report.duration = 'long'; report.start = None",
    "another phase": "report.when = 'call' if report.when == 'teardown' else report.when",
    "expected": "report.wasxfail = 5",
}


def test_report_with_another_node_id(pytester: pytest.Pytester, run_images: Run) -> None:
    """It is shown as the hook wants it, and counts for the collected test."""
    pytester.makeconftest(HOOK.format(change=UNESCAPE))
    pytester.makepyfile(test_it=CITIES)
    run = run_images("-v", "--junitxml=out.xml", images="3.12,3.14-slim")
    assert run.result.ret == 0
    assert run.result.parseoutcomes() == {"passed": 4}
    assert "not run" not in run.out
    for city in ("Z\u00fcrich", "\u6771\u4eac"):
        assert run.out.count(f"test_city[{city}][3.12] PASSED") == 1
    assert list(run.tests) == [r"test_it.py::test_city[Z\xfcrich]", r"test_it.py::test_city[\u6771\u4eac]"]
    names = [case.get("name") for case in ET.parse(pytester.path / "out.xml").iter("testcase")]
    assert names == ["test_city[Z\u00fcrich]", "test_city[\u6771\u4eac]"] * 2


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_reports_count_as_by_hand(pytester: pytest.Pytester, run_images: Run, change: str) -> None:
    pytester.makeconftest(HOOK.format(change=change))
    pytester.makepyfile(test_it=SUITE)
    by_hand = pytester.runpytest_subprocess("-p", "no:pyimages", "--no-summary")
    run = run_images("--no-summary")
    by_hand.assert_outcomes(**run.result.parseoutcomes())
    assert by_hand.parseoutcomes() == run.result.parseoutcomes()
    # What is shown as failed fails the run, also where pytest does not count it (a report with wasxfail).
    assert run.result.ret == (1 if "failed" in by_hand.parseoutcomes() else by_hand.ret)
    assert run.images["3.12"]["problem"] == ""
    assert len(run.tests) == 4
    assert "not run" not in {outcome for test in run.tests.values() for outcome in test.values()}
