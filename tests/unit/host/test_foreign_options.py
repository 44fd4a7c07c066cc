"""Options of other plugins: whose they are, and what is said of those that nobody would see the result of."""

from __future__ import annotations

import pytest

from pytest_pyimages.host.command_line import POSITION, host_arguments, pieces, without
from pytest_pyimages.host.foreign_options import losses, refusal

OWN = (("--py-images", True),)


@pytest.mark.parametrize("option", ["--reruns", "--timeout", "--randomly-seed", "--html", "--report-log"])
def test_a_value_is_no_path(option: str) -> None:
    given = pieces([option, "2", "tests"], OWN)
    assert [piece.value for piece in given if piece.name == POSITION] == ["tests"]


def test_an_option_that_the_host_knows_is_not_refused() -> None:
    assert refusal(["-x", "--html"], ["--html"]) is None
    assert refusal(["-x", "--html"], ["--css"]) is not None


def test_what_no_plugin_makes_work_is_refused_in_any_case() -> None:
    assert refusal(["--benchmark-json"], ["--benchmark-json"]) == (
        "--benchmark-json",
        "its files would stay in the containers · each image's table is shown at the end",
    )


def test_losses_are_told_once_for_each_plugin() -> None:
    (told,) = losses(["--json-report", "--json-report-file", "--instafail", "--html", "-q"], ["--html"])
    assert told == (
        "--json-report: its report stayed in the containers · install pytest-json-report here, or use"
        " --py-images-report=FILE.json"
    )


def test_what_the_host_takes_the_suite_does_not_get() -> None:
    args = ["-x", "--html", "r.html", "-p", "hooks", "-p", "other", "--py-images=3.12", "--", "--html"]
    assert without(args, OWN, ["--html"], plugins=["hooks"]) == [
        "-x",
        "-p",
        "other",
        "--py-images=3.12",
        "--",
        "--html",
    ]
    assert host_arguments(args, OWN, others=["--html"]) == ["-x", "--html", "r.html", "--py-images=3.12"]
