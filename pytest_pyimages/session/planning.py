"""From settings to the plans of the images that they ask for; plugins of the host have their say."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import OWN_INI, OWN_OPTIONS, Invocation, Settings, image_arguments, options, with_options
from pytest_pyimages.images import ImagePlan, image_plans
from pytest_pyimages.matrix import ImageTag, ProjectPythons, parse_matrix
from pytest_pyimages.project import Configuration, Project, find_project, ini_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a session is to do."""

    project: Project
    plans: tuple[ImagePlan, ...]
    skipped: tuple[str, ...]  # labels that were asked for, and that the project's overrides skip
    unselected: tuple[str, ...]  # labels of images that no node id or -k expression selects


def planned(config: pytest.Config, settings: Settings) -> Planned:
    """Return what the settings ask for; raise ConfigurationError for what makes no sense."""
    invocation = settings.invocation
    project = find_project(invocation.rootdir, ini=invocation.ini, options=_typed_options(invocation))
    asked = parse_settings_matrix(settings, project)
    plans = plans_of(asked, config, invocation)
    labels = [tag.label for tag in asked]
    left = {plan.tag.label for plan in plans}
    arguments = image_arguments(invocation, labels)
    first_ends = ("--maxfail=1",) if settings.fail_fast else ()
    selected = tuple(
        replace(plan, args=(*with_options(arguments[plan.tag.label], first_ends), *plan.args))
        for plan in plans
        if plan.tag.label in arguments
    )
    if not selected:
        named = ", ".join(labels)
        raise ConfigurationError(
            f"--py-images: the node ids or -k select none of the images {named}", "name one of them"
        )
    return Planned(
        project=project,
        plans=selected,
        skipped=tuple(label for label in labels if label not in left),
        unselected=tuple(label for label in labels if label in left and label not in arguments),
    )


def parse_settings_matrix(settings: Settings, project: Project) -> tuple[ImageTag, ...]:
    """Return the images that the user asked for; raise ConfigurationError for what is not one."""
    pythons = ProjectPythons(requires_python=project.requires_python, classifiers=project.classifiers)
    try:
        return parse_matrix(settings.specs, registry=settings.registry, project=pythons)
    except ConfigurationError as error:
        # The grammar does not know where its text came from.
        option, colon, rest = error.message.partition(": ")
        origin = {"--py-images": settings.specs_origin, "--py-images-registry": settings.registry_origin}.get(
            option, option
        )
        raise ConfigurationError(f"{origin}{colon}{rest}", error.hint) from error


def plans_of(
    tags: Iterable[ImageTag], config: pytest.Config, invocation: Invocation, options: Sequence[str] = ()
) -> tuple[ImagePlan, ...]:
    """Return the plans of these images, without those that the project's overrides skip.

    :param config: whose plugins may change a recipe.
    :param options: further ones of pytest whose plugins the images are to have.
    :raises ConfigurationError: if no image is left, or for files of the project that make no sense.
    """
    plans = image_plans(
        tags,
        Configuration(invocation.ini, invocation.rootdir, known=OWN_INI),
        ini=invocation.ini,
        rootdir=invocation.rootdir,
        environ=os.environ,
        args=invocation.all_args,
        options=(*_typed_options(invocation), *options),
    )
    return tuple(_as_hooks_want(plan, config) for plan in plans)


def _typed_options(invocation: Invocation) -> tuple[str, ...]:
    """Return what is typed or in PYTEST_ADDOPTS; ``addopts`` is read with the rest of the configuration."""
    args = invocation.all_args[len(ini_words(invocation.ini, "addopts")) :]
    found = options(args, OWN_OPTIONS)
    return tuple(f"-p{option.value}" if option.name == "-p" else option.name for option in found)


def _as_hooks_want(plan: ImagePlan, config: pytest.Config) -> ImagePlan:
    changed = config.hook.pytest_pyimages_recipe(recipe=plan.recipe, image=plan.tag, project=plan.project)
    return plan if changed is None else replace(plan, recipe=changed)
