"""What a finished run amounts to, and the hint that goes with its problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_pyimages.results.outcome import Shard
from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.results.verdict import Judge
from pytest_pyimages.runs import RunEnd
from tests.support.golden import message
from tests.support.results import make_run

USAGE = "usage: pytest\npytest: error: {}\n"


class Hints:
    """Stands for MissingModules: gives one hint, and records the errors that it is given."""

    def __init__(self, hint: str = "") -> None:
        self.hint = hint
        self.errors: list[tuple[str, str]] = []
        self.plugins: tuple[str, ...] = ()

    def record_error(self, label: str, error: str) -> None:
        self.errors.append((label, error))

    def make_hint(self, label: str, *, python: str) -> str:
        return self.hint

    def make_plugin_hint(self, label: str, options: Sequence[str]) -> str:
        self.plugins = tuple(options)
        return self.hint


def make_judge(hints: Any, *other_images: str) -> Judge:
    return Judge(hints, labels=["3.12", "3.14"], other_images=other_images, rootdir="/src")


def make_collected(status: int = 0) -> ImageRun:
    """Return a run with tests if the exit status says so."""
    run = make_run(collected=0 if status == pytest.ExitCode.NO_TESTS_COLLECTED else 4)
    run.collected = True
    return run


@pytest.mark.parametrize("status", [0, 5])
def test_a_complete_run_has_no_problem(status: int) -> None:
    hints = Hints("add six")
    result, detail = make_judge(hints).judge(make_collected(status), RunEnd(status=status), left=0)
    assert (result.exit_status, result.problem, result.stopped, result.usage_error) == (status, "", "", False)
    assert (result.hint, detail, hints.errors) == ("add six", "", [])


@pytest.mark.parametrize(
    ("reason", "expected", "stopped"),
    [
        ("Interrupted: stopping after 1 failures", 1, ""),
        ("KeyboardInterrupt", 2, "KeyboardInterrupt"),
        ("Interrupted: 1 error during collection", 2, "Interrupted: 1 error during collection"),
    ],
)
def test_only_maxfail_turns_an_interruption_into_a_failure(reason: str, expected: int, stopped: str) -> None:
    run = make_run()
    run.interrupted = reason
    result, _ = make_judge(Hints()).judge(run, RunEnd(status=int(pytest.ExitCode.INTERRUPTED)), left=0)
    assert (result.exit_status, result.stopped) == (expected, stopped)


@pytest.mark.parametrize(("collected", "expected"), [(4, 0), (0, 5)])
def test_a_shard_without_tests_passes_if_others_have_some(collected: int, expected: int) -> None:
    shard = Shard(index=2, of=2, collected=collected, digest="0" * 64)
    result, _ = make_judge(Hints()).judge(make_run(shard=shard), RunEnd(status=5), left=0)
    assert result.exit_status == expected


@pytest.mark.parametrize(
    ("others", "images"),
    [
        ((), ""),
        (("3.13",), "3.13 is"),
        (("3.13", "3.15"), "3.13, 3.15 are"),
    ],
)
def test_an_unknown_node_id_may_name_another_image(others: tuple[str, ...], images: str) -> None:
    end = RunEnd(status=int(pytest.ExitCode.USAGE_ERROR), stderr="ERROR: not found: /src/test_a.py::test_x[3.13]\n")
    result, _ = make_judge(Hints(), *others).judge(make_run(), end, left=0)
    assert result.usage_error
    more = f"; {message('results', 'not-in-matrix', images=images, labels='3.12, 3.14')}" if images else ""
    assert result.problem == f"not found: test_a.py::test_x[3.13]{more}"


def test_another_usage_error_does_not_name_images() -> None:
    end = RunEnd(status=int(pytest.ExitCode.USAGE_ERROR), stderr=USAGE.format("argument -n: expected one argument"))
    result, _ = make_judge(Hints(), "3.13").judge(make_run(), end, left=0)
    assert result.problem == "argument -n: expected one argument"


def test_a_worker_that_died_is_no_usage_error() -> None:
    end = RunEnd(
        status=int(pytest.ExitCode.USAGE_ERROR), problem="worker died of SIGSEGV", stderr="Fatal Python error\n"
    )
    result, detail = make_judge(Hints()).judge(make_run(), end, left=0)
    assert (result.usage_error, result.problem, detail) == (False, "worker died of SIGSEGV", "Fatal Python error\n")


def test_unknown_options_have_the_hint_of_their_plugin() -> None:
    hints = Hints("add pytest-timeout")
    end = RunEnd(
        status=int(pytest.ExitCode.USAGE_ERROR),
        stderr=USAGE.format("unrecognized arguments: --timeout=3 --session-timeout 9"),
    )
    result, _ = make_judge(hints).judge(make_run(), end, left=0)
    assert hints.plugins == ("--timeout", "--session-timeout")
    assert result.problem == "unrecognized arguments: --timeout=3 --session-timeout 9 · add pytest-timeout", (
        "the hint is an instruction"
    )


@pytest.mark.parametrize("collected", [False, True])
def test_a_problem_before_the_tests_were_collected_may_lack_a_module(collected: bool) -> None:
    hints = Hints("No module named 'six'")
    run = make_run()
    run.collected = collected
    result, detail = make_judge(hints).judge(run, RunEnd(status=3, stderr="No module named 'six'"), left=0)
    assert result.problem == "INTERNALERROR of pytest in the container: No module named 'six'"
    assert hints.errors == ([] if collected else [("3.12", detail)])


def test_tests_that_xdist_left_are_a_problem() -> None:
    result, _ = make_judge(Hints()).judge(make_collected(), RunEnd(status=0, unrun=3), left=3)
    assert "not all tests were run" in result.problem
