"""The files of a project that change while it is watched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Container, Iterable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from pytest_pyimages.errors import ConfigurationError, PyimagesError

NOTIFIER = "pytest_pyimages.cli.watching.notifier"
CHUNK = 1 << 16  # bytes
END_SECONDS = 5.0


class FileChange(NamedTuple):
    """A changed file, which may exist no longer."""

    path: Path  # absolute
    kind: str  # "added", "modified" or "deleted"


def require_watchfiles() -> None:
    """Check that the library is installed that notices changes.

    :raises ConfigurationError: if it is not.
    """
    if find_spec("watchfiles") is None:
        raise ConfigurationError("watching needs watchfiles", 'pip install "pytest-pyimages[watch]"')


class ChangedFiles:
    """Notices changed files below a folder; a context manager. What git ignores is not noticed.

    :param folder: absolute.
    :param find_announced: returns the paths of files that sessions write, which are not noticed either.
    """

    def __init__(self, folder: Path, find_announced: Callable[[], Container[Path]] = frozenset) -> None:
        self._folder = folder
        self._find_announced = find_announced
        self._partial = b""
        self._is_marked = False  # whether all changes before a mark were read
        self.have_new_names = False  # whether any file was added or removed, git's ignored ones included

    def __enter__(self) -> ChangedFiles:
        command = [sys.executable, "-m", NOTIFIER, str(self._folder)]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._requests, self._answers = self._process.stdin, self._process.stdout
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._process.communicate(timeout=END_SECONDS)  # closes its input, whereupon it ends
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def fileno(self) -> int:
        """Return the descriptor that is readable when ``read`` has something; for select."""
        return _get_descriptor(self._answers)

    def close_copies(self) -> None:
        """Close the pipes in a fork of the watch: only the watch itself keeps the program alive."""
        for pipe in (self._requests, self._answers):
            os.close(_get_descriptor(pipe))

    def read(self) -> list[FileChange]:
        """Return what has changed; may be nothing.

        :raises PyimagesError: if changes are not noticed any more.
        """
        data = os.read(self.fileno(), CHUNK)
        if not data:
            raise PyimagesError(f"changes below {self._folder} are not noticed any more", "start it again")
        *lines, self._partial = (self._partial + data).split(b"\n")
        found: dict[Path, FileChange] = {}
        for batch in map(json.loads, lines):
            if isinstance(batch, dict):
                hint = "WATCHFILES_FORCE_POLLING=true works everywhere, but slower"
                raise PyimagesError(f"changes below {self._folder} cannot be noticed: {batch['problem']}", hint)
            if batch is True:
                self._is_marked = True
            else:
                add_changes(found, (FileChange(Path(path), kind) for kind, path in batch))
                self.have_new_names |= any(kind != "modified" for kind, _ in batch)
        announced = self._find_announced()
        ignored = find_ignored(self._folder, found)
        return [change for path, change in found.items() if not (path in ignored or path in announced)]

    def read_until_now(self) -> list[FileChange]:
        """Return everything that has changed before this call.

        :raises PyimagesError: if changes are not noticed any more.
        """
        self._is_marked, found = False, []
        os.write(_get_descriptor(self._requests), b"\n")
        while not self._is_marked:
            found += self.read()
        return found


def _get_descriptor(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise AssertionError("it is a pipe")
    return pipe.fileno()


def add_changes(found: dict[Path, FileChange], later: Iterable[FileChange]) -> None:
    """Add later changes.

    A file that came and went has not changed, one that came and was modified is new, and one that went and came is
    modified.
    """
    for path, kind in later:
        before = found[path].kind if path in found else ""
        if before == "added" and kind == "deleted":
            del found[path]
        elif before != "added":
            found[path] = FileChange(path, "modified" if before == "deleted" and kind == "added" else kind)


def find_ignored(folder: Path, paths: Iterable[Path]) -> set[Path]:
    """Return the paths that git ignores (git-check-ignore(1)); none without git."""
    names = b"".join(os.fsencode(path) + b"\0" for path in paths)
    if not names:
        return set()
    command = ["git", "-C", str(folder), "check-ignore", "--stdin", "-z"]
    try:
        done = subprocess.run(command, input=names, capture_output=True, check=False)  # noqa: S603 - no shell
    except OSError:  # git is not installed
        return set()
    return {Path(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name}
