"""The command that runs the failed tests of an image again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.session.rerun import make_shell_command, rerun_commands
from tests.support.invocations import make_invocation
from tests.support.results import make_result


def settings(typed: Sequence[str], *, registry: str = "", module: bool = False, command: bool = False) -> Any:
    invocation = make_invocation(shlex.join(typed), cwd=Path("/src"), module=module, command=command)
    return SimpleNamespace(cluster="", invocation=invocation, registry=registry)


def image(label: str, reference: str, outcome: str = "failed", status: int | None = 1) -> ImageResult:
    outcomes = {"test_a.py::test_x": outcome}
    return make_result(label, outcomes, reference=reference, ended=True, exit_status=status)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--py-images=3.12,3.14", "pytest --py-images=3.14 --lf"),
        ("-x -v --py-images 3.12,3.14 tests -k 'a or b'", "pytest --py-images=3.14 --lf -v tests -k 'a or b'"),
        (
            "--py-images-baseline=3.12 --py-images-jobs 2 --py-images-report=a.json --junitxml a.xml --lf --own=1",
            "pytest --py-images=3.14 --lf --own=1",
        ),
        ("--cov=a --cov-fail-under 90 --no-cov-on-fail --no-cov", "pytest --py-images=3.14 --lf --no-cov"),
        ("--randomly-seed=3 -v", "pytest --py-images=3.14 --lf --randomly-seed=3 -v"),
        ("-n 4 tests", "pytest --py-images=3.14 --lf -n 4 tests"),
        ("--py-images-shard=1/3 -v", "pytest --py-images=3.14 --lf -v"),
        ("-q -- -odd.py", "pytest --py-images=3.14 --lf -q -- -odd.py"),
    ],
)
def test_command(typed: str, expected: str) -> None:
    results = {"3.12": image("3.12", "python:3.12", "passed", 0), "3.14": image("3.14", "python:3.14")}
    assert list(rerun_commands(settings(shlex.split(typed)), results, has_cache=True)) == [("3.14", expected)]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--py-images=3.12,3.14", "pyimages shell 3.14"),
        ("-x -v --lf --py-images 3.12,3.14 tests/test_a.py -k 'a or b' --junitxml=a.xml", "pyimages shell 3.14"),
        ("-c other.ini -n 2 -m 'not slow'", "pyimages shell 3.14 -- -c other.ini -n 2"),
        ("--py-images-engine=unix:///x --own=1", "pyimages shell 3.14 -- --py-images-engine=unix:///x --own=1"),
    ],
)
def test_shell(typed: str, expected: str) -> None:
    """In the last image with a failure, with the options that may change its environment."""
    results = {label: image(label, f"python:{label}") for label in ("3.12", "3.14")}
    results["3.15"] = image("3.15", "python:3.15", "passed", 0)
    assert make_shell_command(settings(shlex.split(typed)), results) == expected


def test_shell_on_the_engine_of_the_failure() -> None:
    results = {"3.14": replace(image("3.14", "python:3.14"), engine="ssh://b")}
    called = settings(shlex.split("--py-images-engine=default --py-images-engine=ssh://b -n 2"))
    assert make_shell_command(called, results) == "pyimages shell --engine=ssh://b 3.14 -- -n 2"


def test_no_shell_without_failures() -> None:
    broken = make_result("3.14", {}, reference="python:3.14", ended=True, problem="no such tag")
    assert make_shell_command(settings([]), {"3.14": broken}) == ""


@pytest.mark.parametrize(
    ("label", "reference", "registry", "spec"),
    [
        ("3.14", "localhost:5000/library/python:3.14", "localhost:5000/library", "3.14"),
        ("3.14", "localhost:5000/library/python:3.14", "", "localhost:5000/library/python:3.14"),
        ("pypy:3.11-slim", "pypy:3.11-slim", "", "pypy:3.11-slim"),
    ],
)
def test_specification_of_the_image(label: str, reference: str, registry: str, spec: str) -> None:
    found = rerun_commands(
        settings([], registry=registry, module=True), {label: image(label, reference)}, has_cache=True
    )
    assert list(found) == [(label, f"python -m pytest --py-images={spec} --lf")]


def test_untested_image_has_no_last_failed() -> None:
    made = make_result("3.14", problem="no such image")
    assert list(rerun_commands(settings([]), {"3.14": made}, has_cache=True)) == [("3.14", "pytest --py-images=3.14")]


def test_rerun_with_pyimages_test() -> None:
    called = settings(["--py-images=3.12,3.14", "-v", "--own=1"], command=True)
    found = rerun_commands(called, {"3.14": image("3.14", "python:3.14")}, has_cache=True)
    assert list(found) == [("3.14", "pyimages test 3.14 -- --lf -v --own=1")]


def test_rerun_with_pyimages_test_without_arguments() -> None:
    called = settings(["--py-images=3.12,3.14"], command=True)
    found = rerun_commands(called, {"3.14": image("3.14", "python:3.14")}, has_cache=False)
    assert list(found) == [("3.14", "pyimages test 3.14")]


def test_no_last_failed_without_a_cache() -> None:
    called = settings(["-p", "no:cacheprovider"])
    found = rerun_commands(called, {"3.14": image("3.14", "python:3.14")}, has_cache=False)
    assert list(found) == [("3.14", "pytest --py-images=3.14 -p no:cacheprovider")]


def test_image_without_failed_tests_keeps_its_shard() -> None:
    broken = replace(image("3.14", "python:3.14", "passed", None), problem="worker died of SIGSEGV")
    typed = ["--py-images=3.14", "--py-images-shard", "1/3", "-v"]
    (command,) = dict(rerun_commands(settings(typed), {"3.14": broken}, has_cache=True)).values()
    assert command == "pytest --py-images=3.14 --py-images-shard 1/3 -v"


def test_optional_images_stay_optional() -> None:
    results = {
        "3.12": image("3.12", "python:3.12"),
        "3.15-rc": replace(image("3.15-rc", "python:3.15-rc"), allowed_to_fail=True),
    }
    (command,) = dict(rerun_commands(settings([]), results, has_cache=True)).values()
    assert command == "pytest '--py-images=3.12,3.15-rc?' --lf"


def test_refused_arguments_are_not_offered_again() -> None:
    refused = replace(make_result("3.14", problem="not found: test_a.py::test_x"), usage_error=True)
    assert list(rerun_commands(settings([]), {"3.14": refused}, has_cache=True)) == []


def test_one_command_for_all_images() -> None:
    """Images that were not tested have no failed tests that could be run alone."""
    results = {
        "3.12": image("3.12", "python:3.12"),
        "3.13": image("3.13", "python:3.13", "passed", 0),
        "3.14": image("3.14", "python:3.14"),
        "3.9": make_result("3.9", reference="python:3.9", problem="no such image"),
    }
    assert list(rerun_commands(settings(["-v"]), results, has_cache=True)) == [
        ("3.12, 3.14", "pytest --py-images=3.12,3.14 --lf -v"),
        ("3.9", "pytest --py-images=3.9 -v"),
    ]


def test_tests_that_were_selected_on_other_images() -> None:
    results = {"3.12": image("3.12", "python:3.12", "passed", 0), "3.14": image("3.14", "python:3.14")}
    typed = ["test_a.py::test_x[3.12]", "test_a.py::test_x[3.14]", "test_b.py"]
    (found,) = rerun_commands(settings(typed), results, has_cache=True)
    assert found[1] == "pytest --py-images=3.14 --lf 'test_a.py::test_x[3.14]' test_b.py"
