"""Witnesses: a few files of the source, by which a container can tell whether it sees the source as this host does."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.containers.copied_files import CopiedFiles
from pytest_pyimages.containers.skipped_folders import NOT_COPIED

WITNESSES = 8


class Witness(NamedTuple):
    """A file as this host sees it; modification time in whole seconds."""

    path: str
    size: int
    seconds: int


class Witnesses:
    """The witnesses of a folder that containers mount, the same for all of them until one has changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._chosen: tuple[Witness, ...] | None = None
        self._changing: set[str] = set()  # paths of those that have changed since they were chosen

    def choose(self) -> tuple[Witness, ...]:
        """Return the witnesses, as they were at the first call."""
        chosen = self._chosen
        if chosen is None:
            chosen = self._chosen = choose_witnesses(self._root, self._changing)
        return chosen

    def replace_changed(self) -> bool:
        """Return whether witnesses have changed; then others are chosen the next time."""
        changed = {each.path for each in self._chosen or () if _describe(each.path) != each}
        if changed:
            self._changing |= changed
            self._chosen = None
        return bool(changed)


def choose_witnesses(root: Path, changing: Collection[str] = ()) -> tuple[Witness, ...]:
    """Return up to eight regular files of one folder.

    If several projects lie side by side, the root itself may have no files; then the first folder below that has some.

    :param changing: paths of files that are not chosen.
    """
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in NOT_COPIED)
        paths = (f"{folder}/{name}" for name in sorted(names))
        found = [witness for path in paths if path not in changing and (witness := _describe(path)) is not None]
        if found:
            return tuple(found[:WITNESSES])
    return ()


def choose_copied_witnesses(root: Path, copied: CopiedFiles) -> tuple[Witness, ...]:
    """Return up to eight regular files of a copy of the root, as they were copied."""
    regular = (
        Witness(str(root / path), status.st_size, int(status.st_mtime))
        for path, status in copied.entries.items()
        if stat.S_ISREG(status.st_mode) and not path.startswith(".git/")
    )
    return tuple(islice(regular, WITNESSES))


def _describe(path: str) -> Witness | None:
    """Return a regular file as it is now; None if there is none, as after an editor has renamed a temporary file."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return Witness(path, status.st_size, int(status.st_mtime)) if stat.S_ISREG(status.st_mode) else None
