"""Failures are drawn in full for report files, whatever --tb is."""

from __future__ import annotations

from pathlib import Path

from tests.support.project_tree import write_tree
from tests.unit.inside.conftest import RunSuite

TESTS = """
import pytest

def test_a():
    answer = 41
    assert answer == 42

def test_b(): pass

def test_c(): pytest.skip()
"""
CONFTEST = """
import pytest

class Drawn(pytest.Item):
    def runtest(self): assert 0
    def repr_failure(self, excinfo):
        drawn, self.drawn = getattr(self, "drawn", False), True
        if drawn: raise RuntimeError
        return "drawn once"

class Drawing(pytest.File):
    def collect(self): return [Drawn.from_parent(self, name="drawn")]

def pytest_collect_file(file_path, parent):
    return Drawing.from_parent(parent, path=file_path) if file_path.suffix == ".drawing" else None
"""


def test_the_screen_s_style_is_not_changed(suite: Path, run_suite: RunSuite) -> None:
    write_tree(suite, {"test_a.py": TESTS})
    reports = run_suite("tracebacks", {}, "--tb=line").getreports("pytest_runtest_logreport")
    texts = {report.nodeid: text for report in reports if (text := getattr(report, "pyimages_traceback", None))}
    assert list(texts) == ["test_a.py::test_a"]
    assert (
        "def test_a():\n        answer = 41\n>       assert answer == 42\nE       assert 41 == 42\n"
        in texts.popitem()[1]
    )
    (failure,) = (report for report in reports if report.failed)
    assert "def test_a" not in str(failure.longrepr)


def test_items_that_cannot_be_drawn_again(suite: Path, run_suite: RunSuite) -> None:
    write_tree(suite, {"conftest.py": CONFTEST, "a.drawing": ""})
    reports = run_suite("tracebacks", {}).getreports("pytest_runtest_logreport")
    assert not any(hasattr(report, "pyimages_traceback") for report in reports)
    assert [str(report.longrepr) for report in reports if report.failed] == ["drawn once"]
