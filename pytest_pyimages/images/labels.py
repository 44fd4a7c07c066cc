"""Names and labels of our images: which project and tag an image is for, and what is installed in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict

from pytest_pyimages.engines import ImageInfo
from pytest_pyimages.engines.labels import (
    BASE_LABEL,
    CONTENTS_LABEL,
    INDEXES_LABEL,
    KIND_LABEL,
    OPTIONS_LABEL,
    PROJECT_LABEL,
    RECIPE_LABEL,
    REFERENCE_LABEL,
    REQUEST_LABEL,
    ROOT_LABEL,
    TAG_LABEL,
)
from pytest_pyimages.images.dockerfile import Dockerfile
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.recipe import REPOSITORY, Recipe, hash_text
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes import Redaction
from pytest_pyimages.project import Project

DOCKERFILE_REPOSITORY = "pytest-pyimages/dockerfile"
_REPOSITORIES = {"environment": REPOSITORY, "dockerfile": DOCKERFILE_REPOSITORY}
_PODMAN = ("localhost/", "docker.io/")  # its prefixes of a reference without a host
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")


class Contents(Immutable):
    """What is installed on top of the base image, without credentials and tokens."""

    origin: str = ""  # requirements and the file that lists them: ".[test] (pyproject.toml)"; empty: pytest alone
    steps: tuple[tuple[str, ...], ...] = ()  # arguments of pip, a tuple for each command
    dependencies: tuple[str, ...] = ()  # the project's own dependencies, as far as its files list them
    versions: str = ""  # the lock file that they are from
    apt: tuple[str, ...] = ()  # system packages
    setup: int = 0  # number of set-up commands; their texts are not kept
    dockerfile: str = ""  # its name


def describe_contents(plan: ImagePlan) -> Contents:
    """Return what a plan installs; ``.`` stands for the project's folder."""
    project, recipe = plan.project, plan.recipe
    root = str(project.root)

    def shorten(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(_shorten(text, root) for text in texts)

    return Contents(
        origin=_shorten(project.origin, root),
        steps=tuple(shorten(step) for step in recipe.steps),
        dependencies=shorten(project.dependencies),
        versions=recipe.lock.origin if recipe.lock is not None else "",
        apt=recipe.apt,
        setup=len(recipe.setup),
        dockerfile=recipe.dockerfile.path.name if recipe.dockerfile is not None else "",
    )


def _shorten(text: str, root: str) -> str:
    if text == root or text.startswith((f"{root}[", f"{root}/")):
        text = f".{text[len(root) :]}"
    return Redaction.create(urls=_URL.findall(text)).redact(text)


def read_contents(label: str) -> Contents:
    """Return the contents from an image's label; empty ones if another version wrote it in another form."""
    try:
        found = json.loads(label or "{}")
        return Contents(
            origin=str(found.get("origin", "")),
            steps=tuple(tuple(map(str, step)) for step in found.get("steps", ())),
            dependencies=tuple(map(str, found.get("dependencies", ()))),
            versions=str(found.get("versions", "")),
            apt=tuple(map(str, found.get("apt", ()))),
            setup=int(found.get("setup", 0)),
            dockerfile=str(found.get("dockerfile", "")),
        )
    except (ValueError, TypeError, AttributeError):
        return Contents()


def make_labels(plan: ImagePlan, base: ImageInfo) -> dict[str, str]:
    """Return the labels that tell what an image is for, without credentials."""
    contents = {name: value for name, value in asdict(describe_contents(plan)).items() if value}
    return {
        PROJECT_LABEL: plan.project.name,
        ROOT_LABEL: hash_root(plan.project),
        TAG_LABEL: plan.tag.label,
        REFERENCE_LABEL: plan.tag.reference,
        BASE_LABEL: base.id,
        CONTENTS_LABEL: json.dumps(contents, sort_keys=True),
        OPTIONS_LABEL: "\n".join(plan.project.option_plugins),
        REQUEST_LABEL: hash_request(plan.recipe),
    }


def hash_request(recipe: Recipe) -> str:
    """Return the digest of a project's recipe without the base image and the plugin's own modules."""
    parts = {**asdict(recipe), "dockerfile": recipe.dockerfile.digest if recipe.dockerfile else ""}
    return hash_text(json.dumps(parts, sort_keys=True, default=str))[:32]


def hash_root(project: Project) -> str:
    """Return the digest of the path of a project's folder, 16 hex digits."""
    return hash_text(str(project.root))[:16]


def make_identity(name: str, root: str) -> str:
    """Return the identity of a project on this host, 16 hex digits.

    :param root: the digest of the path of its folder, as in the image's label.
    """
    return hash_text(f"{name} {root}")[:16]


def identify_project(project: Project) -> str:
    """Return a project's identity on this host, 16 hex digits."""
    return make_identity(project.name, hash_root(project))


def name_dockerfile_image(dockerfile: Dockerfile, base: ImageInfo) -> str:
    """Return the reference of the image that a user's Dockerfile builds on a base image."""
    return f"{DOCKERFILE_REPOSITORY}:{hash_text(base.id + base.platform + dockerfile.digest)[:32]}"


def name_in_registry(repository: str, recipe: str, choices: str) -> str:
    """Return the reference of an environment image in a repository of a registry.

    :param recipe: the recipe's digest on the base image.
    :param choices: see ``images.registries.hash_choices``.
    """
    return f"{repository}:{recipe}-{choices}"


def strip_registry(reference: str) -> str:
    """Return a reference as this plugin wrote it, without Podman's prefix."""
    return next((reference[len(host) :] for host in _PODMAN if reference.startswith(host)), reference)


def is_ours(reference: str, info: ImageInfo) -> bool:
    """Return whether this plugin gave the reference: images that others build on ours inherit all the labels."""
    repository, _, tag = strip_registry(reference).rpartition(":")
    if repository != _REPOSITORIES.get(info.labels.get(KIND_LABEL, "")):
        return False
    return repository != REPOSITORY or tag == info.labels.get(RECIPE_LABEL, "")


def list_own_names(references: Iterable[str], info: ImageInfo) -> list[str]:
    """Return those names of an image that this plugin gave; none for an image that others built on one of ours.

    Its name in a registry is known by its labels, which such an image has as well, but without a name of ours.
    """
    recipe, choices = (info.labels.get(name, "") for name in (RECIPE_LABEL, INDEXES_LABEL))
    here = [name for name in references if is_ours(name, info)]
    pushed = [name for name in references if name == name_in_registry(name.rpartition(":")[0], recipe, choices)]
    return [*here, *pushed] if here else []
