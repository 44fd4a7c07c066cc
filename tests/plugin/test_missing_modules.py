"""A missing module is named in the error, with the setting that adds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]

PLACE = "pyproject.toml [[]tool.pytest.ini_options[]]"
INSTALL = '[[]"--group test", "statsmodels"[]]'
PYPROJECT = """
[tool.pytest.ini_options]
addopts = "-ra"
[dependency-groups]
test = ["pytest", "attrs"]
"""


@pytest.fixture(autouse=True)
def _a_group_of_requirements(pytester: pytest.Pytester) -> None:
    (pytester.path / "pyproject.toml").write_text(PYPROJECT)


def test_missing_module_in_a_test_module(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        test_one="import statsmodels\ndef test(): pass",
        test_two="import seaborn.part as part\ndef test(): pass",
        test_three="def test(): pass",
    )
    plain = pytester.runpytest_subprocess("-p", "no:pyimages", "-p", "no:cacheprovider")
    run = run_images(images="3.12,3.14-slim")
    assert run.result.ret == plain.ret == pytest.ExitCode.INTERRUPTED
    line = f'py_images_install = {INSTALL[:-3]}, "seaborn"[]]'
    shown = "_* ERROR collecting test_one.py[[]3.12, 3.14-slim[]] _*"
    run.result.stdout.fnmatch_lines([shown, "E   ModuleNotFoundError: No module named 'statsmodels'"])
    told = f'no module named "statsmodels" or "seaborn" · add them in {PLACE}: {line}'
    run.result.stdout.fnmatch_lines([f" 3.12, 3.14-slim  {told}"])
    assert run.out.count('no module named "statsmodels"') == 1, "both miss the same"
    assert {image["problem"] for image in run.images.values()} == {""}


def test_missing_module_with_continue_on_collection_errors(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_one="import statsmodels", test_two="def test(): pass")
    run = run_images("--continue-on-collection-errors")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.images["3.12"]["counts"]["passed"] == 1
    run.result.stdout.fnmatch_lines([f' 3.12  no module named "statsmodels" · add it in {PLACE}: *'])


def test_missing_module_in_a_conftest(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest("import statsmodels")
    pytester.makepyfile("def test(): pass")
    plain = pytester.runpytest_subprocess("-p", "no:pyimages", "-p", "no:cacheprovider")
    run = run_images()
    assert run.result.ret == plain.ret == pytest.ExitCode.USAGE_ERROR
    told = f'no module named "statsmodels" · add it in {PLACE}: py_images_install = {INSTALL}'
    run.result.stdout.fnmatch_lines(
        [
            "*ImportError while loading conftest *",
            f" 3.12  pytest in the container: *: {told}",
            "ERROR [[]3.12[]] - pytest in the container: *",
        ]
    )
    assert run.images["3.12"]["problem"].endswith('py_images_install = ["--group test", "statsmodels"]')


def test_missing_module_in_a_plugin(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest("pytest_plugins = ['pytest_no_such_plugin']")
    pytester.makepyfile("def test(): pass")
    run = run_images()
    assert run.result.ret != 0
    told = f'no module named "pytest_no_such_plugin" · add the distribution that provides it in {PLACE}: *'
    run.result.stdout.fnmatch_lines([f" 3.12 *{told}"])
    assert "pytest-no-such-plugin" not in run.out, "nobody knows who registers this name"


def test_missing_module_of_the_project(pytester: pytest.Pytester, run_images: Run) -> None:
    (pytester.path / "src" / "shop").mkdir(parents=True)
    (pytester.path / "src" / "shop" / "__init__.py").write_text("")
    pytester.makepyfile("import shop\ndef test(): pass")
    run = run_images()
    line = f' 3.12  no module named "shop", which is in src: * · add it in {PLACE}: pythonpath = [[]"src"[]]'
    run.result.stdout.fnmatch_lines([line])
    (pytester.path / "pyproject.toml").write_text(PYPROJECT.replace("addopts", 'pythonpath = ["src"]\naddopts'))
    assert run_images().result.ret == 0


def test_missing_module_on_one_image(pytester: pytest.Pytester, run_images: Run, tmp_path: Path) -> None:
    pytester.makepyfile("import os\nif os.environ['FAKE_IMAGE'] == 'python:3.14': import selenium\ndef test(): pass")
    run = run_images(images="3.12,3.14?")
    assert run.result.ret == 0
    told = [line for line in run.out.splitlines() if "add it in" in line]
    assert [line.split()[0] for line in told] == ["3.14"]


def test_other_collection_errors_are_pytests(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("from os import no_such_name")
    run = run_images()
    assert run.result.ret == pytest.ExitCode.INTERRUPTED
    assert "no module named" not in run.out
    run.result.stdout.fnmatch_lines([" 3.12 *1 error*"])


@pytest.mark.parametrize("args", [[], ["--tb=short"], ["--tb=line"]])
def test_program_that_tests_miss_is_named(pytester: pytest.Pytester, run_images: Run, args: list[str]) -> None:
    pytester.makepyfile(
        test_it="""
            import subprocess
            import pytest

            @pytest.fixture
            def repository():
                subprocess.run(["no-such-git", "init"])

            def test_a(): subprocess.run(["no-such-git", "status"])
            def test_b(repository): pass
        """
    )
    run = run_images(*args, images="3.12,3.14-slim")
    note = message("results", "no-known-program", labels="3.12, 3.14-slim", tests="2 tests", program="no-such-git")
    assert f" note: {note}\n" in run.out


@pytest.mark.parametrize("name", ["x" * 300, f"own.{'x' * 300}", f"own.part.{'x' * 300}"])
def test_a_module_whose_name_is_longer_than_a_path(pytester: pytest.Pytester, run_images: Run, name: str) -> None:
    pytester.makepyfile(test_one=f"import {name}", **{"own/__init__": "", "own/part/__init__": ""})
    run = run_images()
    assert run.result.ret == 2
    assert "could not be shown" not in run.out
