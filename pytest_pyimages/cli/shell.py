"""``pyimages shell``: open a shell in an environment image."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pytest_pyimages.cli.environment import IMAGE_HELP, run_in_image
from pytest_pyimages.cli.project import pytest_arguments, run_at_project
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.runs import HostTerminal

SUMMARY = "open a shell in an environment image, with the source"
DESCRIPTION = """\
Open a shell in the same container as the tests: the project's environment, the source at its own path, the same
working folder and variables. The image is built if needed. Changes to files are discarded. Exits with the shell's exit
status."""
# Not every image has bash.
SHELL = ("sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash -i || exec sh -i")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="IMAGE", nargs="?", help=IMAGE_HELP)


def run(arguments: Namespace) -> int:
    terminal = HostTerminal.find()
    if terminal is None:
        raise ConfigurationError("a shell needs a terminal", "use `pyimages run IMAGE -- COMMAND` instead")
    return run_at_project(
        pytest_arguments(arguments, arguments.spec),
        lambda place: run_in_image(place, place.plan(), SHELL, terminal, greet=True),
    )
