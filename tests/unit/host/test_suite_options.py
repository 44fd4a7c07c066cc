"""Whether a word is the value of an option that only the suite knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.host.suite_options import SuiteOptions

CONFTEST = """
import argparse

def pytest_addoption(parser):
    parser.addoption("--run-slow", action="store_true")
    parser.addoption("-E", "--env", action="append", default=[])
    group = parser.getgroup("x")
    group.addoption('--data', type=str)
    group.addoption("--colour", action=argparse.BooleanOptionalAction)
    group.addoption(make_name())
"""


@pytest.mark.parametrize(
    ("option", "word", "expected"),
    [
        ("--run-slow", "tests", False),
        ("--run-slow", "missing", False),
        ("--colour", "tests", False),
        ("--env", "tests", True),
        ("-E", "tests", True),
        ("--data", "../project/tests/test_a.py::test_x[3.12]", True),
        ("--unknown", "stage[3.12]", True),
        ("--unknown", "", True),
        ("--unknown", "x" * 5000, True),
        ("--unknown", "tests", None),
        ("--unknown", "tests[3.12]", None),
        ("--unknown", "tests/test_a.py::test_x[3.12]", None),
        ("--unknown", "../vars.json", None),
        ("--of-other", "../other/tests", False),
        ("--of-other", "tests", None),
    ],
)
def test_takes_value(tmp_path: Path, option: str, word: str, expected: bool | None) -> None:
    folder = tmp_path / "project"
    for tests in (folder / "tests", tmp_path / "other/tests"):
        tests.mkdir(parents=True)
        (tests / "test_a.py").touch()
    (tmp_path / "vars.json").touch()
    (folder / "tests/conftest.py").write_text(CONFTEST)
    (tmp_path / "other/conftest.py").write_text("def f(parser): parser.addoption('--of-other', action='store_true')")
    (folder / "conftest.py").write_text("this is no Python")
    assert SuiteOptions(folder).takes_value(option, word) is expected
