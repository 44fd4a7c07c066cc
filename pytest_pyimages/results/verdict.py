"""What an image's run comes to when it has ended, and what its user can do about it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_pyimages.results.missing_modules import MissingModules
from pytest_pyimages.results.problems import (
    describe_problem,
    describe_shard_problem,
    is_stopped_by_maxfail,
    parse_unknown_options,
)
from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.runs import RunEnd


class Judge:
    """Tells complete runs from others, and puts what to do now behind what is wrong.

    :param missing: knows what modules and plugins the images lack.
    :param labels: of all images.
    :param other_images: what node ids of the command line seem to name, and is none of them.
    :param rootdir: pytest's, which messages need not repeat.
    """

    def __init__(
        self, missing: MissingModules, *, labels: Sequence[str], other_images: Sequence[str], rootdir: str
    ) -> None:
        self._missing = missing
        self._labels = labels
        self._other_images = other_images
        self._rootdir = rootdir

    def look(self, label: str, error: str) -> None:
        """Take the text of an error that kept pytest from collecting."""
        self._missing.look(label, error)

    def judge(self, image: ImageRun, end: RunEnd, *, left: int) -> str:
        """Set what became of an image's run, and what to do about it; return what to show below its problem.

        :param left: how many tests xdist has not run.
        """
        result, label = image.result, image.result.label
        result.exit_status = end.status
        result.stopped = image.interrupted
        if is_stopped_by_maxfail(end.status, image.interrupted):
            result.exit_status, result.stopped = int(pytest.ExitCode.TESTS_FAILED), ""
        result.usage_error = end.status == pytest.ExitCode.USAGE_ERROR and not end.problem
        result.problem, detail = describe_problem(
            result, end, internal=image.internal, rootdir=self._rootdir, gave_up=image.gave_up, left=left
        )
        if result.shard is not None:
            if result.exit_status == pytest.ExitCode.NO_TESTS_COLLECTED and result.found:
                result.exit_status = int(pytest.ExitCode.OK)  # the other shards have them
            result.problem = result.problem or describe_shard_problem(result)
        if self._other_images and result.usage_error and "not found: " in result.problem:
            others, ours = ", ".join(self._other_images), ", ".join(self._labels)
            result.problem = f"{result.problem}, and {others} is none of the images: {ours}"
        unknown = parse_unknown_options(result.problem)
        if result.problem and not image.collected:  # a conftest, or a plugin that the configuration names
            self._missing.look(label, detail)
        if unknown:
            result.advice = self._missing.make_plugin_hint(label, unknown)
        else:
            result.advice = self._missing.make_hint(label, python=result.python)
        if result.problem and result.advice:
            result.problem = f"{result.problem.removesuffix('.')}{' · ' if unknown else ': '}{result.advice}"
        return detail
