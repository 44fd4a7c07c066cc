"""``pyimages run``: run a command in an environment image."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pytest_pyimages.cli.environment import IMAGE_HELP, run_in_image
from pytest_pyimages.cli.project import pytest_arguments, run_at_project
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.runs import HostTerminal

SUMMARY = "run a command in an environment image, with the source"
DESCRIPTION = """\
Run a command in the same container as the tests, such as `pyimages run 3.14 -- python -m pdb app.py`. The command
gets the terminal if there is one, else no input. The image is built if needed. Changes to files are discarded. Exits
with the command's exit status, or 127 if the command does not exist."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="IMAGE", nargs="?", help=IMAGE_HELP)


def run(arguments: Namespace) -> int:
    command = tuple(arguments.pytest_arguments)
    if not command:
        raise ConfigurationError("no command given", "add it after --, such as pyimages run 3.14 -- python --version")
    arguments.pytest_arguments = []
    terminal = HostTerminal.find()
    return run_at_project(
        pytest_arguments(arguments, arguments.spec), lambda place: run_in_image(place, place.plan(), command, terminal)
    )
