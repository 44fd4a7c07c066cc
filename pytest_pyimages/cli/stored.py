"""Read the engine's environment images and the current project's plans, for ``list`` and ``prune``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_pyimages.cli.project import Place
from pytest_pyimages.containers import make_state_directory
from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import Invocation
from pytest_pyimages.images import (
    ImagePlan,
    LastUsed,
    Recipe,
    States,
    Storage,
    StoredImage,
    identify_project,
    read_storage,
)
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.project import Project, find_project
from pytest_pyimages.session import parse_requested_images, plan_images


@dataclass(slots=True)
class Plans:
    """Cache of the plans of projects; ``problems`` are those of projects whose files cannot be read."""

    place: Place
    problems: dict[Path, str] = field(default_factory=dict)
    _known: dict[tuple[Path, ImageTag, tuple[str, ...]], ImagePlan | None] = field(default_factory=dict)

    def get(self, rootdir: Path, tag: ImageTag, options: tuple[str, ...] = ()) -> ImagePlan | None:
        """Return what a run in a project would build; None if nothing, or if the project cannot be read.

        :param options: options of pytest on that run's command line.
        """
        key = rootdir, tag, options
        if key not in self._known:
            self._known[key] = self._read(*key)
        return self._known[key]

    def _read(self, rootdir: Path, tag: ImageTag, options: tuple[str, ...]) -> ImagePlan | None:
        here = self.place.settings.invocation
        try:
            invocation = (
                here if rootdir == here.project_folder else Invocation.from_arguments([f"--rootdir={rootdir}"], rootdir)
            )
            return plan_images((tag,), self.place.config, invocation, options)[0]
        except (ConfigurationError, pytest.UsageError) as error:
            self.problems[rootdir] = str(error)
            return None


class Stored(Immutable):
    """Snapshot of the stored images and of the current project's plans."""

    engine: Engine
    project: Project
    identity: str  # of the project
    last_used: LastUsed
    storage: Storage
    states: States
    plans: Plans

    def scope(self, *, everything: bool) -> tuple[StoredImage, ...]:
        """Return the images of this project, or those of all."""
        return tuple(image for image in self.storage.images if everything or image.is_of(self.identity))

    def current_plans(self) -> tuple[ImagePlan, ...]:
        """Return the plans for the configured images; without configured images, for those that are stored."""
        settings = self.plans.place.settings
        if settings.invocation.wants_images:
            tags = parse_requested_images(settings, self.project)
        else:
            mine = self.scope(everything=False)
            tags = tuple(dict.fromkeys(image.tag for image in mine if image.tag.reference))
        plans = (self.plans.get(settings.invocation.project_folder, tag) for tag in tags)
        return tuple(plan for plan in plans if plan is not None)

    def report_problems(self) -> None:
        """Print which projects could not be read."""
        for rootdir, problem in self.plans.problems.items():
            sys.stderr.write(f"note: {rootdir}: {problem}\n")


def read_stored(place: Place, engine: Engine) -> Stored:
    """Take a snapshot; registries are not contacted."""
    invocation = place.settings.invocation
    project = find_project(invocation.project_folder, ini=invocation.ini)
    identity = identify_project(project)
    last_used = LastUsed(make_state_directory())
    plans = Plans(place)

    def recipe(rootdir: Path, image: StoredImage) -> Recipe | None:
        plan = plans.get(rootdir, image.tag, image.options)
        return plan.recipe if plan is not None else None

    return Stored(
        engine=engine,
        project=project,
        identity=identity,
        last_used=last_used,
        storage=read_storage(engine, last_used),
        states=States(engine, here=(identity, invocation.project_folder), recipe=recipe),
        plans=plans,
    )
