"""What decides an environment image's content, and the digest that names it."""

from __future__ import annotations

import configparser
import hashlib
import io
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pyimages.engines import ImageInfo
from pytest_pyimages.project import ImageConfiguration, Project, list_build_sources

if TYPE_CHECKING:
    from pytest_pyimages.images.dockerfile import Dockerfile
    from pytest_pyimages.project import Lock

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Tables of tools that have no say in what is installed: an edit there builds nothing.
UNRELATED_TOOLS = frozenset(
    "autopep8 bandit basedpyright black bumpversion check-manifest cibuildwheel codespell commitizen coverage djlint"
    " flake8 interrogate isort mutmut mypy nox pydocstyle pyimages pylint pyright pytest ruff semantic_release"
    " towncrier tox ty typos vulture yapf".split()
)


Content = tuple[tuple[str, str], ...]  # what the steps read: path below the project, and digest


REPOSITORY = "pytest-pyimages/environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides the content of an environment image, apart from the base image. The same on every host."""

    steps: tuple[tuple[str, ...], ...]  # arguments of ``pip install``, one command each
    lock: Lock | None = None  # versions that the steps hold to
    content: Content = ()
    apt: tuple[str, ...] = ()  # system packages
    setup: tuple[str, ...] = ()  # shell commands, run before the steps
    environment: tuple[tuple[str, str], ...] = ()  # variables for the set-up and the steps, sorted
    dockerfile: Dockerfile | None = None  # builds what everything else stands on

    def foundation(self, base: ImageInfo) -> str:
        """Return the digest of everything below the Python packages; 32 hex digits."""
        parts = {
            "base": base.id,
            "platform": base.platform,
            "apt": self.apt,
            "setup": self.setup,
            "environment": self.environment,
            "dockerfile": self.dockerfile.digest if self.dockerfile else "",
            "installer": text_digest("".join(installer_sources().values())),
        }
        return text_digest(json.dumps(parts, sort_keys=True))[:32]

    def digest(self, base: ImageInfo) -> str:
        """Return the digest that names the image which this recipe makes of a base image; 32 hex digits."""
        parts = {
            "foundation": self.foundation(base),
            "steps": self.steps,
            "lock": self.lock.content if self.lock else None,
            "content": self.content,
            "worker": text_digest("".join(worker_sources().values())),
        }
        return text_digest(json.dumps(parts, sort_keys=True))[:32]


def environment_reference(recipe: Recipe, base: ImageInfo) -> str:
    """Return the name of the image that a recipe makes of a base image."""
    return f"{REPOSITORY}:{recipe.digest(base)}"


def _dockerfile(configuration: ImageConfiguration) -> Dockerfile | None:
    if configuration.dockerfile is None:
        return None
    from pytest_pyimages.images.dockerfile import read_dockerfile  # few projects have one

    return read_dockerfile(configuration.dockerfile)


def recipe_for(project: Project, configuration: ImageConfiguration, content: Content | None = None) -> Recipe:
    """Return the recipe of this project's environment, as it is configured for one image.

    :param content: the project's, where it is known already.
    """
    return Recipe(
        steps=install_steps(project),
        lock=project.lock,
        content=content_of(project) if content is None else content,
        apt=configuration.apt,
        setup=configuration.setup,
        # What the host is to give stays out: it may be a secret, and it is not the same on every host.
        environment=tuple(sorted((name, value) for name, value in configuration.env.items() if value is not None)),
        dockerfile=_dockerfile(configuration),
    )


def install_steps(project: Project) -> tuple[tuple[str, ...], ...]:
    """Return what is installed, in one resolution, so that everything fits together."""
    # Among hashes, an argument without one would be refused.
    arguments = [*(() if project.brings_pytest else ("pytest",)), *project.requirements]
    for path in project.requirement_files:
        arguments += ["-r", _name(path, project.root)]  # the install step runs in the project's folder
    if project.kind != "none":
        target = str(project.root) + (f"[{','.join(project.extras)}]" if project.extras else "")
        arguments += ["-e", target] if project.kind == "editable" else [target]
    return (tuple(arguments),)


def content_of(project: Project, *, with_tests: bool = False) -> Content:
    """Return the digests of every file that decides what is installed. The same for all images of a session.

    :param with_tests: test modules inside of a compiled package count, since the installed ones are run (--pyargs).
    """
    files: Iterable[Path] = project.fingerprint_files
    if project.kind == "wheel":
        files = {*project.fingerprint_files, *list_build_sources(project, with_tests=with_tests)}
    found = [(_name(path, project.root), _fingerprint(path)) for path in files]
    if project.versioning is not None:  # a new tag makes new metadata; commits and edits do not
        found.append(("git describe", project.versioning.last_tag()))
    return tuple(sorted(found))


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _fingerprint(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return "absent"
    if path.name == "pyproject.toml":
        document = tomllib.loads(data.decode("utf-8"))
        tools = {name: table for name, table in document.get("tool", {}).items() if name not in UNRELATED_TOOLS}
        # What the chosen groups ask for stands among the requirements; the others install nothing.
        document.pop("dependency-groups", None)
        return text_digest(json.dumps({**document, "tool": tools}, sort_keys=True, default=str))
    if path.name == "setup.cfg":
        parser = configparser.RawConfigParser()
        parser.read_file(io.StringIO(data.decode("utf-8")))
        sections = {
            name: parser.items(name) for name in parser.sections() if name.split(":")[-1] not in UNRELATED_TOOLS
        }
        return text_digest(json.dumps(sections, sort_keys=True))
    if path.suffix == ".txt":  # requirements: pip's own rule for comments is white space or line start, then "#"
        lines = [re.sub(r"(^|\s+)#.*$", "", line).strip() for line in data.decode("utf-8", "replace").splitlines()]
        return text_digest("\n".join(line for line in lines if line))
    return hashlib.sha256(data).hexdigest()


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text as hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def worker_sources() -> dict[str, str]:
    """Return the source of each module of the worker, which every environment image carries."""
    folder = resources.files("pytest_pyimages.inside").joinpath("worker")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".py")), key=lambda file: file.name)
    return {file.name.removesuffix(".py"): file.read_text(encoding="utf-8") for file in files}


def installer_sources() -> dict[str, str]:
    """Return the sources of the install step, the one that is run first; the names are those in its job."""
    folder = resources.files("pytest_pyimages.inside").joinpath("installer")
    names = ("installer", "installer_project", "installer_lock", "installer_bytecode")
    return {name: folder.joinpath(f"{name}.py").read_text(encoding="utf-8") for name in names}
