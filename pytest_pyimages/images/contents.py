"""What is installed in an image, as it may be kept in a label and shown: without credentials and tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.indexes import Redaction

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What goes into an image on top of its base image."""

    origin: str = ""  # what was chosen, and from which file: ".[test] (pyproject.toml)"; empty: pytest alone
    steps: tuple[tuple[str, ...], ...] = ()  # arguments of pip, a tuple for each command
    dependencies: tuple[str, ...] = ()  # what the project itself asks for, as far as its files say
    versions: str = ""  # the lock file that they are from
    apt: tuple[str, ...] = ()  # system packages
    setup: int = 0  # number of set-up commands; their texts are not kept
    dockerfile: str = ""  # its name


def contents_of(plan: ImagePlan) -> Contents:
    """Return what a plan installs; the project's folder is ``.``."""
    project, recipe = plan.project, plan.recipe
    root = str(project.root)

    def shown(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(_shown(text, root) for text in texts)

    return Contents(
        origin=_shown(project.origin, root),
        steps=tuple(shown(step) for step in recipe.steps),
        dependencies=shown(project.dependencies),
        versions=recipe.lock.origin if recipe.lock is not None else "",
        apt=recipe.apt,
        setup=len(recipe.setup),
        dockerfile=recipe.dockerfile.path.name if recipe.dockerfile is not None else "",
    )


def as_label(contents: Contents) -> str:
    """Return the text of a label: JSON, without what is empty."""
    return json.dumps({name: value for name, value in asdict(contents).items() if value}, sort_keys=True)


def from_label(text: str) -> Contents:
    """Return what a label says; nothing for one that another version wrote in another form."""
    try:
        found = json.loads(text or "{}")
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


def _shown(text: str, root: str) -> str:
    if text == root or text.startswith((f"{root}[", f"{root}/")):
        text = f".{text[len(root) :]}"
    return Redaction.of(urls=_URL.findall(text)).redacted(text)
