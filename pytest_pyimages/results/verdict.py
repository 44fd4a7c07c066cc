"""Classify a finished run, and attach a hint to its problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_pyimages.results.missing_modules import MissingModules
from pytest_pyimages.results.missing_programs import MissingPrograms
from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.problems import (
    describe_problem,
    describe_shard_problem,
    describe_stop,
    is_stopped_by_maxfail,
    parse_unknown_options,
)
from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.runs import RunEnd


class Judge:
    """Decides whether a run was complete, and why not.

    :param missing: the modules and plugins that the images lack.
    :param labels: of all images.
    :param other_images: suffixes of node ids on the command line that look like images and are not in the matrix.
    :param rootdir: pytest's, which is removed from messages.
    """

    def __init__(
        self, missing: MissingModules, *, labels: Sequence[str], other_images: Sequence[str], rootdir: str
    ) -> None:
        self._missing = missing
        self._programs = MissingPrograms()
        self._labels = labels
        self._other_images = other_images
        self._rootdir = rootdir

    def record_error(self, label: str, error: str) -> None:
        """Record the text of a collection error."""
        self._missing.record_error(label, error)
        self._programs.record_failure(label, error)

    def record_failure(self, label: str, text: str) -> None:
        """Record the traceback of a failed test."""
        self._programs.record_failure(label, text)

    def record_skip(self, label: str, kind: str, reason: str) -> None:
        """Record why a "module" or "test" was skipped."""
        self._missing.record_skip(label, kind, reason)

    def list_notes(self) -> tuple[str, ...]:
        """Return what was skipped or failed only because the environment lacks something that can be installed."""
        return (*self._missing.list_notes(), *self._programs.list_notes(self._labels))

    def judge(self, run: ImageRun, end: RunEnd, *, left: int | None) -> tuple[ImageResult, str]:
        """Return the result of a finished run, and details to show below its problem.

        :param left: how many of the collected tests have no result; None if they were not to have one.
        """
        is_enough = is_stopped_by_maxfail(end.status, run.interrupted)
        result = replace(
            run.result,
            exit_status=int(pytest.ExitCode.TESTS_FAILED) if is_enough else end.status,
            stopped=""
            if is_enough
            else describe_stop(end, total=len(run.items), left=left, interrupted=run.interrupted),
            usage_error=end.status == pytest.ExitCode.USAGE_ERROR and not end.problem,
        )
        problem, detail = describe_problem(run, end, rootdir=self._rootdir, left=left)
        if result.shard is not None:
            if result.exit_status == pytest.ExitCode.NO_TESTS_COLLECTED and result.found and not result.collected:
                result = replace(result, exit_status=int(pytest.ExitCode.OK))  # other shards have the tests
            problem = problem or describe_shard_problem(result)
        if self._other_images and result.usage_error and "not found: " in problem:
            others, labels = ", ".join(self._other_images), ", ".join(self._labels)
            verb = "is" if len(self._other_images) == 1 else "are"
            problem = f"{problem}; {others} {verb} not in the matrix: choose from {labels}"
        unknown = parse_unknown_options(problem)
        if problem and not run.collected:  # a conftest, or a plugin that the configuration names
            self._missing.record_error(run.label, detail)
        if unknown:
            hint = self._missing.make_plugin_hint(run.label, unknown)
        else:
            hint = self._missing.make_hint(run.label, python=result.python)
        if problem and hint:
            problem = f"{problem.removesuffix('.')}{' · ' if unknown else ': '}{hint}"
        return replace(result, problem=problem, hint=hint), detail
