"""The recipe of an environment image: everything that affects the installation, and its digest."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pyimages.engines import ImageInfo
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes import PackageSources
from pytest_pyimages.project import ImageConfiguration, Project, list_build_sources
from pytest_pyimages.toml import parse_toml

if TYPE_CHECKING:
    from pytest_pyimages.images.dockerfile import Dockerfile
    from pytest_pyimages.project import Lock

# Tables of tools that do not affect the installation: editing them rebuilds nothing.
UNRELATED_TOOLS = frozenset(
    "autopep8 bandit basedpyright black bumpversion check-manifest cibuildwheel codespell commitizen coverage djlint"
    " flake8 interrogate isort mutmut mypy nox pydocstyle pyimages pylint pyright pytest ruff semantic_release"
    " towncrier tox ty typos vulture yapf".split()
)
LOWEST_PYTEST = "pytest>=8"  # the lowest of all versions runs nowhere
REPOSITORY = "pytest-pyimages/environment"

_INSIDE = Path(__file__).parents[1] / "inside"
_SERVER = re.compile(r"\b(?!file:)[\w+]+://\S*")
_OTHER_FILES = ("#", "-r", "--requirement", "-c", "--constraint")  # requirements files, which are read as well
_FILES = re.compile(
    r"[/\\]|\bfile:|\.(whl|zip|tar|tgz|gz|bz2|xz)\b"
    r"|(^|\s)(-f|--find-links|-e|--editable|-i|--\S*index-url)[\s=]+\S"
)

Content = tuple[tuple[str, str], ...]  # files that the steps read: path below the project, and digest


class Recipe(Immutable):
    """Everything that affects an environment image, apart from the base image. The same on every host."""

    steps: tuple[tuple[str, ...], ...]  #: arguments of ``pip install``, one command each
    lock: Lock | None = None  #: versions that constrain the steps
    built_extras: tuple[str, ...] = ()  #: see Project
    constraints: tuple[str, ...] = ()  #: requirements that limit versions, and install nothing
    resolution: str = ""  #: uv's: "lowest-direct"; empty for uv's default
    is_partial: bool = False  #: what cannot be installed is left out
    needs_pip: bool = False  #: pip runs the steps, instead of uv
    sources: PackageSources = field(default_factory=PackageSources)  #: where the packages come from
    content: Content = ()
    apt: tuple[str, ...] = ()  #: system packages
    setup: tuple[str, ...] = ()  #: shell commands, run before the steps
    environment: tuple[tuple[str, str], ...] = ()  #: variables of the set-up and the steps, sorted
    dockerfile: Dockerfile | None = None  #: builds the image below everything else
    interpreter: str = ""  #: "3.14t": the Python that uv installs, for which all else is installed
    build_in: str = ""  #: "full": build wheels in the full image; of slim images only
    owner: str = ""  #: digest of the project folder's path if no other project may use the image

    def compute_foundation(self, base: ImageInfo) -> str:
        """Return the digest of everything below the Python packages; 32 hex digits."""
        parts = {
            "base": base.id,
            "platform": base.platform,
            "apt": self.apt,
            "setup": self.setup,
            "environment": self.environment,
            "dockerfile": self.dockerfile.digest if self.dockerfile else "",
            "resolution": self.resolution,
            "interpreter": self.interpreter,
            "installer": ("pip" if self.needs_pip else "") + hash_text("".join(read_modules("installer").values())),
        }
        return hash_text(json.dumps(parts, sort_keys=True))[:32]

    def compute_digest(self, base: ImageInfo) -> str:
        """Return the digest of the environment image on a base image; 32 hex digits."""
        parts = {
            "foundation": self.compute_foundation(base),
            "steps": self.steps,
            "lock": self.lock.content if self.lock else None,
            "content": self.content,
            "sources": self.sources.content,
            "built_extras": self.built_extras,
            "build_in": self.build_in,
            "owner": self.owner,
            "is_partial": self.is_partial,
            "constraints": self.constraints,
            "worker": _hash_worker(),
        }
        return hash_text(json.dumps(parts, sort_keys=True, default=str))[:32]

    def name_image(self, base: ImageInfo) -> str:
        """Return the reference of the environment image on a base image."""
        return f"{REPOSITORY}:{self.compute_digest(base)}"


def make_recipe(
    project: Project, configuration: ImageConfiguration, content: Content, *, resolution: str = ""
) -> Recipe:
    """Return the recipe of a project's environment in one image.

    :param content: see ``read_content``; it is the same for all images.
    :param resolution: this host's UV_RESOLUTION, for images whose variant names none.
    """
    resolution = configuration.resolution or resolution
    constraints = configuration.constraints
    if resolution.startswith("lowest") and not _bounds_pytest(project):
        constraints = (*constraints, LOWEST_PYTEST)
    dockerfile = None
    if configuration.dockerfile is not None:
        from pytest_pyimages.images.dockerfile import read_dockerfile  # few projects have one

        dockerfile = read_dockerfile(configuration.dockerfile)
    return Recipe(
        steps=list_steps(project),
        lock=None if configuration.resolution else project.lock,
        constraints=constraints,
        resolution=resolution,
        built_extras=project.built_extras,
        needs_pip=project.needs_pip,
        sources=project.sources,
        content=content,
        apt=configuration.apt,
        setup=configuration.setup,
        # Variables of the host are not part of it: they may be secrets, and differ between hosts.
        environment=tuple(sorted((name, value) for name, value in configuration.env.items() if value is not None)),
        dockerfile=dockerfile,
        build_in=configuration.build_in,
        owner=_find_owner(project, configuration),
    )


def _find_owner(project: Project, configuration: ImageConfiguration) -> str:
    """Return the digest of the project folder's path if its builds may read files that the recipe does not contain.

    Another project with the same recipe, but other files, must not provide the image: set-up commands run what they
    find, and a folder may have other packages than one of the same name.
    """
    if configuration.setup or project.packages or project.kind != "none" or "find-links" in project.sources.settings:
        return hash_text(str(project.root))[:16]
    files = {path for path in (*project.fingerprint_files, *project.requirement_files) if path.is_file()}
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    lines = [*project.requirements, *project.options, *(line for text in texts for line in text.splitlines())]
    reads_files = any(map(_names_files, (*lines, *project.sources.list_strings())))
    return hash_text(str(project.root))[:16] if reads_files else ""


def _names_files(line: str) -> bool:
    """Return whether a line of a requirements file may name a package or a folder of packages in the file system."""
    line = _SERVER.sub("", line.strip())
    return not line.startswith(_OTHER_FILES) and _FILES.search(line) is not None


def _bounds_pytest(project: Project) -> bool:
    """Return whether the project's requirements limit the version of pytest."""
    unbounded = any(re.match(r"pytest(?![\w-])\s*(?:\[[^]]*\]\s*)?(?:;|$)", text) for text in project.requirements)
    return project.requires_pytest and not unbounded


def list_steps(project: Project) -> tuple[tuple[str, ...], ...]:
    """Return the arguments of ``pip install``: one command, so that all requirements are resolved together."""
    # Where files have hashes, pip refuses a requirement without one.
    arguments = [*project.options, *(() if project.requires_pytest else ("pytest",))]
    for text in project.requirements:
        arguments += text.split(" ", 1) if text.startswith("-e ") else [text]
    for path in project.requirement_files:
        arguments += ["-r", _shorten(path, project.root)]  # the install step runs in the project's folder
    if project.kind != "none":
        target = str(project.root) + (f"[{','.join(project.extras)}]" if project.extras else "")
        arguments += ["-e", target] if project.kind == "editable" else [target]
    return (tuple(arguments),)


def read_content(project: Project, *, with_tests: bool = False) -> Content:
    """Return the digest of every file that affects the installation.

    :param with_tests: whether tests within a compiled package count, because the installed ones are run (--pyargs).
    """
    files: Iterable[Path] = project.fingerprint_files
    if project.kind == "wheel":
        files = {*project.fingerprint_files, *list_build_sources(project, with_tests=with_tests)}
    found = [(_shorten(path, project.root), _hash_file(path)) for path in files]
    if project.versioning is not None:  # a new tag changes the metadata; commits and edits do not
        found.append(("git describe", project.versioning.last_tag()))
    return tuple(sorted(found))


def _shorten(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _hash_file(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return "absent"
    if path.name == "pyproject.toml":
        document = parse_toml(data.decode("utf-8"))
        tools = {name: table for name, table in document.get("tool", {}).items() if name not in UNRELATED_TOOLS}
        # The selected groups are among the requirements; the others install nothing.
        document.pop("dependency-groups", None)
        return hash_text(json.dumps({**document, "tool": tools}, sort_keys=True, default=str))
    if path.name == "setup.cfg":
        import configparser

        parser = configparser.RawConfigParser()
        parser.read_string(data.decode("utf-8"))
        related = [name for name in parser.sections() if name.split(":")[-1] not in UNRELATED_TOOLS]
        return hash_text(json.dumps({name: parser.items(name) for name in related}, sort_keys=True))
    if path.suffix == ".txt":  # requirements: in pip, "#" at the start of a line or after white space is a comment
        lines = [re.sub(r"(^|\s+)#.*$", "", line).strip() for line in data.decode("utf-8", "replace").splitlines()]
        return hash_text("\n".join(line for line in lines if line))
    return hashlib.sha256(data).hexdigest()


def hash_text(text: str) -> str:
    """Return the SHA-256 of a text as hex digits."""
    return hashlib.sha256(os.fsencode(text)).hexdigest()


@cache  # of all images
def _hash_worker() -> str:
    return hash_text("".join(read_modules("worker").values()))


def read_modules(package: str) -> dict[str, str]:
    """Return the source of each module that a container runs.

    :param package: "worker", which every environment image contains, or "installer".
    """
    files = sorted((_INSIDE / package).glob("*.py"))
    return {file.stem: file.read_text(encoding="utf-8") for file in files}
