"""Symbolic links that lead out of the source: containers get what they lead to, at the same path and read-only.

pytest silently skips dangling links, so a linked test or conftest that a container lacks would not be noticed.
A link whose target cannot be mounted is refused before anything is started.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.containers.copied_files import is_generated
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.text import clean_line

MOST_LINKS = 40  # of one path; Linux has the same limit
MOST_ENTRIES = 100_000  # of folders outside of the source that are searched for further links
# Every container has its own.
_KERNEL = ("/dev", "/proc", "/sys")
# The image has its own, which must not be replaced.
_SYSTEM = (
    *("/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/opt/pyimages", "/run", "/sbin", "/usr/bin"),
    *("/usr/include", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/local", "/usr/sbin", "/var/run"),
)
# Folders that a container needs, although what is below them may come from the host.
_NEEDED = (*_KERNEL, *_SYSTEM, "/home", "/opt", "/root", "/tmp", "/var/cache/pyimages", "/var/lib", "/var/tmp")  # noqa: S108
_HINT = "replace the link by a copy, remove it, or choose a --rootdir that contains both"


class LinkedPath(NamedTuple):
    """A file or folder outside of the source that a link of the source leads to."""

    link: str  # relative to the root; in a linked folder, its absolute path
    target: str  # absolute path in the container
    source: Path  # on this host, without links
    is_repository: bool = False  # of git, which writes there


@dataclass(slots=True)
class LinkedPaths:
    """The paths that links lead to, and what was left out."""

    paths: list[LinkedPath] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_repository(root: Path) -> tuple[LinkedPath, ...]:
    """Return the repository of a linked worktree or submodule, if it lies outside of it (gitrepository-layout)."""
    link = root / ".git"
    try:
        folder = (root / link.read_text("utf-8").partition("gitdir:")[2].strip()).resolve(strict=True)
        shared = folder / "commondir"
        common = (folder / shared.read_text("utf-8").strip()).resolve(strict=True) if shared.is_file() else folder
    except (OSError, UnicodeDecodeError):  # no file, or a broken one
        return ()
    outside = [path for path in dict.fromkeys((common, folder)) if not path.is_relative_to(root) and path.is_dir()]
    if len(outside) > 1 and folder.is_relative_to(common):
        outside.remove(folder)
    return tuple(LinkedPath(link=".git", target=str(path), source=path, is_repository=True) for path in outside)


def find_linked_paths(root: Path) -> LinkedPaths:
    """Return all paths outside of a folder that symbolic links in it lead to, directly or by other links.

    Links that dangle on this host are left as they are, and so are those in environments, caches and version control.

    :raises ConfigurationError: for a link whose target cannot be brought into a container.
    """
    search = _Search(root)
    found = LinkedPaths()
    system: list[str] = []
    for container, host in search.links():
        leads = search.resolve(_get_folder(container), _read(host))
        if not leads or not Path(host).exists():
            continue
        if search.is_seen(leads):
            continue
        link = os.path.relpath(container, root) if Path(container).is_relative_to(root) else container
        path = LinkedPath(link=link, target=leads, source=Path(os.path.realpath(host)))
        if _is_below(leads, _KERNEL) or _is_below(str(path.source), _KERNEL):
            continue
        if _is_left_to_image(path):
            system.append(f"{clean_line(link)} -> {clean_line(leads)}")
            continue
        _check(path, root)
        found.paths.append(path)
        search.add(path)
    if system:
        found.notes.append(f"links to files of the system lead to the image's own: {', '.join(system)}")
    if search.is_incomplete:
        found.notes.append(f"links in folders outside of the project were not all checked: over {MOST_ENTRIES} entries")
    return found


class _Search:
    """Walks the source, and each linked folder as it is found."""

    def __init__(self, root: Path) -> None:
        self.is_incomplete = False
        self._trees = {str(root): str(root)}  # what containers see: path there, path on this host
        self._folders = [(str(root), str(root))]
        self._outside = 0  # entries of linked folders
        self._root = str(root)

    def add(self, path: LinkedPath) -> None:
        """Let containers see a path, and search it if it is a folder."""
        self._trees[path.target] = str(path.source)
        if path.source.is_dir():
            self._folders.append((path.target, str(path.source)))

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield the path in the container, and that on this host, of every symbolic link."""
        while self._folders:
            container, host = self._folders.pop()
            is_outside = not _is_below(container, (self._root,))
            try:
                with os.scandir(host) as entries:
                    found = list(entries)
            except OSError:
                continue  # nothing can read it here, either
            self._outside += len(found) if is_outside else 0
            if self._outside > MOST_ENTRIES:
                self.is_incomplete = True
                continue
            if container != self._root and any(entry.name == "pyvenv.cfg" for entry in found):
                continue  # an environment for this host's Python
            names = {entry.name for entry in found}
            for entry in found:
                if entry.is_dir(follow_symlinks=False) and not is_generated(entry, names):
                    self._folders.append((f"{container}/{entry.name}", entry.path))
            for entry in sorted(filter(os.DirEntry.is_symlink, found), key=lambda entry: entry.name):
                if not is_generated(entry, names):
                    yield f"{container}/{entry.name}", entry.path

    def resolve(self, folder: str, text: str) -> str:
        """Return where a link's text leads in the container; empty for a loop.

        :param folder: absolute path of the link's folder in the container.
        """
        current, pending = folder, text.split("/")[::-1]
        if text.startswith("/"):
            current = "/"
        followed = 0
        while pending:
            part = pending.pop()
            if part in ("", "."):
                continue
            if part == "..":
                current = _get_folder(current)
                continue
            candidate = f"{current}/{part}".replace("//", "/")
            host = self._find_host(candidate)
            if host is None or not Path(host).is_symlink():
                current = candidate
                continue
            followed += 1
            if followed > MOST_LINKS:
                return ""  # a loop, here as there
            text = _read(host)
            pending += text.split("/")[::-1]
            if text.startswith("/"):
                current = "/"
        return current

    def is_seen(self, path: str) -> bool:
        """Return whether containers see a path already."""
        return self._find_host(path) is not None

    def _find_host(self, path: str) -> str | None:
        """Return the path on this host of what a container sees at a path; None if it does not see it."""
        above = path
        while True:
            if above in self._trees:
                return self._trees[above] + path[len(above) :]
            if above == "/":
                return None
            above = _get_folder(above)


def _get_folder(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _read(link: str) -> str:
    try:
        return str(Path(link).readlink())
    except OSError:
        return ""  # it was removed meanwhile


def _is_below(path: str, folders: Iterable[str]) -> bool:
    """Return whether a path is one of the folders, or below one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _is_left_to_image(path: LinkedPath) -> bool:
    """Return whether a link leads to a program or file of the system, of which each image has its own.

    A folder, or a file of Python's, may be part of the suite: then its absence would not be noticed.
    """
    is_system = _is_below(path.target, _SYSTEM) or _is_below(str(path.source), _SYSTEM)
    return is_system and path.source.is_file() and path.source.suffix != ".py"


def _check(path: LinkedPath, root: Path) -> None:
    """Raise ConfigurationError if a path cannot be brought into a container."""
    source, home = path.source, Path.home()
    reason = ""
    if root.is_relative_to(path.target) or Path(os.path.realpath(root)).is_relative_to(source):
        reason = "which contains the project"
    elif _is_below(path.target, _SYSTEM) or _is_below(str(source), _SYSTEM):
        reason = "of which the image has its own"
    elif any(Path(folder).is_relative_to(path.target) for folder in _NEEDED):
        reason = "which every container needs for itself"
    elif not (source.is_file() or source.is_dir()):
        reason = "which is neither a file nor a folder"
    elif home.is_relative_to(source):
        reason = "which contains your home folder"
    elif source.is_relative_to(home):
        private = home / source.relative_to(home).parts[0]
        if private.name.startswith(".") and not Path(os.path.realpath(root)).is_relative_to(private):
            reason = "where your own settings and keys are"
    if reason:
        link, target = clean_line(path.link), clean_line(str(source))
        raise ConfigurationError(f"--py-images: the symbolic link {link} leads to {target}, {reason}", _HINT)
