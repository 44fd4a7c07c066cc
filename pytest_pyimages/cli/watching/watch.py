"""``pyimages watch``: run the tests again when files change; also ``pytest --py-images-watch``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pytest_pyimages.cli.project import SPEC_HELP, check_images_named, pytest_arguments, read_invocation
from pytest_pyimages.cli.watching.changes import require_watchfiles
from pytest_pyimages.cli.watching.loop import Watch
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import Invocation, is_inside
from pytest_pyimages.project import find_project, find_source_root
from pytest_pyimages.runs import HostTerminal

SUMMARY = "run the tests again when files change or a key is typed"
DESCRIPTION = """\
Run the tests like `pyimages test SPEC -- ARGUMENT...`, wait, and run them again when a file of the project changes.
Needs watchfiles: pip install "pytest-pyimages[watch]"

Keys, if standard input is a terminal: Enter runs the same again, f what failed last, c the tests of the files that
have changed since the watch began, d what differs between images, a all tests; q quits. What f, c, d or a selects is
run at later changes, too."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)


def run(arguments: Namespace) -> int:
    """Watch the project in the current folder."""
    if is_inside():
        raise ConfigurationError("pyimages cannot be used in a container", "run it on the host")
    invocation = read_invocation(pytest_arguments(arguments, arguments.spec))
    check_images_named(invocation)
    return watch_project(invocation, HostTerminal.find())


def watch_project(invocation: Invocation, terminal: HostTerminal | None) -> int:
    """Run the tests again and again until the user ends that; return an exit status.

    :param invocation: of a single run.
    :param terminal: whose keys are read; None for none.
    :raises ConfigurationError: if the watch cannot begin.
    :raises PyimagesError: if it cannot go on.
    """
    require_watchfiles()
    project = find_project(invocation.project_folder, ini=invocation.ini)
    above = invocation.ini.get("py_images_root")
    chosen = invocation.rootdir / above if isinstance(above, str) and above else None
    root = find_source_root(project, invocation.rootdir, invocation.cwd, chosen)
    return Watch(invocation, root, terminal).run()
