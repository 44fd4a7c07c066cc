"""What each image of a matrix is to hold, and how the suite is called in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.images.configuration import Configuration, ImageConfiguration
from pytest_pyimages.images.ini_demands import Ini
from pytest_pyimages.images.network import HostNetwork, host_network
from pytest_pyimages.images.project import Project, find_project
from pytest_pyimages.images.recipe import Content, Recipe, content_of, recipe_for
from pytest_pyimages.matrix import ImageTag

_SECRET_LENGTH = 8  # characters
_SECRET_NAME = re.compile("PASS|TOKEN|SECRET|KEY|AUTH|CRED", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """One image of the matrix."""

    tag: ImageTag
    project: Project
    recipe: Recipe
    environment: Mapping[str, str]  # variables that are configured, for the set-up and for the suite
    args: tuple[str, ...]  # further arguments for pytest


def image_plans(  # noqa: PLR0913 - each from somewhere else
    matrix: Iterable[ImageTag],
    configuration: Configuration,
    *,
    ini: Ini,
    rootdir: Path,
    environ: Mapping[str, str],
    args: Sequence[str] = (),
) -> tuple[ImagePlan, ...]:
    """Return the plans of the images that are not skipped, in their order.

    :param args: pytest's.
    :raises ConfigurationError: if no image is left, or for files of the project that make no sense.
    """
    projects: dict[tuple[str, ...] | None, tuple[Project, Content]] = {}
    plans = []
    for tag in matrix:
        configured = configuration.of(tag.label)
        if configured.skip:
            continue
        if configured.install not in projects:
            project = _project(ini, rootdir, configured)
            projects[configured.install] = project, content_of(project, with_tests="--pyargs" in args)
        project, content = projects[configured.install]
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


def plan_network(plan: ImagePlan, environ: Mapping[str, str]) -> HostNetwork:
    """Return the way to the indexes that this host has for a plan, its configured variables included."""
    chain = (path for path in plan.project.fingerprint_files if path.suffix == ".txt")
    files = [path for path in {*plan.project.requirement_files, *chain} if path.is_file()]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    of_the_host = plan.environment.keys() - dict(plan.recipe.environment).keys()
    secrets = [plan.environment[name] for name in of_the_host if _is_secret(name, plan.environment[name])]
    steps = [" ".join(step) for step in plan.recipe.steps]
    return host_network({**environ, **plan.environment}, texts=(*steps, *texts), secrets=secrets)


def _is_secret(name: str, value: str) -> bool:
    """Whether a variable that the host gives may be a secret: not what is a word like "true"."""
    return len(value) >= _SECRET_LENGTH or bool(_SECRET_NAME.search(name))


def _project(ini: Ini, rootdir: Path, configured: ImageConfiguration) -> Project:
    if configured.install is None:
        return find_project(rootdir, ini=ini)
    return find_project(rootdir, ini={**ini, "py_images_install": list(configured.install)})
