"""What kept a run from being complete, in one line, told from how the worker and pytest ended."""

from __future__ import annotations

import re
import shlex

import pytest

from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.runs import RunEnd

# argparse has a usage line before what is wrong, pytest has lines about ini file and rootdir behind it.
_USAGE = re.compile(r"^.*: error: (.+)$", re.MULTILINE)
_NOT_FOUND = re.compile(r"^ERROR: ((?:file or directory )?not found: .+)$", re.MULTILINE)
# What a conftest ended with. A module that is not there is named with what to do about it (missing_modules).
_CAUSE = re.compile(r"^E   ((?!ModuleNotFoundError|ImportError: No module named)[\w.]+(?:: .+)?)$", re.MULTILINE)
_UNKNOWN = "unrecognized arguments: "


def describe_problem(  # noqa: PLR0913 - each from somewhere else
    result: ImageResult, end: RunEnd, *, internal: str, rootdir: str, gave_up: str = "", left: int = 0
) -> tuple[str, str]:
    """Return in one line what keeps this run from being complete, and what to show below it; both may be empty.

    :param internal: what pytest inside said of an error of its own.
    :param gave_up: why xdist ended the session early.
    :param left: how many tests xdist has not run.
    """
    if end.problem:
        return end.problem, end.stderr
    if gave_up or (left and end.status == pytest.ExitCode.OK):
        return gave_up or "pytest inside ended with exit status 0 although not all tests were run", end.stderr
    if internal or end.status == pytest.ExitCode.INTERNAL_ERROR:
        return "INTERNALERROR of pytest inside", internal or end.stderr
    if end.status == pytest.ExitCode.USAGE_ERROR:
        return describe_usage_error(end.stderr, rootdir=rootdir)
    failed = result.counts["failed"] or result.counts["error"]
    extra = [name for name, count in result.counts.items() if "failed" in name and count]
    if end.status == pytest.ExitCode.TESTS_FAILED and not failed and not extra:
        return (
            "pytest inside ended with exit status 1 although no test failed (a threshold, such as coverage?)",
            end.stderr,
        )
    return "", ""


def is_stopped_by_maxfail(status: int | None, interrupted: str) -> bool:
    """Whether a session has ended by -x or --maxfail under xdist: there it is interrupted, elsewhere it has failed."""
    return status == pytest.ExitCode.INTERRUPTED and interrupted.startswith("Interrupted: stopping after ")


def describe_usage_error(stderr: str, *, rootdir: str) -> tuple[str, str]:
    """Return what pytest inside has against its arguments, and what to show below it: nothing if that says it all."""
    plain = _USAGE.search(stderr) or _NOT_FOUND.search(stderr)
    if plain is not None:
        return plain[1].replace(f"{rootdir}/", ""), ""
    lines = [line for line in stderr.splitlines() if line.strip()]
    told = (line for line in lines if line.startswith(("ERROR", "ImportError while loading")))
    said = next(told, lines[-1] if lines else "usage error")
    problem = said.removeprefix("ERROR: ").replace(f"{rootdir}/", "")
    cause = _CAUSE.search(stderr)
    if said.startswith("ImportError while loading") and cause is not None:
        problem = f"{problem.removesuffix('.')}: {cause[1]}"
    return f"pytest inside: {problem}", stderr


def parse_unknown_options(problem: str) -> tuple[str, ...]:
    """Return the options that pytest inside does not know; none for any other problem."""
    if not problem.startswith(_UNKNOWN):
        return ()
    try:
        words = shlex.split(problem.removeprefix(_UNKNOWN))
    except ValueError:
        words = problem.removeprefix(_UNKNOWN).split()
    return tuple(word.partition("=")[0] for word in words if word.startswith("-"))


def describe_missing_tests(result: ImageResult, most: ImageResult) -> str:
    """Return what is wrong with an image that collected nothing, where another has tests."""
    tests = "1 test" if most.found == 1 else f"{most.found} tests"
    return (
        f"nothing was collected, and {most.label} has {tests}"
        f" · where that is right, leave {result.label} out or allow it to fail: {result.label}?"
    )


def describe_shard_problem(result: ImageResult) -> str:
    """Return what is wrong with an image whose tests were not divided; empty if they were, or it came not so far."""
    if result.shard is None or result.shard.collected is not None or result.stopped:
        return ""
    return "the tests were not divided into shards: something else than pytest collects them here"
