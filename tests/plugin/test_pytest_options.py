"""pytest's limit for warnings, its cache, and keys of its ini file on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun, run_command

Run = Callable[..., ImagesRun]

IMAGES = "3.12,3.14-slim"
SUITE = """
import os, warnings, pytest
@pytest.fixture
def its_fixture():
    '''Of this suite.'''
def test_a(its_fixture):
    warnings.warn("a")
def test_b():
    if "slim" in os.environ.get("FAKE_IMAGE", ""):
        warnings.warn("b")
"""
NEW = pytest.mark.skipif(pytest.version_tuple < (9, 1), reason="--max-warnings came with pytest 9.1")


@pytest.mark.parametrize(
    ("ini", "args", "status"),
    [
        pytest.param("max_warnings = 0", [], 6, id="all"),
        pytest.param("max_warnings = 1", [], 6, id="one image"),
        pytest.param("max_warnings = 2", [], 0, id="none"),
        pytest.param("", ["--max-warnings=2"], 0, id="none by the option"),
        pytest.param("", ["--max-warnings", "1"], 6, id="one by the option"),
        pytest.param("addopts = --max-warnings=0", ["--max-warnings=2"], 0, id="the last one counts"),
    ],
)
@NEW
def test_warnings_are_limited_per_image(
    pytester: pytest.Pytester, run_images: Run, ini: str, args: list[str], status: int
) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile(test_it=SUITE)
    run = run_images(*args, images=IMAGES)
    assert (run.result.ret, run.result.parseoutcomes()) == (status, {"passed": 4, "warnings": 3})
    remarks = [line.rpartition("  ")[2] for line in run.out.splitlines() if line.startswith((" 3.12 ", " 3.14-slim "))]
    assert ("too many warnings: 2" in remarks) == (status == 6)
    assert ("too many warnings: 1" in remarks) == (ini == "max_warnings = 0")


@NEW
def test_an_image_that_may_have_too_many_warnings(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeini("[pytest]\nmax_warnings = 1\n")
    pytester.makepyfile(test_it=SUITE)
    assert run_images(images="3.12,3.14-slim?").result.ret == 0


@pytest.mark.parametrize(
    ("ini", "args", "line"),
    [
        pytest.param("", ["-o", "console_output_style=count"], "test_it.py .. *[[]2/2]", id="option"),
        pytest.param("", ["--override-ini=console_output_style=count"], "test_it.py .. *[[]2/2]", id="long option"),
        pytest.param(
            "console_output_style = classic", ["-o", "console_output_style=count"], "test_it.py .. *[[]2/2]", id="both"
        ),
        pytest.param(
            "",
            ["-o", "verbosity_test_cases=1"],
            "test_it.py::test_b[[]3.12] PASSED*",
            id="verbosity",
            marks=pytest.mark.skipif(pytest.version_tuple < (8, 1), reason="the key came with pytest 8.1"),
        ),
    ],
)
def test_the_host_takes_ini_keys_from_the_command_line(
    pytester: pytest.Pytester, run_images: Run, ini: str, args: list[str], line: str
) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile(test_it="def test_a(): pass\ndef test_b(): pass")
    run_images(*args).result.stdout.fnmatch_lines([line])


def test_the_cache_is_shown_by_the_host(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=SUITE)
    run_images(images=IMAGES)
    plain = run_command(sys.executable, "-m", "pytest", "--cache-show", "pyimages/nodeids")
    run = run_images("--cache-show", "pyimages/nodeids", images=IMAGES)
    assert (run.result.ret, run.calls) == (0, [])
    assert "test_it.py::test_a" in run.out
    assert [line for line in run.out.splitlines() if "test_it" in line] == [
        line for line in plain.stdout.str().splitlines() if "test_it" in line
    ]
