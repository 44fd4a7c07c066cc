"""What each key makes pytest run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.cli.watching.choices import find_tests, replace_positions
from pytest_pyimages.host.invocation import Invocation


def read(folder: Path, *words: str) -> Invocation:
    return Invocation.from_arguments(words, folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for name in ("cart.py", "tests/test_cart.py", "tests/cart_test.py", "tests/test_other.py", "tests/conftest.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ("cart.py", ["tests/cart_test.py", "tests/test_cart.py"]),
        ("tests/test_other.py", ["tests/test_other.py"]),
        ("tests/conftest.py", ["tests"]),
        ("tests/test_gone.py", []),
        ("README.md", []),
    ],
)
def test_tests_of_changed_files(project: Path, changed: str, found: list[str]) -> None:
    assert find_tests(read(project), project, {project / changed}) == found


def test_tests_are_those_that_the_configuration_and_the_arguments_name(project: Path) -> None:
    (project / "pytest.ini").write_text("[pytest]\npython_files = check_*.py\n")
    (project / "check_it.py").touch()
    assert find_tests(read(project), project, {project / "check_it.py"}) == ["check_it.py"]
    assert find_tests(read(project, "tests"), project, {project / "check_it.py"}) == []


def test_positions_are_replaced_and_options_are_kept(project: Path) -> None:
    invocation = read(project / "tests", f"--rootdir={project}", "test_cart.py", "-k", "x", "--", "test_other.py")
    words = replace_positions(invocation, ["tests/test_cart.py::test_a[x]", "check.py"])
    assert words == ("test_cart.py::test_a[x]", "../check.py", f"--rootdir={project}", "-k", "x")
