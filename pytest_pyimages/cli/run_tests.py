"""``pyimages test``: another name for ``pytest --py-images=SPEC``."""

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
Run the tests like `pytest --py-images=SPEC ARGUMENT...`, where SPEC defaults to py_images."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)


def run(arguments: Namespace) -> int:
    """Run the tests of the project in the current folder."""
    invocation = read_invocation(pytest_arguments(arguments, arguments.spec))
    check_images_named(invocation)
    return run_pytest(invocation, [])
