"""``pyimages images``: what the engine has of the matrix, and whether a registry has something newer."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

from pytest_pyimages.cli.project import SPEC_HELP, Place, pytest_arguments, run_at_project
from pytest_pyimages.cli.quantities import format_age, format_size
from pytest_pyimages.engines import Engine, ImageInfo
from pytest_pyimages.errors import EngineError, ImageNotFound
from pytest_pyimages.images import Pins, find_digest, has_digest, read_pins
from pytest_pyimages.matrix import ImageTag, is_image_id
from pytest_pyimages.text import table_lines

SUMMARY = "list the base images of the matrix, and whether they are up to date"
DESCRIPTION = """\
List each image of the matrix: whether the engine has it, its Python, digest, age and size, and whether its registry has
a newer one. A run pulls missing images; --py-images-pull=always also pulls newer ones."""
COLUMNS = ("image", "python", "digest", "built", "size", "state")
_DIGEST_CHARACTERS = len("sha256:") + 12
_REQUESTS = 8  # to registries at once
# Variables of images that name another implementation than CPython.
_IMPLEMENTATIONS = {"PYPY_VERSION": "PyPy", "GRAALPY_VERSION": "GraalPy"}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)
    parser.add_argument("--offline", action="store_true", help="contact no registry")


def run(arguments: Namespace) -> int:
    work = partial(_list, offline=arguments.offline)
    return run_at_project(pytest_arguments(arguments, arguments.spec), work, on_each_engine=True)


def _list(place: Place, *, offline: bool) -> int:
    plan = place.plan()
    tags = [image.tag for image in plan.plans]
    lock_file = place.settings.lock_file
    pins = read_pins(lock_file) if lock_file is not None else None
    with closing(place.engine()) as engine, ThreadPoolExecutor(_REQUESTS) as pool:
        rows = list(pool.map(partial(_row, engine, pins, now=time.time(), offline=offline), tags))
    for line in table_lines(COLUMNS, rows, right=("size",)):
        sys.stdout.write(f"{line}\n")
    for note in plan.notes:
        sys.stderr.write(f"note: {note}\n")
    return 0


def _row(engine: Engine, pins: Pins | None, tag: ImageTag, *, now: float, offline: bool) -> tuple[str, ...]:
    image = engine.find_image(tag.reference) if pins is None else pins.find(engine, tag.reference)
    find_remote = None if offline or is_image_id(tag.reference) else partial(engine.find_remote_digest, tag.reference)
    state = describe_state(image, find_remote)
    if image is None:
        return tag.label, "", "", "", "", state
    digest = find_digest(image, tag.reference)[:_DIGEST_CHARACTERS]
    age = format_age(now - image.created) if image.created else ""
    return tag.label, describe_python(image), digest, age, format_size(image.size), state


def describe_python(image: ImageInfo) -> str:
    """Return the Python that an image names in its variables: "3.14.4", "PyPy 7.3.19"; empty if it names none."""
    variables = image.environment
    version = variables.get("PYTHON_VERSION", "")
    other = next((f"{name} {variables[key]}" for key, name in _IMPLEMENTATIONS.items() if key in variables), "")
    return f"{version} {other}".strip()


def describe_state(image: ImageInfo | None, find_remote: Callable[[], str] | None) -> str:
    """Return whether an image has to be pulled, and whether its registry has a newer one.

    :param find_remote: returns the registry's digest; None to contact no registry.
    """
    present = "the engine has it" if image is not None else "not pulled yet"
    if image is not None and not image.digests:
        return f"{present}; it is not from a registry"
    if find_remote is None:
        return present
    try:
        digest = find_remote()
    except ImageNotFound:
        return f"{present}; the registry does not have it" if image is not None else "no such image"
    except EngineError as error:
        return f"{present}; unknown whether there is a newer one: {error.message}"
    if image is None:
        return present
    return "up to date" if has_digest(image, digest) else f"the registry has a newer one, {digest[:_DIGEST_CHARACTERS]}"
