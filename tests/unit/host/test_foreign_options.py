"""Options of other plugins: where they are handled, and what is reported if their results would be lost."""

from __future__ import annotations

import pytest

from pytest_pyimages.host.command_line import CommandLine
from pytest_pyimages.host.foreign_options import describe_losses, find_refused
from tests.support.golden import message


@pytest.mark.parametrize("option", ["--reruns", "--timeout", "--randomly-seed", "--html", "--report-log", "--log-file"])
def test_a_value_is_not_a_position(option: str) -> None:
    assert CommandLine.parse([option, "2", "tests"]).positions == ("tests",)


def test_an_option_that_the_host_knows_is_not_refused() -> None:
    assert find_refused(["-x", "--html"], ["--html"]) is None
    assert find_refused(["-x", "--html"], ["--css"]) is not None


def test_an_option_that_no_plugin_supports_is_always_refused() -> None:
    assert find_refused(["--benchmark-json"], ["--benchmark-json"]) == (
        "--benchmark-json",
        message("host", "benchmark-files-lost"),
    )


def test_losses_are_noted_once_for_each_plugin() -> None:
    (note,) = describe_losses(["--json-report", "--json-report-file", "--instafail", "--html", "-q"], ["--html"])
    assert note == (
        "--json-report: its report stayed in the containers · install pytest-json-report here, or use"
        " --py-images-report=FILE.json"
    )


def test_containers_do_not_get_options_of_the_host() -> None:
    line = CommandLine.parse("-x --html r.html -p hooks -p other --py-images=3.12 -- --html".split())
    assert line.without(["--html"], plugins=["hooks"]).words == (
        "-x",
        "-p",
        "other",
        "--py-images=3.12",
        "--",
        "--html",
    )
    assert line.host_arguments(others=["--html"]) == ["-x", "--html", "r.html", "--py-images=3.12"]
