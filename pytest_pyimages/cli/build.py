"""``pyimages build``: build environment images without running the tests."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from contextlib import closing

import pytest

from pytest_pyimages.cli.builds import Build, build_images, connect_engine
from pytest_pyimages.cli.project import SPEC_HELP, Place, pytest_arguments, run_at_project
from pytest_pyimages.engines import Engine
from pytest_pyimages.images import BaseImages, ImagePlan, Listener, read_pins
from pytest_pyimages.results import disarm_commands
from pytest_pyimages.session import Schedule, is_native
from pytest_pyimages.text import table_lines

SUMMARY = "build the project's environment images without running the tests"
DESCRIPTION = """\
Build the environment images that a run would build, on each engine. Images that exist already are left as they are.
Exits with 1 if an image that is not allowed to fail could not be built."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)
    parser.add_argument(
        "--print-names",
        action="store_true",
        help="print the names that the images have in the engine, a line each, instead of building them; the base"
        " images are pulled, since the names depend on them",
    )


def run(arguments: Namespace) -> int:
    work = _print_names if arguments.print_names else _build
    return run_at_project(pytest_arguments(arguments, arguments.spec), work, on_each_engine=work is _build)


def _print_names(place: Place) -> int:
    plan, settings = place.plan(), place.settings
    pins = read_pins(settings.lock_file) if settings.lock_file is not None else None
    listener = Listener(report=lambda label, text: print(f"{label}: {text}", file=sys.stderr))  # noqa: T201 - progress
    with connect_engine(place) as engine:
        bases = BaseImages(engine, listener, policy=settings.pull, pins=pins)
        bases.check_pins(image.tag for image in plan.plans)
        names = [image.recipe.name_image(bases.resolve(image.tag)) for image in plan.plans]
    sys.stdout.writelines(f"{name}\n" for name in names)
    return 0


def _build(place: Place) -> int:
    plan = place.plan()
    labels = [image.tag.label for image in plan.plans]
    with connect_engine(place) as engine:
        if place.is_one_of_several:
            plan = plan._replace(plans=tuple(_list_native(plan.plans, engine)))
        schedule = Schedule([engine], place.settings, plan.source, build_only=True)
        with closing(schedule):
            builds = [_report_failure(build) for build in build_images(schedule, plan)]
    builds.sort(key=lambda build: labels.index(build.tag.label))
    for line in table_lines(("image", "python", "build", "time", ""), map(_row, builds), right=("time",)):
        sys.stdout.write(f"{line}\n")
    for note in dict.fromkeys((*plan.notes, *schedule.outbox.notes)):
        sys.stderr.write(f"note: {note}\n")
    failed = any(build.failed and not build.tag.allowed_to_fail for build in builds)
    if builds and not failed and all(build.failed for build in builds):
        sys.stderr.write("note: no image was built, which is an error although all are allowed to fail\n")
        failed = True
    return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)


def _list_native(plans: Iterable[ImagePlan], engine: Engine) -> Iterator[ImagePlan]:
    """Yield the images without those of other platforms, which other engines build."""
    for plan in plans:
        if is_native(engine, plan.tag.platform):
            yield plan
        else:
            sys.stderr.write(f"{plan.tag.label}: not built, since the engine's platform is {engine.info.platform}\n")


def _report_failure(build: Build) -> Build:
    if build.error is not None:
        sys.stderr.write(f"ERROR: {build.tag.label}: {build.error}\n")
        sys.stderr.write(f"{disarm_commands(build.log, os.environ)}\n" if build.log else "")
    return build


def _row(build: Build) -> tuple[str, ...]:
    remark = "allowed to fail" if build.failed and build.tag.allowed_to_fail else ""
    if build.image is None or build.failed:
        return build.tag.label, "", "failed", "", remark
    state = "pulled" if build.image.is_pulled else "cached" if build.image.cached else "built"
    return build.tag.label, build.image.python, state, f"{build.image.build_seconds:.1f}s", remark
