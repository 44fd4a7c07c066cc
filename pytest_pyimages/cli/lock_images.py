"""``pyimages lock``: pin images to what their references mean now."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing

import pytest

from pytest_pyimages.cli.project import Place, at_project, pytest_arguments
from pytest_pyimages.cli.run_tests import NO_IMAGES, SPEC_HELP
from pytest_pyimages.engines import Engine, ImageInfo
from pytest_pyimages.errors import ConfigurationError, PyimagesError
from pytest_pyimages.host import wants_images
from pytest_pyimages.images import KEY, BaseImages, digest_of, read_image_lock, write_image_lock
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.session import planned

SUMMARY = f"pin images to their digests, in the file that {KEY} names"
DESCRIPTION = f"""\
Ask the registries which images the project's references mean now, pull them, and write their digests to the file that
the ini key {KEY} names; a run then uses these very images. What the file has beside them is left as it is."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)


def run(arguments: Namespace) -> int:
    return at_project(pytest_arguments(arguments, arguments.spec), _lock)


def _lock(place: Place) -> int:
    """Write the file; return 1 if an image could not be had, which then keeps its former pin."""
    if not wants_images(place.settings.invocation):
        raise NO_IMAGES
    path = place.settings.lock_file
    if path is None:
        raise ConfigurationError(f"no {KEY} in pytest's configuration", f"name a file, such as {KEY} = images.lock")
    tags = [plan.tag for plan in planned(place.config, place.settings).plans]
    pins = dict(read_image_lock(path).pins) if path.exists() else {}
    failed = False
    with closing(place.engine()) as engine:
        for tag in tags:
            try:
                image = _asked(engine, tag)
            except PyimagesError as error:
                sys.stderr.write(f"ERROR: {tag.label}: {error}\n")
                failed = True
                continue
            digest = digest_of(image, tag.reference)
            former = pins.get(tag.reference)
            change = "" if former == digest else " (new)" if former is None else f" (was {former})"
            sys.stdout.write(f"{tag.reference} = {digest}{change}\n")
            pins[tag.reference] = digest
    write_image_lock(path, pins)
    return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)


def _asked(engine: Engine, tag: ImageTag) -> ImageInfo:
    """Return what the registry has now; what comes from no registry, as it is here."""
    present = engine.find_image(tag.reference)
    if present is not None and not present.digests:
        sys.stderr.write(f"note: {tag.reference} comes from no registry; its id is pinned, which no other host has\n")
        return present
    bases = BaseImages(engine, say=_tell, progress=lambda *_: None)
    return bases.pulled(tag, tag.reference)


def _tell(label: str, text: str) -> None:
    sys.stderr.write(f"{label}: {text}\n")
