"""``pyimages lock``: pin image references to their current digests."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing

import pytest

from pytest_pyimages.cli.project import SPEC_HELP, Place, pytest_arguments, run_at_project
from pytest_pyimages.engines import Engine, ImageInfo
from pytest_pyimages.errors import ConfigurationError, PyimagesError
from pytest_pyimages.images import KEY, BaseImages, Listener, find_digest, find_full_tag, read_pins, write_pins
from pytest_pyimages.matrix import ImageTag, is_image_id

SUMMARY = f"pin images to their digests in the file that {KEY} names"
DESCRIPTION = f"""\
Resolve the project's image references, pull the images, and write their digests to the file that the ini key {KEY}
names. Later runs use exactly these images. Other entries of the file are kept."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)


def run(arguments: Namespace) -> int:
    return run_at_project(pytest_arguments(arguments, arguments.spec), _lock)


def _lock(place: Place) -> int:
    """Write the file; return 1 if an image could not be pulled, whose pin is then kept."""
    plan = place.plan()
    path = place.settings.lock_file
    if path is None:
        raise ConfigurationError(
            f"no {KEY} in pytest's configuration", f"set it to a file, such as {KEY} = images.lock"
        )
    full = (find_full_tag(image.tag) for image in plan.plans if image.recipe.build_in)
    planned = [image.tag for image in plan.plans if not is_image_id(image.tag.reference)]  # an id is a pin
    tags = [*planned, *dict.fromkeys(tag for tag in full if tag is not None)]
    pins = dict(read_pins(path).digests) if path.exists() else {}
    failed = False
    with closing(place.engine()) as engine:
        for tag in tags:
            try:
                image = _resolve(engine, tag)
            except PyimagesError as error:
                sys.stderr.write(f"ERROR: {tag.label}: {error}\n")
                failed = True
                continue
            digest = find_digest(image, tag.reference)
            former = pins.get(tag.reference)
            change = "" if former == digest else " (new)" if former is None else f" (was {former})"
            sys.stdout.write(f"{tag.reference} = {digest}{change}\n")
            pins[tag.reference] = digest
    write_pins(path, pins)
    return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)


def _resolve(engine: Engine, tag: ImageTag) -> ImageInfo:
    """Pull an image; return the local one if it does not come from a registry."""
    present = engine.find_image(tag.reference)
    if present is not None and not present.digests:
        sys.stderr.write(
            f"note: {tag.reference} is not from a registry: pinned by its id, which exists on this engine only\n"
        )
        return present
    bases = BaseImages(engine, Listener(report=_report))
    return bases.pull(tag, tag.reference)


def _report(label: str, text: str) -> None:
    sys.stderr.write(f"{label}: {text}\n")
