"""Find what of a project would install a distribution or a module that its environment lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from pytest_pyimages.containers import NO_SOURCE, is_environment
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import ProjectFiles, get_table, read_project_files
from pytest_pyimages.project.lockfiles.locks import read_lock_files
from pytest_pyimages.project.metadata import Metadata, read_metadata
from pytest_pyimages.project.poetry import expand_group
from pytest_pyimages.project.project import is_project
from pytest_pyimages.project.requirements import find_distributions

_MEMBER_DEPTH = 3  # folders below the root: services/billing/api
_PACKAGE_FOLDERS = ("", "src", "lib", "python")  # of a project
_BESIDE_PACKAGES = frozenset({"tests", "test", "testing"})  # not installed with a project


class Provider(NamedTuple):
    """An extra, a group or a lock file."""

    name: str  # for messages: "extra x"
    entry: str  # of py_images_install


def find_provider(root: Path, distribution: str) -> Provider | None:
    """Return the first extra, group or lock file of a project that has a distribution; None if none has it.

    :param root: the project's folder.
    """
    wanted = canonicalize_name(distribution)
    try:
        files = read_project_files(root)
        metadata = read_metadata(files)
        return next(_find_providers(files, metadata, wanted), None)
    except ConfigurationError:  # of a group or lock file that was of no interest so far
        return None


def _find_providers(files: ProjectFiles, metadata: Metadata, wanted: str) -> Iterator[Provider]:
    for extra in metadata.extras or ():
        if wanted in find_distributions(metadata.expand_extras([extra])):
            yield Provider(f"extra {extra}", f".[{extra}]")
    for group in get_table(files.pyproject, "dependency-groups"):
        if wanted in find_distributions(files.expand_group(group)):
            yield Provider(f"group {group}", f"--group {group}")
    poetry = get_table(files.tool, "poetry")
    for group in get_table(poetry, "group"):
        if wanted in find_distributions(expand_group(poetry, group, root=files.root)):
            yield Provider(f"poetry group {group}", wanted)
    for lock in read_lock_files(files.root, canonicalize_name(metadata.name)):
        if any(package.name == wanted for package in lock.packages):
            yield Provider(lock.path.name, wanted)


def find_member(root: Path, module: str) -> Path | None:
    """Return the project below a folder that provides a module, such as ``packages/x``; None if none does.

    :param module: as it is imported, perhaps with a name of its content: of several projects with parts of a namespace
        package, the one that has most of these names is found.
    """
    names = module.split(".")
    if names[0] in _BESIDE_PACKAGES:
        return None
    members = list(_find_members(root))
    for count in range(len(names), 0, -1):
        for member in members:
            if any(_is_module(member.joinpath(folder, *names[:count])) for folder in _PACKAGE_FOLDERS):
                return member
    return None


def find_sibling(root: Path, distribution: str) -> Path | None:
    """Return the folder of another project of the same git checkout; None if it has none of this name.

    :param root: the folder of the project.
    """
    checkout = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if checkout is None or Path.home().is_relative_to(checkout):
        return None
    wanted = canonicalize_name(distribution)
    return next((path for path in (checkout, *_find_members(checkout)) if _is_named(path, wanted, root)), None)


def _is_named(folder: Path, name: str, root: Path) -> bool:
    try:
        return folder != root and read_project_files(folder).declared_name == name
    except ConfigurationError:
        return False


def _find_members(root: Path) -> Iterator[Path]:
    skipped = NO_SOURCE | _BESIDE_PACKAGES  # projects below tests are their data
    for path, folders, _ in os.walk(root):
        folder = Path(path)
        depth = len(folder.relative_to(root).parts)
        folders[:] = [
            name
            for name in sorted(folders if depth < _MEMBER_DEPTH else ())
            if not name.startswith(".") and name not in skipped
            if os.access(folder / name, os.X_OK) and not is_environment(folder / name)
        ]
        try:
            is_member = depth > 0 and is_project(folder)
        except ConfigurationError:  # its files are of no interest to the run
            continue
        if is_member:
            yield folder


def _is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or any(path.glob("*.py"))
