"""``pyimages test``: run the tests even if the host's pytest cannot start with the project's configuration."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pytest_pyimages.cli.project import (
    SPEC_HELP,
    check_images_named,
    pytest_arguments,
    read_invocation,
    run_pytest,
)

SUMMARY = "run the tests in containers, like `pytest --py-images=SPEC`"
DESCRIPTION = """\
Run the tests like `pytest --py-images=SPEC ARGUMENT...`, even if the host's pytest cannot start with the project's
configuration: a plugin of `-p` or PYTEST_PLUGINS that is not installed on the host, a `minversion` that is too high, or
a class in `filterwarnings` that the host cannot import while warnings are errors."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)


def run(arguments: Namespace) -> int:
    """Run the tests of the project in the current folder."""
    invocation = read_invocation(pytest_arguments(arguments, arguments.spec))
    check_images_named(invocation)
    return run_pytest(invocation, [])
