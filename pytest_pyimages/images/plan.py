"""Plan the environment image of each image of the matrix, and the arguments of pytest in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pyimages.engines import NO_OPTIONS, ContainerOptions
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.images.full_image import find_full_tag
from pytest_pyimages.images.recipe import Content, Recipe, make_recipe, read_content
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.project import Configuration, Ini, Project, Service, find_project

if TYPE_CHECKING:
    from pytest_pyimages.indexes import HostNetwork


class ImagePlan(Immutable):
    """One image of the matrix: what to install, and how to run pytest."""

    tag: ImageTag
    project: Project
    recipe: Recipe
    environment: Mapping[str, str]  # configured variables of the set-up and of the test run
    args: tuple[str, ...]  # of pytest: those of the command line, then the configured ones
    services: tuple[Service, ...] = ()  # servers beside the suite
    user: str = ""  # that the tests run as; empty for the image's own
    options: ContainerOptions = NO_OPTIONS  # what its container may use
    smoke: bool = False  # only the modules and the tests that are marked
    selection: Mapping[str, Any] | None = None  # what args that name images mean, see host.selection

    def read_network(self, environ: Mapping[str, str]) -> HostNetwork:
        """Read how this host reaches the package indexes, with the plan's variables."""
        from pytest_pyimages.indexes import read_network  # only builds need it

        files = {path for path in self.project.fingerprint_files if path.suffix == ".txt"}
        files.update(self.project.requirement_files)
        steps = (" ".join(step) for step in self.recipe.steps)
        texts = (path.read_text(encoding="utf-8", errors="replace") for path in files if path.is_file())
        passed = self.environment.keys() - dict(self.recipe.environment).keys()
        return read_network(
            {**environ, **self.environment},
            texts=(*steps, *texts),
            variables=passed,
            sources=self.project.sources,
        )


def make_plans(  # noqa: PLR0913 - each has another source
    matrix: Iterable[ImageTag],
    configuration: Configuration,
    *,
    ini: Ini,
    rootdir: Path,
    environ: Mapping[str, str],
    args: Sequence[str] = (),
    options: Sequence[str] = (),
    smoke: bool = False,
    default: Project | None = None,
) -> tuple[ImagePlan, ...]:
    """Return the plans of the images that are not skipped, in the order of the matrix.

    :param args: arguments of pytest on the command line.
    :param options: those of them whose plugins are added to the requirements; an image's own args are added to them.
    :param smoke: whether images are only smoke-tested, unless their configuration says otherwise.
    :param default: the project of an image without configuration, if it has been read already.
    :raises ConfigurationError: if every image is skipped, or a file of the project is invalid.
    """
    projects: dict[tuple[tuple[str, ...] | None, tuple[str, ...]], tuple[Project, Content]] = {}
    plans = []
    for tag in matrix:
        configured = configuration.for_image(tag.label, tag.variant)
        if configured.skip:
            continue
        key = configured.install, configured.args
        if key not in projects:
            install = {} if configured.install is None else {"py_images_install": list(configured.install)}
            known = default if key == (None, ()) else None
            project = known or find_project(rootdir, ini={**ini, **install}, options=(*options, *configured.args))
            projects[key] = project, read_content(project, with_tests="--pyargs" in args)
        project, content = projects[key]
        if configured.build_in and find_full_tag(tag) is None:
            configured = replace(configured, build_in="")
        allowed = tag.allowed_to_fail if configured.allow_failure is None else configured.allow_failure
        is_smoke = smoke if configured.smoke is None else configured.smoke
        plans.append(
            ImagePlan(
                tag=replace(tag, allowed_to_fail=allowed),
                project=project,
                recipe=replace(
                    make_recipe(project, configured, content, resolution=environ.get("UV_RESOLUTION", "")),
                    is_partial=is_smoke,
                    interpreter=tag.interpreter,
                ),
                environment=configured.environment(environ),
                args=configured.args,
                services=configured.services,
                user=configured.user,
                options=configured.options,
                smoke=is_smoke,
            )
        )
    if not plans:
        raise ConfigurationError(
            "every image is skipped by [[tool.pyimages.overrides]]", "select another image, or remove `skip`"
        )
    return tuple(plans)
