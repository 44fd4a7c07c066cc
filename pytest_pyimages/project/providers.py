"""Find what of a project would install a distribution that its environment lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import ProjectFiles, get_table, read_project_files
from pytest_pyimages.project.lockfiles.locks import read_lock_files
from pytest_pyimages.project.metadata import Metadata, read_metadata
from pytest_pyimages.project.poetry import expand_group
from pytest_pyimages.project.requirements import find_distributions


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
