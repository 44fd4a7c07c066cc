"""Turn settings into a session plan: which images to build and run, and with which arguments."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_pyimages.containers import (
    CopyPattern,
    Source,
    find_hidden_files,
    find_linked_paths,
    find_repository,
    has_offers,
)
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import (
    INI_KEYS,
    OPTIONS,
    CommandLine,
    ImageArguments,
    Invocation,
    Settings,
    requests_flag,
    split_by_image,
    translate_glob,
)
from pytest_pyimages.images import ImagePlan, make_plans
from pytest_pyimages.matrix import ImageTag, ProjectPythons, describe_outdated_tag, parse_matrix
from pytest_pyimages.project import Configuration, Project, find_project, find_source_root
from pytest_pyimages.results import ImageResult, Shard

if TYPE_CHECKING:
    from pytest_pyimages.containers import WaitingContainers

# In a session of a watch:
WAITING: pytest.StashKey[WaitingContainers] = pytest.StashKey()
PLANNED: pytest.StashKey[tuple[Settings, SessionPlan]] = pytest.StashKey()  # ahead, with what was read for it unchanged


class SessionPlan(NamedTuple):
    """The images of a session and the source that their containers see, before anything is started."""

    project: Project
    source: Source
    plans: tuple[ImagePlan, ...]
    skipped: tuple[str, ...]  # labels of requested images that the project's overrides skip
    unselected: tuple[str, ...]  # labels of images that no node id or -k expression selects

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes on the images, on the source, and of all plans on what is installed, each once."""
        outdated = ((plan.tag.label, describe_outdated_tag(plan.tag.reference)) for plan in self.plans)
        images = (f"{label}: {note}" for label, note in outdated if note)
        installed = (note for plan in self.plans for note in plan.project.notes)
        return tuple(dict.fromkeys((*images, *self.source.notes, *installed)))


def plan_session(config: pytest.Config, settings: Settings) -> SessionPlan:
    """Plan a session over the requested images; every command and every run starts here.

    :raises ConfigurationError: for settings or project files that make no sense, or if no image is left.
    """
    ahead = config.stash.get(PLANNED, None)
    if ahead is not None and ahead[0] == settings:
        return ahead[1]
    invocation = settings.invocation
    project = find_project(invocation.project_folder, ini=invocation.ini, options=_option_names(invocation))
    tags = parse_requested_images(settings, project)
    plans = plan_images(tags, config, invocation, project=project)
    labels = [tag.label for tag in tags]
    planned = {plan.tag.label for plan in plans}
    arguments = split_by_image(
        invocation, labels, (*invocation.container_options, *(("--maxfail=1",) if settings.fail_fast else ()))
    )
    selected = tuple(
        replace(
            _select(plan, arguments[plan.tag.label]),
            user=settings.user or plan.user,
            options=replace(plan.options, **settings.container_options),
        )
        for plan in plans
        if plan.tag.label in arguments
    )
    if not selected:
        raise ConfigurationError(
            f"--py-images: the node ids or -k select none of the images {', '.join(labels)}", "select one of them"
        )
    folders = tuple(folder for plan in selected for folder in plan.project.folders)
    above = settings.source_root and invocation.rootdir / settings.source_root
    root = find_source_root(replace(project, folders=folders), invocation.rootdir, invocation.cwd, above or None)
    _check_mounts(selected, root)
    source = _make_source(settings, root, selected)
    if len(settings.engines) == 1 and not settings.cluster:  # else it is not known which engine an image goes to
        waiting = config.stash.get(WAITING, None)
        if waiting is not None:
            source.ahead, waiting.endpoint = waiting, settings.engines[0]
        elif has_offers():
            from pytest_pyimages.containers import OfferedContainers  # few sessions find a watch

            source.ahead = OfferedContainers()
    return SessionPlan(
        project=project,
        source=source,
        plans=selected,
        skipped=tuple(label for label in labels if label not in planned),
        unselected=tuple(label for label in labels if label in planned and label not in arguments),
    )


def _check_mounts(plans: Iterable[ImagePlan], root: Path) -> None:
    """Check that no mount of the user hides the source or the worker, or gets what is copied into the container.

    :raises ConfigurationError: if one does.
    """
    for mount in (mount for plan in plans for mount in plan.options.mount):
        target = Path(mount.target)
        for ours in (root, Path("/opt/pyimages")):
            if target == ours or target in ours.parents or ours in target.parents:
                raise ConfigurationError(
                    f"{OPTIONS['py_images_mount'].name}: {target} overlaps with {ours}, which containers of tests need",
                    "choose another target",
                )


def _make_source(settings: Settings, root: Path, plans: Sequence[ImagePlan]) -> Source:
    """Return the source of all images.

    :raises ConfigurationError: for a pattern outside of the rootdir.
    """
    invocation = settings.invocation
    copied = _parse_patterns(OPTIONS["py_images_copy"].name, settings.copy, invocation.rootdir, root)
    excluded = _parse_patterns("py_images_exclude", settings.exclude, invocation.rootdir, root)
    hidden = find_hidden_files(
        root,
        # Nothing is copied that is hidden then.
        (*(each._replace(copies=not each.copies) for each in excluded), *(each for each in copied if each.copies)),
        needed=(invocation.cwd, *(folder for plan in plans for folder in (plan.project.root, *plan.project.folders))),
        compiles=any(plan.project.kind == "wheel" or plan.recipe.setup for plan in plans),
    )
    linked = find_linked_paths(root)
    linked.paths += find_repository(root)
    mode = None if settings.source == "auto" else settings.source
    return Source(root, mode, linked, copied, hidden)


def _parse_patterns(option: str, texts: Iterable[str], rootdir: Path, root: Path) -> tuple[CopyPattern, ...]:
    """Return the patterns of files; "!" before one means the opposite."""
    return tuple(
        CopyPattern(re.compile(translate_glob(option, text.removeprefix("!"), rootdir, root)), text[:1] != "!")
        for text in texts
    )


def _select(plan: ImagePlan, arguments: ImageArguments) -> ImagePlan:
    """Return the plan with the arguments of the command line before the configured ones."""
    words = CommandLine.parse(arguments.words).adding(*plan.args)
    return replace(plan, args=words, selection=arguments.selection)


def parse_requested_images(settings: Settings, project: Project) -> tuple[ImageTag, ...]:
    """Parse the image specifications of the settings.

    :raises ConfigurationError: naming the option or ini key that an invalid entry comes from.
    """
    pythons = ProjectPythons(requires_python=project.requires_python, classifiers=project.classifiers)
    try:
        return parse_matrix(settings.specs, registry=settings.registry, project=pythons, platform=settings.platform)
    except ConfigurationError as error:
        # The grammar does not know where its text came from.
        option, colon, rest = error.message.partition(": ")
        origins = {
            "--py-images": settings.specs_origin,
            "--py-images-registry": settings.registry_origin,
            "--py-images-platform": settings.platform_origin,
        }
        origin = origins.get(option, option)
        raise ConfigurationError(f"{origin}{colon}{rest}", error.hint) from error


def plan_images(
    tags: Iterable[ImageTag],
    config: pytest.Config,
    invocation: Invocation,
    options: Sequence[str] = (),
    project: Project | None = None,
) -> tuple[ImagePlan, ...]:
    """Plan each image, without those that the project's overrides skip.

    :param config: its plugins may change a recipe.
    :param options: further options of pytest whose plugins the images are to contain.
    :param project: without them, if it has been read already.
    :raises ConfigurationError: if no image is left, or for project files that make no sense.
    """
    plans = make_plans(
        tags,
        Configuration(invocation.ini, invocation.rootdir, known=INI_KEYS),
        ini=invocation.ini,
        rootdir=invocation.project_folder,
        environ=os.environ,
        args=invocation.command_line.words,
        options=(*_option_names(invocation), *options),
        smoke=requests_flag(config, invocation, "py_images_smoke"),
        default=project,
    )
    return tuple(_apply_recipe_hook(plan, config) for plan in plans)


def _option_names(invocation: Invocation) -> tuple[str, ...]:
    """Return the options of the command line and PYTEST_ADDOPTS; ``addopts`` is read with the ini file."""
    options = (invocation.environment_addopts + invocation.typed).options
    return tuple(f"-p{option.value}" if option.name == "-p" else option.name for option in options)


def _apply_recipe_hook(plan: ImagePlan, config: pytest.Config) -> ImagePlan:
    recipe = config.hook.pytest_pyimages_recipe(recipe=plan.recipe, image=plan.tag, project=plan.project)
    return plan if recipe is None else replace(plan, recipe=recipe)


def start_result(plan: ImagePlan, shard: tuple[int, int] | None) -> ImageResult:
    """Return the result of an image before its run; its shard is "number, of"."""
    tag = plan.tag
    return ImageResult(
        label=tag.label,
        reference=tag.reference,
        allowed_to_fail=tag.allowed_to_fail,
        smoke=plan.smoke,
        shard=None if shard is None else Shard(index=shard[0], of=shard[1]),
    )
