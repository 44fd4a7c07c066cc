"""The small report of a passed call is, for whoever reads it, the ordinary one."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from pytest_pyimages.results.replay.small_report import TestReport
from pytest_pyimages.results.reports import ReportMaker
from pytest_pyimages.runs.events import Item

MAKER = ReportMaker("3.14-slim", allowed_to_fail=False)
ITEM = Item("tests/test_a.py::TestIt::test_x[1]", "tests/test_a.py", 7, "TestIt.test_x[1]")


def make_small() -> Any:
    return TestReport(MAKER, ITEM, 5.5, 0.25)


def make_ordinary() -> pytest.TestReport:
    return MAKER.make_passed_phase(ITEM, "call", 5.5, 0.25)


@pytest.mark.parametrize(
    "name", [*vars(make_ordinary()), "nodeid", "passed", "failed", "caplog", "head_line", "fspath"]
)
def test_each_attribute_is_equal(name: str) -> None:
    assert getattr(make_small(), name) == getattr(make_ordinary(), name)


@pytest.mark.parametrize(
    "read",
    [
        vars,
        repr,
        dir,
        pytest.TestReport._to_json,
        lambda report: vars(copy.deepcopy(report)),
        lambda report: vars(pickle.loads(pickle.dumps(report))),  # noqa: S301 - written a moment ago
        lambda report: report.__class__.__name__,
        lambda report: isinstance(report, pytest.TestReport),
        lambda report: hasattr(report, "wasxfail"),
    ],
)
def test_it_is_read_as_an_ordinary_one(read: Callable[[Any], object]) -> None:
    assert read(make_small()) == read(make_ordinary())


def test_it_can_be_changed() -> None:
    report = make_small()
    report.sections.append(("Captured stdout call", "text"))
    report.outcome = "failed"
    report.extra = 1
    assert (report.sections, report.failed, report.extra) == ([("Captured stdout call", "text")], True, 1)
    report = make_small()
    report.duration = 3.0
    assert (report.duration, vars(report)["duration"], report.nodeid) == (3.0, 3.0, f"{ITEM.nodeid}[3.14-slim]")


def test_it_stays_small_for_what_pytest_reads_of_all() -> None:
    report = make_small()
    seen = (report.passed, report.skipped, report.when, report.duration, report.count_towards_summary)
    assert (*seen, hasattr(report, "_pdbshown")) == (True, False, "call", 0.25, True, False)
    assert type(report) is TestReport
    with pytest.raises(AttributeError, match="'TestReport' object has no attribute 'wasxfail'"):
        _ = report.wasxfail
    assert report.location
    assert type(report) is pytest.TestReport
