"""What a container has changed in the source tree, compared with this host's tree.

Nothing that a container sends is trusted: paths are checked, sizes are limited, and contents are kept in a folder of
their own until the session decides about them.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, NamedTuple

from pytest_pyimages.containers import NOT_COPIED
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.runs.events import (
    ChangedContent,
    ChangedPath,
    ChangedPaths,
    ContentPart,
    ListedFolder,
    Scanned,
)
from pytest_pyimages.text import clean_line

NOT_COPIED_PROBLEM = "this host's file of that name was not copied into the container"
ChangeEvent = ChangedPaths | ListedFolder | ChangedContent | ContentPart | Scanned
CHANGE_EVENTS = (ChangedPaths, ListedFolder, ChangedContent, ContentPart, Scanned)
MAX_CONTENTS = 512 * 1024 * 1024  # bytes of one image
MAX_CHANGES = 10_000
MAX_NAMES = 200_000  # entries of changed folders
# Names that are never looked at: caches, environments and version control; and what --cov has its own way for.
SKIPPED = NOT_COPIED | {".coverage", ".pyimages"}
# Paths that are not worth a word; ``*`` stands for slashes, too.
_RUBBISH = ("*.pyc", "*.pyo", ".coverage.*", "*/.coverage.*", ".testmondata-*", "*/.testmondata-*")
_HYPOTHESIS = ".hypothesis/"  # only its examples are more than a cache
_EXAMPLES = f"{_HYPOTHESIS}examples/"


class Change(NamedTuple):
    """A file of the source tree that is not as on this host."""

    path: str  # relative to the source's root, with slashes
    kind: Literal["new", "changed", "deleted"]
    executable: bool = False
    content: Path | None = None  # a file with its content; None if the container has not sent it
    problem: str = ""  # why it cannot be written on this host; empty if it can
    is_file: bool = True  # rather than a link or a special file
    host_changed: bool = False  # whether this host has changed it since the run began


class ChangesJob(Immutable):
    """What a container is to report about the source."""

    root: str
    send: tuple[str, ...]  # regular expressions of paths below the root whose content is wanted
    skip: tuple[str, ...] = tuple(sorted(SKIPPED))
    upper: str | None = None  # folder with the overlay's upper layer; None if the source is a copy


@dataclass(slots=True)
class _Content:
    file: Path
    size: int
    received: int = 0


@dataclass(slots=True)
class SourceChanges:
    """The changes of one container; ``close`` removes the received contents."""

    root: Path
    more: int = 0  # how many were not named
    is_complete: bool = False
    problem: str = ""  # what could not be read
    began: float = field(default_factory=time.time)
    present: frozenset[str] | None = None  # paths that the container saw; None for all
    _paths: dict[str, ChangedPath] = field(default_factory=dict)
    _folders: dict[str, frozenset[str]] = field(default_factory=dict)
    _contents: dict[str, _Content] = field(default_factory=dict)
    _listed: int = 0
    _open: _Content | None = None
    _total: int = 0
    _spool: tempfile.TemporaryDirectory[str] | None = None

    def take(self, event: ChangeEvent) -> None:
        """Keep what the container sends.

        :raises OSError: if a content cannot be stored.
        """
        if isinstance(event, ChangedPaths):
            for change in event.changes[: max(MAX_CHANGES - len(self._paths), 0)]:
                self._paths[change.path] = change
        elif isinstance(event, ListedFolder):
            self._listed += len(event.names) + 1
            if self._listed <= MAX_NAMES:
                self._folders[event.path] = event.names
        elif isinstance(event, ChangedContent):
            if self._spool is None:
                self._spool = tempfile.TemporaryDirectory(prefix="pyimages-changes-")
            file = Path(self._spool.name) / str(len(self._contents))
            file.touch()
            self._open = self._contents[event.path] = _Content(file, event.size)
        elif isinstance(event, ContentPart):
            self._append(event.data)
        else:
            self.more, self.problem, self.is_complete = event.more, event.problem, True

    def _append(self, data: bytes) -> None:
        content = self._open
        self._total += len(data)
        if content is None or self._total > MAX_CONTENTS:
            return
        with content.file.open("ab") as file:
            file.write(data)
        content.received += len(data)

    def close(self) -> None:
        """Remove the received contents."""
        if self._spool is not None:
            self._spool.cleanup()
            self._spool = None

    def compare(self) -> Iterator[Change]:
        """Yield what differs from this host's tree, sorted by path, without files that are only caches."""
        deleted = {
            path: Change(path=path, kind="deleted")
            for path in (*self._list_removed(), *self._list_missing())
            if not _is_rubbish(path)
        }
        changed = {
            path: change
            for path, found in self._paths.items()
            if found.kind != "removed" and not _is_rubbish(path) and (change := self._compare(found)) is not None
        }
        for _, change in sorted((deleted | changed).items()):
            yield change

    def _list_removed(self) -> Iterator[str]:
        for path, change in self._paths.items():
            if change.kind == "removed" and is_safe(path) and os.path.lexists(self.root / path):
                yield self._mark_folder(path)

    def _list_missing(self) -> Iterator[str]:
        """Yield what this host has in a changed folder and the container has not."""
        for folder, names in self._folders.items():
            here = self.root / folder
            if (folder and not is_safe(folder)) or here.is_symlink() or not here.is_dir():
                continue
            for name in _list_older(here, self.began):
                if name not in names and name not in SKIPPED and self._was_present(folder, name):
                    yield self._mark_folder(f"{folder}/{name}".lstrip("/"))

    def _was_present(self, folder: str, name: str) -> bool:
        return self.present is None or f"{folder}/{name}".lstrip("/") in self.present

    def _mark_folder(self, path: str) -> str:
        here = self.root / path
        return f"{path}/" if here.is_dir() and not here.is_symlink() else path

    def _compare(self, found: ChangedPath) -> Change | None:
        """Return the change, or None if the host's file is the same."""
        problem, content = self._find_problem(found), self._contents.get(found.path)
        if not is_safe(found.path):
            return Change(path=found.path, kind="new", problem="its name is not a path below the project")
        here = self.root / found.path
        try:
            status = here.lstat()
        except OSError:
            status = None
        if status is not None and found.kind == "file" and not here.is_symlink() and here.is_file():
            is_same = status.st_size == found.size and bool(found.digest) and hash_file(here) == found.digest
            if is_same and (os.name != "posix" or bool(status.st_mode & 0o100) == found.executable):
                return None
        elif status is not None and found.kind == "link" and here.is_symlink():
            return None  # where it leads is not compared
        is_other = status is not None and not self._was_present("", found.path)
        return Change(
            path=found.path,
            kind="new" if status is None else "changed",
            executable=found.executable,
            content=content.file if content is not None and not problem and not is_other else None,
            problem=NOT_COPIED_PROBLEM if is_other else problem,
            is_file=found.kind == "file",
            host_changed=status is not None and status.st_ctime >= self.began,
        )

    def _find_problem(self, found: ChangedPath) -> str:
        if found.kind == "link":
            return "it is a symbolic link"
        if found.kind != "file":
            return "it is not a regular file"
        content = self._contents.get(found.path)
        if content is None:
            return "it is too large, or cannot be read"
        return "" if content.received == content.size else "it was not received completely"


def _list_older(folder: Path, began: float) -> Iterator[str]:
    """Yield the names in a folder of this host whose entries are older, without those that are being removed."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return
    for name in names:
        try:
            is_older = (folder / name).lstat().st_ctime < began
        except OSError:
            continue
        if is_older:
            yield name


def is_safe(path: str) -> bool:
    """Return whether a path is relative, leads nowhere else, and names no folder that no container may write."""
    parts = path.split("/")
    is_relative = not any(part in ("", ".", "..") for part in parts) and not Path(path).is_absolute()
    has_other_marks = os.name == "nt" and any(mark in path for mark in '\\:<>|?*"')
    # Names of version control in any case: some file systems do not distinguish it.
    return is_relative and not has_other_marks and path == clean_line(path) and not _names_skipped(parts)


def _names_skipped(parts: list[str]) -> bool:
    return any(part in SKIPPED or part.lower().rstrip(". ") in SKIPPED for part in parts)


def _is_rubbish(path: str) -> bool:
    at = f"/{path}".find(f"/{_HYPOTHESIS}")
    if at >= 0 and not path.startswith(_EXAMPLES, at):
        return True
    return any(fnmatchcase(path, pattern) for pattern in _RUBBISH)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file; empty if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while data := file.read(1 << 20):
                digest.update(data)
    except OSError:
        return ""
    return digest.hexdigest()
