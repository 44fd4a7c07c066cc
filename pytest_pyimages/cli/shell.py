"""``pyimages shell``: look around where the suite is run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pytest_pyimages.cli.environment import IMAGE_HELP, run_in_image
from pytest_pyimages.cli.project import at_project, pytest_arguments
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.runs import HostTerminal

SUMMARY = "open a shell in an environment image, source and all"
DESCRIPTION = """\
Open a shell in the container that a run would use: the project's environment, the source at its own path, the working
folder and the variables that the suite sees. The image is built if it is not there. Nothing of what is changed in the
shell reaches this host, and nothing is kept. Ends with the shell's exit status."""
# Not every image has bash.
SHELL = ("sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash -i || exec sh -i")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="IMAGE", nargs="?", help=IMAGE_HELP)


def run(arguments: Namespace) -> int:
    terminal = HostTerminal.find()
    if terminal is None:
        raise ConfigurationError("a shell needs a terminal", "use `pyimages run IMAGE -- COMMAND` without one")
    return at_project(
        pytest_arguments(arguments, arguments.spec), lambda place: run_in_image(place, SHELL, terminal, greet=True)
    )
