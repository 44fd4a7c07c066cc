"""``pyimages build``: environment images without a run."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

import pytest

from pytest_pyimages.cli.project import Place, at_project, pytest_arguments
from pytest_pyimages.cli.run_tests import NO_IMAGES, SPEC_HELP
from pytest_pyimages.cli.table import table_lines
from pytest_pyimages.containers import Source
from pytest_pyimages.errors import BuildError, PyimagesError
from pytest_pyimages.host import wants_images
from pytest_pyimages.images import BuiltImage
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.project import find_source_root
from pytest_pyimages.session import Built, Ended, Interruptions, Planned, Said, Schedule, planned

SUMMARY = "build the project's environment images, without a run"
DESCRIPTION = """\
Build the environment images that a run would build, and run nothing; those that exist are left as they are.
Ends with 1 if an image could not be built that is not allowed to fail."""


@dataclass(slots=True)
class _Row:
    tag: ImageTag
    image: BuiltImage | None = None
    error: PyimagesError | None = None

    @property
    def failed(self) -> bool:
        return self.image is None or self.error is not None

    def cells(self) -> tuple[str, ...]:
        remark = "allowed to fail" if self.failed and self.tag.allowed_to_fail else ""
        if self.image is None or self.error is not None:
            return self.tag.label, "", "failed", "", remark
        built = "cached" if self.image.cached else "built"
        return self.tag.label, self.image.python, built, f"{self.image.build_seconds:.1f}s", remark


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)


def run(arguments: Namespace) -> int:
    return at_project(pytest_arguments(arguments, arguments.spec), _build)


def _build(place: Place) -> int:
    """Build all images; return 1 if one failed that is not allowed to."""
    invocation = place.settings.invocation
    if not wants_images(invocation):
        raise NO_IMAGES
    asked = planned(place.config, place.settings)
    engine = place.engine()
    interruptions = Interruptions()
    root = find_source_root(asked.project, invocation.rootdir, invocation.cwd)
    source = Source(root, None if place.settings.source == "auto" else place.settings.source)
    interruptions.install()
    schedule = Schedule(engine, place.settings, source, build_only=True)
    try:
        rows = _follow(schedule, asked)
    finally:
        schedule.close()
        engine.close()
        interruptions.restore()
    for line in table_lines(("image", "python", "build", "time", ""), [row.cells() for row in rows], right=("time",)):
        sys.stdout.write(f"{line}\n")
    notes = [*(note for plan in asked.plans for note in plan.project.notes), *schedule.notes]
    for note in dict.fromkeys(notes):
        _tell(f"note: {note}")
    failed = any(row.failed and not row.tag.allowed_to_fail for row in rows)
    return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)


def _follow(schedule: Schedule, asked: Planned) -> list[_Row]:
    """Tell what happens as it happens; return when all images are there or have failed."""
    rows = {plan.tag.label: _Row(tag=plan.tag) for plan in asked.plans}
    waiting = set(rows)
    schedule.start(asked.plans)
    while waiting:
        message = schedule.messages.get()
        row = rows[message.label]
        if isinstance(message, Said):
            _tell(f"{message.label}: {message.text}")
        elif isinstance(message, Built):
            row.image = message.image
        elif isinstance(message, Ended):
            waiting.discard(message.label)
            row.error = message.error
            if row.error is not None:
                _tell(f"ERROR: {message.label}: {row.error}")
                if isinstance(row.error, BuildError) and row.error.log:
                    _tell(row.error.log)
    return list(rows.values())


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
