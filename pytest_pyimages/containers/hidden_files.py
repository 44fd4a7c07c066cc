"""What containers must not see of the host's tree: its environments, and what was built there for its own Python.

An image would import an extension module of the same ABI that needs the host's libraries, take a version from metadata
that the host has installed, or pack files that an old build has left. What git tracks is source.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.containers.copied_files import CopyPattern, list_tracked
from pytest_pyimages.containers.skipped_folders import NOT_COPIED, is_environment

MOST_REMOVED = 300  # entries of a folder that each container removes; an empty file system hides a larger one
_PROJECT_FILES = frozenset(("pyproject.toml", "setup.py", "setup.cfg"))
_PACKAGE_FOLDERS = frozenset(("src", "lib", "python"))  # that setuptools writes metadata to, beside the project's own
_EXTENSION = re.compile(r".+\.(cpython-\d+|pypy\d+-pp\d+|graalpy\d+|abi3)[\w.-]*\.so")  # PEP 3149, and its successors
# In the build folders of setuptools, CMake, meson-python and scikit-build.
_BUILD_OUTPUT = re.compile(
    r"lib([._].*)?|bdist\..+|temp\..+|scripts-.+|CMakeCache\.txt|build\.ninja|meson-info|cp\d+.*"
)


class HiddenFiles(NamedTuple):
    """Paths relative to the root."""

    paths: tuple[str, ...] = ()
    large: tuple[str, ...] = ()  # those of them that are folders of many files
    extensions: tuple[str, ...] = ()  # those of them that are extension modules


def find_hidden_files(
    root: Path, patterns: Sequence[CopyPattern] = (), *, needed: Iterable[Path] = (), compiles: bool = False
) -> HiddenFiles:
    """Return what containers must not see of a folder.

    :param patterns: the user's choices; the last one that matches decides, and ``copies`` means to show a file.
    :param needed: folders that are used: nothing that holds one is hidden.
    :param compiles: whether images compile the project: without git, extension modules may be part of the source.
    """
    search = _Search(root, patterns, compiles=compiles)
    search.walk()
    used = [os.path.relpath(path, root) for path in needed]
    used += (os.path.relpath(os.path.realpath(link), os.path.realpath(root)) for link in search.links)
    hidden = [path for path in sorted(search.hidden) if not any(f"{use}/".startswith(f"{path}/") for use in used)]
    return HiddenFiles(
        paths=tuple(hidden),
        large=tuple(path for path in hidden if _is_large(root / path)),
        extensions=tuple(path for path in hidden if path in search.extensions),
    )


class _Search:
    """Walks the source; paths are relative to the root."""

    def __init__(self, root: Path, patterns: Sequence[CopyPattern], *, compiles: bool) -> None:
        self._root = root
        self._patterns = patterns
        self._compiles = compiles
        self.hidden: list[str] = []
        self.extensions: set[str] = set()
        self.links: list[str] = []  # absolute paths of symbolic links

    @cached_property
    def _tracked(self) -> frozenset[str] | None:
        """What git tracks, and the folders above; None if there is no git tree."""
        if not any((path / ".git").exists() for path in (self._root, *self._root.parents)):
            return None
        found = list_tracked(self._root, "", "--recurse-submodules")
        return list_tracked(self._root, "") if found is None else found

    def walk(self) -> None:
        folders = [""]
        while folders:
            above = folders.pop()
            entries = _scan(self._root / above)
            is_project = not _PROJECT_FILES.isdisjoint(entry.name for entry in entries)
            has_metadata = is_project or self._is_package_folder(above)
            for entry in entries:
                path = above + entry.name
                if entry.is_symlink():
                    self.links.append(entry.path)
                elif entry.is_dir():
                    is_generated = self._is_generated(path, is_project=is_project, has_metadata=has_metadata)
                    if self._hides(path, is_generated=is_generated):
                        self.hidden.append(path)
                    elif entry.name not in NOT_COPIED:
                        folders.append(f"{path}/")
                else:
                    self._add_file(path)

    def _add_file(self, path: str) -> None:
        name = path.rpartition("/")[2]
        is_extension = _EXTENSION.fullmatch(name) is not None and (self._compiles or self._tracked is not None)
        if self._hides(path, is_generated=is_extension):
            self.hidden.append(path)
            if is_extension:
                self.extensions.add(path)

    def _is_package_folder(self, above: str) -> bool:
        folder = self._root / above
        return folder.name in _PACKAGE_FOLDERS and any((folder.parent / name).is_file() for name in _PROJECT_FILES)

    def _is_generated(self, path: str, *, is_project: bool, has_metadata: bool) -> bool:
        """Return whether a folder is an environment, installed metadata, or the output of a build."""
        folder, name = self._root / path, path.rpartition("/")[2]
        if is_environment(folder):
            return True
        if name.endswith(".egg-info"):
            return has_metadata
        return name == "build" and is_project and any(_BUILD_OUTPUT.fullmatch(entry.name) for entry in _scan(folder))

    def _hides(self, path: str, *, is_generated: bool) -> bool:
        for pattern in reversed(self._patterns):
            if pattern.expression.match(path):
                is_generated = not pattern.copies
                break
        return is_generated and path not in (self._tracked or ())


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:  # removed meanwhile, or no one can read it
        return []


def _is_large(path: Path) -> bool:
    entries = (name for _, folders, names in os.walk(path) for name in (*folders, *names))
    return next(islice(entries, MOST_REMOVED, None), None) is not None
