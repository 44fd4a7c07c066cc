"""What this host can tell of a tree's modules, and of the folders that their bytecode covers, without reading them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.containers.skipped_folders import NO_SOURCE


class Modules(NamedTuple):
    """All modules of a tree."""

    digest: str  # of their paths, sizes and times
    size: int  # bytes


def describe_modules(root: Path) -> Modules:
    """Look at the modules of a tree; this takes some milliseconds for a thousand."""
    digest, size = hashlib.sha256(), 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in NO_SOURCE)
        for name in sorted(names):
            if name.endswith(".py"):
                with suppress(OSError):  # just removed
                    status = os.lstat(f"{folder}/{name}")
                    size += status.st_size
                    described = f"{folder}/{name}\0{status.st_size}\0{status.st_mtime_ns}\0"
                    digest.update(described.encode("utf-8", "surrogateescape"))
    return Modules(digest.hexdigest(), size)


def describe_folders(root: Path, folders: Iterable[str]) -> dict[str, list[int]]:
    """Return mode, user and group of those paths below the root that are folders.

    The root itself is not compared: its owner is that of the upper layer, and restored in each container. A folder
    whose ``__pycache__`` is none is left out, since the layer would hide that.
    """
    found = {}
    for path in folders:
        with suppress(OSError):
            folder = f"{root}/{path}" if path else str(root)
            status = os.lstat(folder)
            if stat.S_ISDIR(status.st_mode) and not _is_file(f"{folder}/__pycache__"):
                found[path] = [stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid] if path else []
    return found


def _is_file(path: str) -> bool:
    """Return whether a path exists and is no folder."""
    try:
        return not stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def has_hidden_changes(root: Path, folders: Iterable[str], since: float) -> bool:
    """Return whether a module of the folders may have changed without another time of its content.

    Only the kernel sets ``st_ctime``; what was copied with its time, or moved here, has changed in this sense.
    """
    with suppress(OSError):  # just removed
        for path in folders:
            with os.scandir(f"{root}/{path}") as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        status = entry.stat(follow_symlinks=False)
                        if status.st_ctime > since >= status.st_mtime:
                            return True
    return False
