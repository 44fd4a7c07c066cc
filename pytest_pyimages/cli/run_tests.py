"""``pyimages test``: a run, also where pytest itself would refuse the project's configuration."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

from pytest_pyimages.cli.project import pytest_arguments, run_pytest
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import invocation_from, wants_images

SUMMARY = "run the suite in images, like `pytest --py-images=SPEC`"
DESCRIPTION = """\
Run the suite like `pytest --py-images=SPEC ARGUMENT...`, also where the suite's own configuration keeps the host's
pytest from starting: a plugin of `-p` or of PYTEST_PLUGINS that the host lacks, a `minversion` above the host's, a
class in `filterwarnings` that the host cannot import, where warnings are errors."""
NO_IMAGES = ConfigurationError("no images are named", "write a SPEC such as 3.12,3.14-slim, or set py_images")
SPEC_HELP = "the images, such as 3.12,3.14-slim (default: the ini key py_images)"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)


def run(arguments: Namespace) -> int:
    """Run the suite below the current folder."""
    try:
        invocation = invocation_from(pytest_arguments(arguments, arguments.spec), Path.cwd())
    except pytest.UsageError as error:
        raise ConfigurationError(str(error)) from error
    if not wants_images(invocation):
        raise NO_IMAGES
    return run_pytest(invocation, [])
