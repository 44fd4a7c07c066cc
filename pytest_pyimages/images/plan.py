"""What each image of a matrix is to hold, and how the suite is called in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.images.recipe import Content, Recipe, content_of, recipe_for
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.project import Configuration, ImageConfiguration, Ini, Project, find_project


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """One image of the matrix."""

    tag: ImageTag
    project: Project
    recipe: Recipe
    environment: Mapping[str, str]  # variables that are configured, for the set-up and for the suite
    args: tuple[str, ...]  # for pytest; those of the command line come before what is configured


def image_plans(  # noqa: PLR0913 - each from somewhere else
    matrix: Iterable[ImageTag],
    configuration: Configuration,
    *,
    ini: Ini,
    rootdir: Path,
    environ: Mapping[str, str],
    args: Sequence[str] = (),
    options: Sequence[str] = (),
) -> tuple[ImagePlan, ...]:
    """Return the plans of the images that are not skipped, in their order.

    :param args: pytest's.
    :param options: those of them whose plugins the images are to have; an image's own configured ones come to that.
    :raises ConfigurationError: if no image is left, or for files of the project that make no sense.
    """
    projects: dict[tuple[tuple[str, ...] | None, tuple[str, ...]], tuple[Project, Content]] = {}
    plans = []
    for tag in matrix:
        configured = configuration.for_image(tag.label)
        if configured.skip:
            continue
        key = configured.install, configured.args
        if key not in projects:
            project = _project(ini, rootdir, configured, options)
            projects[key] = project, content_of(project, with_tests="--pyargs" in args)
        project, content = projects[key]
        allowed = tag.allowed_to_fail if configured.allow_failure is None else configured.allow_failure
        plans.append(
            ImagePlan(
                tag=replace(tag, allowed_to_fail=allowed),
                project=project,
                recipe=recipe_for(project, configured, content),
                environment=configured.environment(environ),
                args=configured.args,
            )
        )
    if not plans:
        raise ConfigurationError(
            "every image is skipped by [[tool.pyimages.overrides]]", "name another image, or take the skip away"
        )
    return tuple(plans)


def _project(ini: Ini, rootdir: Path, configured: ImageConfiguration, options: Sequence[str]) -> Project:
    asked = (*options, *configured.args)
    if configured.install is None:
        return find_project(rootdir, ini=ini, options=asked)
    return find_project(rootdir, ini={**ini, "py_images_install": list(configured.install)}, options=asked)
