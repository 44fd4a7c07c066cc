"""Which files of the source are copied to an engine that does not see this host's files.

In a git tree what git tracks or does not ignore, elsewhere everything; caches, environments and installed packages
only if git tracks them. Other files that are left out are named to the user, who may choose otherwise.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.containers.skipped_folders import VERSION_CONTROL, is_virtual_environment

GIT_SECONDS = 60
GIT_LIMIT = 256 << 20  # bytes of a repository that is copied
_CACHES = frozenset(
    ".eggs .mypy_cache .nox .pyimages .pytest_cache .ruff_cache .tox __pycache__ .ipynb_checkpoints".split()
)
# Of a repository: no build needs them. Hooks would be run in the container by this host's rules.
_UNNEEDED = frozenset("hooks lfs logs gc.log fsmonitor--daemon fsmonitor--daemon.ipc".split())
# Not named if git ignores them: an image has its own, or a run makes them again.
_GENERATED = (
    *("*.egg-info", "*.pyc", "*.pyo", ".DS_Store", ".cache", ".coverage", ".coverage.*", ".idea"),
    *(".vscode", "__pypackages__", "build", "coverage.xml", "dist", "htmlcov", "node_modules", "*.swp"),
)


class CopyPattern(NamedTuple):
    """A choice of the user; the last one that matches a file or one of its folders decides."""

    expression: re.Pattern[str]  # of paths relative to the root
    copies: bool


@dataclass(slots=True)
class CopiedFiles:
    """The files, folders and links that are copied, by path relative to the root; folders stand before their files."""

    entries: dict[str, os.stat_result] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)  # paths, those of folders with a slash; no caches
    unreadable: list[str] = field(default_factory=list)  # paths of folders whose files cannot be listed
    count: int = 0  # of regular files
    size: int = 0  # of regular files, in bytes

    def add(self, path: str, status: os.stat_result) -> None:
        self.entries[path] = status
        if stat.S_ISREG(status.st_mode):
            self.count += 1
            self.size += status.st_size


def find_copied_files(root: Path, patterns: Sequence[CopyPattern] = ()) -> CopiedFiles:
    """Return the files of a folder that are copied; targets of its links are never left out, or links would dangle."""
    walk = _Walk(root, patterns)
    walk.add_folder("", walk.find_repository(), is_left_out=False)
    walk.add_targets()
    found = CopiedFiles(left_out=sorted(walk.left_out), unreadable=sorted(walk.unreadable))
    for path, status in sorted(walk.entries.items()):
        found.add(path, status)
    return found


def is_generated(entry: os.DirEntry[str], siblings: Collection[str]) -> bool:
    """Return whether an entry of a folder is version control, a cache, an environment, or installed packages.

    :param siblings: all names in the folder.
    """
    if entry.name in _CACHES or entry.name in VERSION_CONTROL:
        return True
    is_installed = entry.name == "node_modules" and "package.json" in siblings
    return entry.is_dir(follow_symlinks=False) and (is_installed or is_virtual_environment(entry.path))


class _Repository:
    """Which files of one checkout git tracks and ignores.

    :param folder: its path below the root, which is empty or ends with a slash.
    """

    def __init__(self, root: Path, folder: str) -> None:
        self._root = root
        self._folder = folder
        ignored = self._list("--others", "--ignored", "--exclude-standard", "--directory")
        self.is_known = ignored is not None and f"{folder}./" not in ignored  # else another checkout ignores the folder
        self.ignored = frozenset(path.rstrip("/") for path in ignored or ())

    @cached_property
    def tracked(self) -> frozenset[str]:
        """The tracked files and all folders above them; only needed for what looks generated."""
        return list_tracked(self._root, self._folder) or frozenset()

    def _list(self, *arguments: str) -> set[str] | None:
        return list_in_git(self._root, self._folder, *arguments)


def list_tracked(root: Path, folder: str, *arguments: str) -> frozenset[str] | None:
    """Return what git tracks and all folders above, as paths below the root; None if there is no git, or no checkout.

    :param folder: of the checkout, as for ``list_in_git``.
    :param arguments: further ones of ``git ls-files``.
    """
    found = list_in_git(root, folder, *arguments)
    if found is None:
        return None
    for path in tuple(found):
        while "/" in path and (path := path.rpartition("/")[0]) not in found:
            found.add(path)
    return frozenset(found)


def list_in_git(root: Path, folder: str, *arguments: str) -> set[str] | None:
    """Return what ``git ls-files`` prints, as paths below the root; None if there is no git, or no checkout.

    :param folder: of the checkout, below the root; empty, or ends with a slash.
    """
    # git refuses a checkout of another user for the programs that its configuration may name; none is run here.
    settings = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")
    command = ["git", *settings, "-C", str(root / folder), "ls-files", "-z", *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - lists files
            command,
            env={**kept, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    return {f"{folder}{os.fsdecode(name)}" for name in done.stdout.split(b"\0") if name}


class _Walk:
    """Walks the source; paths are relative to the root, and separated by slashes."""

    def __init__(self, root: Path, patterns: Sequence[CopyPattern]) -> None:
        self._root = root
        self._patterns = patterns
        self._descends = any(pattern.copies for pattern in patterns)
        self.entries: dict[str, os.stat_result] = {}
        self.left_out: list[str] = []
        self.unreadable: list[str] = []

    def find_repository(self, folder: str = "") -> _Repository | None:
        above = self._root / folder
        if not any((path / ".git").exists() for path in (above, *above.parents)):
            return None
        repository = _Repository(self._root, folder)
        return repository if repository.is_known else None

    def add_folder(self, folder: str, repository: _Repository | None, *, is_left_out: bool) -> None:
        """Add the entries of a folder, whose path is empty or ends with a slash.

        :param is_left_out: whether only what a pattern names is copied.
        """
        folders = [(folder, repository, is_left_out)]
        while folders:
            folder, repository, is_left_out = folders.pop()
            entries = self._scan(folder, is_copied=not is_left_out)
            names = {entry.name for entry in entries}
            if folder and ".git" in names and not is_left_out:  # a submodule, or a checkout in a checkout
                repository = self.find_repository(folder) or repository
            for entry in entries:
                path = f"{folder}{entry.name}"
                default = self._find_reason(path, entry, names, repository) if not is_left_out else "above"
                reason = self._apply_patterns(path, default)
                if self._add_entry(path, entry, reason):
                    folders.append((f"{path}/", repository if reason is None else None, reason is not None))

    def _add_entry(self, path: str, entry: os.DirEntry[str], reason: str | None) -> bool:
        """Add an entry of a folder if there is no reason against it; return whether to look into it."""
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:  # it was removed meanwhile
            return False
        is_folder = stat.S_ISDIR(status.st_mode)
        if not (is_folder or stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            return False  # a socket, pipe or device belongs to a process of this host
        if reason is None and entry.name == ".git" and is_folder:
            self._add_git(path, status)
            return False
        if reason is None:
            self._add(path, status)
            return is_folder
        if reason == "named":
            self.left_out.append(f"{path}/" if is_folder else path)
        return is_folder and self._descends and entry.name not in VERSION_CONTROL

    def add_targets(self) -> None:
        """Add what was left out although a copied link leads to it."""
        links = [path for path, status in self.entries.items() if stat.S_ISLNK(status.st_mode)]
        root = os.path.realpath(self._root)
        while links:
            target = os.path.realpath(self._root / links.pop())
            path = os.path.relpath(target, root)
            is_inside = path != "." and not path.startswith("../") and path != ".."
            if not is_inside or path in self.entries:
                continue
            try:
                self._add(path, os.lstat(target))
            except OSError:  # a dangling link, or removed meanwhile
                continue
            if Path(target).is_dir():
                before = set(self.entries)
                self.add_folder(f"{path}/", None, is_left_out=False)
                added = self.entries.keys() - before
                links += [path for path in added if stat.S_ISLNK(self.entries[path].st_mode)]

    def _scan(self, folder: str, *, is_copied: bool) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / folder) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):  # removed meanwhile
            return []
        except OSError:
            if is_copied:  # as an empty folder, it would be a suite with fewer tests
                self.unreadable.append(folder.rstrip("/"))
            return []

    def _add(self, path: str, status: os.stat_result) -> None:
        self.entries[path] = status
        while "/" in path:  # a pattern may name a file in a folder that is left out
            path = path.rpartition("/")[0]
            if path in self.entries:
                return
            self.entries[path] = (self._root / path).lstat()

    def _find_reason(
        self, path: str, entry: os.DirEntry[str], siblings: set[str], repository: _Repository | None
    ) -> str | None:
        """Return "named" or "generated" if a file or folder is not copied, else None."""
        if entry.name in VERSION_CONTROL:
            return None if entry.name == ".git" else "named"
        skipped = is_generated(entry, siblings)
        if repository is None:
            return "generated" if skipped else None
        if path in repository.ignored and entry.name != ".hypothesis":  # it has examples that failed
            is_known = skipped or any(fnmatchcase(entry.name, pattern) for pattern in _GENERATED)
            return "generated" if is_known else "named"
        return "generated" if skipped and path not in repository.tracked else None

    def _apply_patterns(self, path: str, reason: str | None) -> str | None:
        for pattern in reversed(self._patterns):
            if pattern.expression.match(path):
                return None if pattern.copies else "chosen"
        return reason

    def _add_git(self, path: str, status: os.stat_result) -> None:
        """Add a repository as far as git and builds need it; none of it if it is large."""
        found = {path: status, **dict(self._list_git(path))}
        if sum(entry.st_size for entry in found.values() if stat.S_ISREG(entry.st_mode)) > GIT_LIMIT:
            self.left_out.append(f"{path}/")
            return
        self.entries |= found

    def _list_git(self, path: str) -> Iterator[tuple[str, os.stat_result]]:
        folders = [path]
        while folders:
            folder = folders.pop()
            for entry in self._scan(folder, is_copied=True):
                if (folder == path and entry.name in _UNNEEDED) or entry.name.endswith(".lock"):
                    continue
                try:
                    status, name = entry.stat(follow_symlinks=False), f"{folder}/{entry.name}"
                except OSError:  # git has just packed it
                    continue
                if stat.S_ISDIR(status.st_mode):
                    folders.append(name)
                if not stat.S_ISSOCK(status.st_mode):
                    yield name, status
