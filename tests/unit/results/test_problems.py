"""One-line descriptions of incomplete runs."""

from __future__ import annotations

import pytest

from pytest_pyimages.results.problems import describe_problem, describe_usage_error, parse_unknown_options
from pytest_pyimages.runs.ended import RunEnd
from tests.support.results import make_run

ARGPARSE = """\
ERROR: usage: __main__.py [options] [file_or_dir] [file_or_dir] [...]
__main__.py: error: {}
  inifile: /src/pytest.ini
  rootdir: /src
"""
CONFTEST = "ImportError while loading conftest '/src/t/conftest.py'.\nt/conftest.py:1: in <module>\n"


@pytest.mark.parametrize(
    ("stderr", "problem", "shows_more"),
    [
        pytest.param(ARGPARSE.format("unrecognized arguments: -n"), "unrecognized arguments: -n", False, id="option"),
        pytest.param(
            "ERROR: file or directory not found: nope.py\n\n", "file or directory not found: nope.py", False, id="file"
        ),
        pytest.param(
            "ERROR: not found: /src/t.py::no\n(no match in any of [<Module t.py>])\n",
            "not found: t.py::no",
            False,
            id="id",
        ),
        pytest.param(
            f"{CONFTEST}E   UserWarning: it is old.\nE   Refrain from it\n",
            "pytest in the container: ImportError while loading conftest 't/conftest.py': UserWarning: it is old.",
            True,
            id="conftest",
        ),
        pytest.param(
            f'{CONFTEST}E     File "/src/t/conftest.py", line 1\nE       a b\nE   SyntaxError: invalid syntax\n',
            "pytest in the container: ImportError while loading conftest 't/conftest.py': SyntaxError: invalid syntax",
            True,
            id="syntax of a conftest",
        ),
        pytest.param(
            f"{CONFTEST}E   ModuleNotFoundError: No module named 'six'\n",
            "pytest in the container: ImportError while loading conftest 't/conftest.py'.",
            True,
            id="module that a conftest misses",
        ),
        pytest.param("ERROR: it is wrong\nand more", "pytest in the container: it is wrong", True, id="of a plugin"),
        pytest.param("", "pytest in the container: usage error", False, id="nothing"),
    ],
)
def test_usage_problem(stderr: str, problem: str, shows_more: bool) -> None:
    assert describe_usage_error(stderr, rootdir="/src") == (problem, stderr if shows_more else "")


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ("unrecognized arguments: -n", ("-n",)),
        ("unrecognized arguments: --cov=src --cov-report=it's -x", ("--cov", "--cov-report", "-x")),
        ("unrecognized arguments: -n 4", ("-n",)),
        ("file or directory not found: -n", ()),
        ("", ()),
    ],
)
def test_unknown_options(problem: str, expected: tuple[str, ...]) -> None:
    assert parse_unknown_options(problem) == expected


@pytest.mark.parametrize(
    ("end", "gave_up", "left", "expected"),
    [
        (RunEnd(status=1), "xdist: maximum crashed workers reached: 4", 0, "xdist: maximum crashed workers reached: 4"),
        (RunEnd(status=0), "xdist: maximum crashed workers reached: 4", 3, "xdist: maximum crashed workers reached: 4"),
        (
            RunEnd(status=0, unrun=3),
            "",
            3,
            "pytest in the container exited with status 0, but not all tests were run",
        ),
        (RunEnd(status=0, unrun=3, reason="pytest_runtestloop of conftest.py"), "", 3, ""),
        (RunEnd(status=0), "", 0, ""),
        (RunEnd(status=0), "", None, ""),
        (RunEnd(status=1, unrun=0), "", 1, "1 test without a result arrived, but the worker counted 0"),
        (RunEnd(status=2, unrun=3), "", 2, "2 tests without a result arrived, but the worker counted 3"),
        (RunEnd(status=5), "", 0, ""),
    ],
)
def test_tests_without_a_result(end: RunEnd, gave_up: str, left: int | None, expected: str) -> None:
    run = make_run()
    run.collected, run.gave_up, run.counts["failed"] = True, gave_up, 1
    assert describe_problem(run, end, rootdir="/", left=left)[0] == expected


def test_a_run_without_a_collection_is_not_complete() -> None:
    problem, _ = describe_problem(make_run(), RunEnd(status=0), rootdir="/", left=0)
    assert problem == "pytest in the container exited with status 0 without collecting tests"
