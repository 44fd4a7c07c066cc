"""Describe in one line why a run is incomplete, from how the worker and pytest ended."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.runs import NO_PYTEST, RunEnd

if TYPE_CHECKING:
    from pytest_pyimages.results.replay.image_run import ImageRun

# argparse prints a usage line before the error, pytest prints ini file and rootdir after it.
_USAGE = re.compile(r"^.*: error: (.+)$", re.MULTILINE)
_NOT_FOUND = re.compile(r"^ERROR: ((?:file or directory )?not found: .+)$", re.MULTILINE)
# The exception of a conftest. For a module that was not found missing_modules makes a hint.
_CAUSE = re.compile(r"^E   ((?!ModuleNotFoundError|ImportError: No module named)[\w.]+(?:: .+)?)$", re.MULTILINE)
_UNKNOWN = "unrecognized arguments: "


def describe_problem(run: ImageRun, end: RunEnd, *, rootdir: str, left: int | None) -> tuple[str, str]:
    """Return one line on why this run is incomplete, and details to show below it; both may be empty.

    :param rootdir: pytest's, which is removed from messages.
    :param left: how many of the collected tests have no result; None if they were not to have one.
    """
    if end.problem:
        return end.problem, end.stderr
    if run.gave_up:
        return run.gave_up, end.stderr
    if run.internal.startswith(NO_PYTEST):
        return run.internal, end.stderr
    if run.internal or end.status == pytest.ExitCode.INTERNAL_ERROR:
        return "INTERNALERROR of pytest in the container", run.internal or end.stderr
    if end.status == pytest.ExitCode.USAGE_ERROR:
        return describe_usage_error(end.stderr, rootdir=rootdir)
    problem = _describe_contradiction(run, end, left=left)
    return problem, end.stderr if problem else ""


def _describe_contradiction(run: ImageRun, end: RunEnd, *, left: int | None) -> str:
    """Return what of a run contradicts its exit status, or the worker's own count; empty if nothing does."""
    for nodeid, outcome in run.own_outcomes.items():
        return f"the last outcome of {nodeid} is {outcome!r}, which pytest does not have"
    if end.status == pytest.ExitCode.OK:
        if not run.collected:
            return "pytest in the container exited with status 0 without collecting tests"
        if left and not (end.reason or run.interrupted):
            return "pytest in the container exited with status 0, but not all tests were run"
    if left is not None and left != end.unrun:
        return f"{_count_tests(left)} without a result arrived, but the worker counted {end.unrun}"
    failed = run.counts["failed"] or run.counts["error"]
    extra = [name for name, count in run.counts.items() if "failed" in name and count]
    if end.status == pytest.ExitCode.TESTS_FAILED and not failed and not extra:
        return "pytest in the container exited with status 1, but no test failed (a threshold, such as for coverage?)"
    return ""


def describe_stop(end: RunEnd, *, total: int, left: int | None, interrupted: str) -> str:
    """Return why a suite stopped before its end, if it did; with numbers if its exit status does not show that."""
    if left and end.status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return f"{left} of {_count_tests(total)} not run: {interrupted or end.reason}"
    return interrupted


def _count_tests(number: int) -> str:
    return "1 test" if number == 1 else f"{number} tests"


def is_stopped_by_maxfail(status: int | None, interrupted: str) -> bool:
    """Return whether -x or --maxfail ended a session with xdist, which then has the exit status of an interruption."""
    return status == pytest.ExitCode.INTERRUPTED and interrupted.startswith("Interrupted: stopping after ")


def describe_usage_error(stderr: str, *, rootdir: str) -> tuple[str, str]:
    """Return one line on why pytest refused its arguments, and details to show below it, if there are more."""
    plain = _USAGE.search(stderr) or _NOT_FOUND.search(stderr)
    if plain is not None:
        return plain[1].replace(f"{rootdir}/", ""), ""
    lines = [line for line in stderr.splitlines() if line.strip()]
    errors = (line for line in lines if line.startswith(("ERROR", "ImportError while loading")))
    error = next(errors, lines[-1] if lines else "usage error")
    problem = error.removeprefix("ERROR: ").replace(f"{rootdir}/", "")
    cause = _CAUSE.search(stderr)
    if error.startswith("ImportError while loading") and cause is not None:
        problem = f"{problem.removesuffix('.')}: {cause[1]}"
    return f"pytest in the container: {problem}", stderr


def parse_unknown_options(problem: str) -> tuple[str, ...]:
    """Return the options that pytest in the container does not know; none for any other problem."""
    if not problem.startswith(_UNKNOWN):
        return ()
    try:
        words = shlex.split(problem.removeprefix(_UNKNOWN))
    except ValueError:
        words = problem.removeprefix(_UNKNOWN).split()
    return tuple(word.partition("=")[0] for word in words if word.startswith("-"))


def describe_missing_tests(result: ImageResult, largest: ImageResult) -> str:
    """Return the problem of an image that collected nothing while another has tests."""
    return (
        f"no tests were collected, but {largest.label} has {_count_tests(largest.found)}"
        f" · if this is intended, remove {result.label} or allow it to fail: {result.label}?"
    )


def describe_shard_problem(result: ImageResult) -> str:
    """Return the problem of an image whose tests were not divided into shards; empty if it has none or was stopped."""
    if result.shard is None or result.shard.collected is not None or result.stopped:
        return ""
    return "the tests were not divided into shards, because they are not collected by pytest itself"
