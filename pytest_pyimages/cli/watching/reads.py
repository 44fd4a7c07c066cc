"""What a process reads of the host, so that it can tell later whether it would read the same again."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_pyimages.containers import NO_SOURCE
from pytest_pyimages.startup import INI_FILES

Signature = tuple[int, ...] | frozenset[str] | None  # of a file, or the names in a folder; None if it does not exist
# A file may be changed twice within a tick of the clock that its times are taken from, and keep its size.
TICK_NANOSECONDS = 100_000_000
_KERNEL = ("/dev/", "/proc/", "/sys/")
_WRITES = os.O_WRONLY | os.O_RDWR


class Reads:
    """Records which files this process opens and which folders it lists (PEP 578).

    Python does not report that a file was looked for and not found. Names that are new in the folder that is watched
    are reported by the watch; beside these, those are looked for that configure pytest, or are not reported.

    :param root: the folder that is watched.
    :param folders: those that the session starts in.
    """

    def __init__(self, root: Path, folders: Iterable[Path]) -> None:
        self._root = str(root)
        self._signatures: dict[str, Signature] = {}
        self._is_recording = False
        self._is_unsure = False
        self._programs: list[Sequence[str]] = []
        self._own = threading.local()
        for path in (*_list_configuration(folders), *(entry for entry in sys.path if not self._is_reported(entry))):
            self._add(path)
        self._beside = {str(folder): _list_unreported(folder) for folder in {root, *folders}}
        sys.addaudithook(self._hear)  # nothing removes it: the process runs one session

    def start(self) -> None:
        """Record from here on."""
        self._is_recording = True

    def stop(self) -> None:
        """Record no longer."""
        self._is_recording = False
        if any("ls-files" in words for words in self._programs):
            self._add(_find_index(self._root))

    @property
    def are_complete(self) -> bool:
        """Whether everything that was read is known: what other programs read is not, unless it is git's index."""
        return all(_lists_files(words) for words in self._programs)

    def are_same(self) -> bool:
        """Return whether all files and folders are as they were."""
        if self._is_unsure or any(_list_unreported(Path(path)) != names for path, names in self._beside.items()):
            return False
        return all(_sign(path, signature) == signature for path, signature in self._signatures.items())

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_recording or getattr(self._own, "is_busy", False):
            return
        if event == "open":
            path, _, flags = arguments
            if not (flags or 0) & _WRITES:
                self._add(path)
        elif event in ("os.listdir", "os.scandir"):
            self._add_folder(arguments[0])
        elif event == "subprocess.Popen":
            self._programs.append([os.fsdecode(word) for word in arguments[1]])

    def _add(self, path: object) -> None:
        name = _make_absolute(path)
        if name and name not in self._signatures:
            signature = _sign(name)
            self._signatures[name] = signature
            latest = max(signature[-2:]) if isinstance(signature, tuple) else 0
            self._is_unsure |= latest > time.time_ns() - TICK_NANOSECONDS

    def _add_folder(self, path: object) -> None:
        name = _make_absolute("." if path is None else path)
        if not name or name in self._signatures or self._is_reported(name):
            return
        self._own.is_busy = True
        try:
            self._signatures[name] = _list_names(name)
        finally:
            self._own.is_busy = False

    def _is_reported(self, name: str) -> bool:
        """Return whether the watch reports new names in a folder."""
        below = Path(os.path.relpath(name, self._root)).parts
        return os.pardir not in below[:1] and NO_SOURCE.isdisjoint(below)


def _make_absolute(path: object) -> str:
    """Return an absolute path; an empty one for the number of an open file."""
    return os.path.abspath(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else ""  # noqa: PTH100


def _sign(path: str, like: Signature = None) -> Signature:
    """Return the signature of a file; the same for all that are not regular, or not on a disk.

    :param like: an earlier one: of the names in a folder, if it is one of these.
    """
    if isinstance(like, frozenset):
        return _list_names(path)
    try:
        status = os.stat(path)  # noqa: PTH116 - called for each file
    except OSError:
        return None
    if path.startswith(_KERNEL) or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return (0,)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _list_names(path: str) -> frozenset[str] | None:
    try:
        return frozenset(os.listdir(path))  # noqa: PTH208 - called for each folder
    except OSError:
        return None


def _list_unreported(folder: Path) -> frozenset[str]:
    return NO_SOURCE & (_list_names(str(folder)) or frozenset())


def _list_configuration(folders: Iterable[Path]) -> Iterator[str]:
    """Yield the files that configure pytest in, and above, these folders, if they exist."""
    for place in {above for folder in folders for above in (folder, *folder.parents)}:
        yield from (os.path.join(place, name) for name in INI_FILES)  # noqa: PTH118 - many


def _lists_files(words: Sequence[str]) -> bool:
    return bool(words) and os.path.basename(words[0]) == "git" and "ls-files" in words  # noqa: PTH119 - a word


def _find_index(folder: str) -> str:
    """Return the path of git's index; an empty one without git."""
    command = ["git", "-C", folder, "rev-parse", "--path-format=absolute", "--git-path", "index"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell
    except OSError:
        return ""
    return os.fsdecode(done.stdout).strip()
