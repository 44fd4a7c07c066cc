"""``pyimages run``: any command where the suite is run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pytest_pyimages.cli.environment import IMAGE_HELP, run_in_image
from pytest_pyimages.cli.project import at_project, pytest_arguments
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.runs import HostTerminal

SUMMARY = "run a command in an environment image, source and all"
DESCRIPTION = """\
Run a command in the container that a run of the suite would use, such as `pyimages run 3.14 -- python -m pdb app.py`.
On a terminal the command has it; elsewhere it gets no input. The image is built if it is not there. Nothing of what the
command changes reaches this host. Ends with the command's exit status, 127 if there is no such command."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="IMAGE", nargs="?", help=IMAGE_HELP)


def run(arguments: Namespace) -> int:
    command = tuple(arguments.pytest_arguments)
    if not command:
        raise ConfigurationError("no command is given", "write it behind --: pyimages run 3.14 -- python --version")
    arguments.pytest_arguments = []
    terminal = HostTerminal.find()
    return at_project(pytest_arguments(arguments, arguments.spec), lambda place: run_in_image(place, command, terminal))
