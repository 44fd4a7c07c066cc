"""Announce to watches which files a session writes, so that they do not start another session for its reports.

A watch has a folder below that for file locks. A session that finds one records there each file before it opens it for
writing (PEP 578), so the record precedes what the watch notices. The operating system releases the file locks of a
watch's folder, and of a session's record, when their processes end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import pytest

from pytest_pyimages.containers import make_state_directory

WATCHES = "watches"  # folder
LOCK = "lock"
# After the end of a session: within it, even a busy machine notices what the session has written.
NOTICE_SECONDS = 10.0
_WRITES = os.O_WRONLY | os.O_RDWR
_SQLITE_ENDS = ("", "-journal", "-wal", "-shm")  # of a database's files (sqlite.org/tempfiles.html)
_own = threading.local()  # is_silent: whether this thread's files are announced


class Announcements:
    """What sessions announce to a watch; a context manager. POSIX only."""

    def __init__(self) -> None:
        self._folder = make_state_directory() / WATCHES / uuid4().hex

    def __enter__(self) -> Announcements:
        self._folder.mkdir(mode=0o700, parents=True)
        self._lock = _lock_new(self._folder / LOCK)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    def find(self) -> AnnouncedPaths:
        """Return what running sessions, and those that have just ended, have announced."""
        found: set[str] = set()
        for name in _list_names(self._folder):
            record = self._folder / name
            if name == LOCK:
                continue
            if _is_in_use(record):
                found.update(map(json.loads, record.read_text(encoding="ascii").splitlines()))
            else:
                record.unlink()
        return AnnouncedPaths(found)


class AnnouncedPaths:
    """Files, and folders that were renamed or removed, whose paths end with a separator."""

    def __init__(self, paths: set[str]) -> None:
        self._paths = paths

    def __contains__(self, path: object) -> bool:
        if not self._paths:
            return False
        name = _make_absolute(path)
        return name in self._paths or any(f"{folder}{os.sep}" in self._paths for folder in (name, *Path(name).parents))


def _lock_new(path: Path) -> int:
    """Create a file and lock it until this process and its forks end; return its descriptor."""
    import fcntl

    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _is_in_use(path: Path) -> bool:
    """Return whether a file is locked, was written a moment ago, or is about to be locked."""
    import fcntl

    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return time.time() - os.fstat(file.fileno()).st_mtime < NOTICE_SECONDS


def _list_names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - called before each file is written
    except OSError:
        return []


def has_watches() -> bool:
    """Return whether this user watches any project; remove the folders of watches that were killed."""
    folder = make_state_directory() / WATCHES
    for name in _list_names(folder):
        with contextlib.suppress(OSError):  # it has just begun, or ended
            if not _is_in_use(folder / name / LOCK):
                shutil.rmtree(folder / name, ignore_errors=True)
    return bool(_list_names(folder))


@contextlib.contextmanager
def unannounced() -> Iterator[None]:
    """Announce nothing that this thread writes: it changes the project's source."""
    before, _own.is_silent = getattr(_own, "is_silent", False), True
    try:
        yield
    finally:
        _own.is_silent = before


def announce_writes(config: pytest.Config) -> None:
    """Announce what this process writes until pytest ends, if there is any watch."""
    if has_watches():
        config.add_cleanup(Announcer().close)


class Announcer:
    """Records what this process writes, in the folders of all watches."""

    def __init__(self) -> None:
        self._folder = make_state_directory() / WATCHES
        self._state = os.path.realpath(self._folder.parent) + os.sep
        self._records: dict[str, int] = {}  # descriptors, by the watch's name
        self._announced: dict[str, set[str]] = {}  # likewise
        self._is_active = True
        sys.addaudithook(self._hear)  # nothing removes it

    def close(self) -> None:
        """Announce nothing any more."""
        self._is_active = False
        for descriptor in self._records.values():
            with contextlib.suppress(OSError):
                os.utime(descriptor)
            os.close(descriptor)
        self._records.clear()

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_active or event not in _EVENTS or getattr(_own, "is_silent", False):
            return
        with unannounced(), contextlib.suppress(OSError, ValueError):  # it must not fail what it hears of
            for path in _EVENTS[event](*arguments):
                if not path.startswith(self._state):
                    self._announce(path)

    def _announce(self, path: str) -> None:
        for watch in _list_names(self._folder):
            announced = self._announced.setdefault(watch, set())
            if path in announced:
                continue
            if watch not in self._records:
                self._records[watch] = _lock_new(self._folder / watch / uuid4().hex)
            os.write(self._records[watch], json.dumps(path).encode("ascii") + b"\n")
            announced.add(path)


def _make_absolute(path: object) -> str:
    """Return an absolute path, in a folder without symbolic links; an empty one for the number of an open file."""
    if not isinstance(path, str | bytes | os.PathLike):
        return ""
    folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100
    return os.path.join(os.path.realpath(folder), name)  # noqa: PTH118


def _list_opened(path: object, _mode: object, flags: int | None) -> Iterator[str]:
    if (flags or 0) & _WRITES and (name := _make_absolute(path)):
        yield name


def _list_renamed(source: object, target: object, *folders: int) -> Iterator[str]:
    if folders == (-1, -1):
        yield from (name + end for path in (source, target) if (name := _make_absolute(path)) for end in ("", os.sep))


def _list_removed(path: object, *folders: int | None) -> Iterator[str]:
    if folders == (-1,) and (name := _make_absolute(path)):
        yield name


def _list_removed_tree(path: object, folder: int | None = None) -> Iterator[str]:
    if folder is None and (name := _make_absolute(path)):
        yield name + os.sep


def _list_database(path: object) -> Iterator[str]:
    if name := _make_absolute(path):
        yield from (name + end for end in _SQLITE_ENDS)


# The arguments are those of Python's audit events table.
_EVENTS: Mapping[str, Callable[..., Iterator[str]]] = {
    "open": _list_opened,
    "os.rename": _list_renamed,
    "os.remove": _list_removed,
    "shutil.rmtree": _list_removed_tree,
    "sqlite3.connect": _list_database,
}
