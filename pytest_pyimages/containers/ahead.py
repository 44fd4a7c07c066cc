"""Containers that are started ahead of a session: what one must be like, and how a session takes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from pytest_pyimages.containers.bytecode import BytecodeLayer
from pytest_pyimages.containers.links import LinkedPath
from pytest_pyimages.containers.mounted_source import MountedSource
from pytest_pyimages.containers.skipped_folders import NOT_COPIED
from pytest_pyimages.engines import ContainerSpec, ContainerStream, Engine

Identity = frozenset[tuple[str, int, int]]  # paths, with the device, if it is known, and the number of the inode


class Wanted(NamedTuple):
    """A container that a session has run, and that the next one will need; plain values, for another process."""

    spec: ContainerSpec  # without name and labels
    root: Path  # of the source
    linked: tuple[LinkedPath, ...]
    large: tuple[str, ...]  # hidden folders of the source
    upper: str  # see ContainerProcess

    def identify(self) -> Identity:
        """Return the folders and links of the source, and what else of the host is mounted, as they are now.

        A mount keeps the inodes that were looked up in it, so no other file gets their numbers.
        """
        mounts = (mount.source for mount in self.spec.options.mount if mount.kind == "bind")
        hidden = (f"{self.root}/{path}" for path in self.large)
        paths = (str(self.root), *(str(path.source) for path in self.linked), *mounts, *hidden)
        return frozenset((*map(_identify, paths), *_walk(str(self.root))))


def _identify(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return path, 0, 0
    return path, status.st_dev, status.st_ino


def _walk(root: str) -> Iterator[tuple[str, int, int]]:
    folders = [root]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if entry.name not in NOT_COPIED and (is_folder or entry.is_symlink()):
                        yield entry.path, 0, entry.inode()
                        folders += [entry.path] if is_folder else []
        except OSError:  # the folder was removed, or is not readable
            continue


class Waiting(NamedTuple):
    """A started container, for the session that takes it."""

    container: str  # id
    mounted: MountedSource
    stream: ContainerStream
    remove: Callable[[], None] = lambda: None  # unless those who have started it do that


class ContainersAhead(Protocol):
    """The containers that a session may take."""

    problems: Sequence[str] | None  # of a sweep that has ended (``Lease.sweep``); None if the session itself sweeps

    def take(self, engine: Engine, wanted: Wanted, bytecode: BytecodeLayer | None = None) -> Waiting | None:
        """Return a container that is the same as the session would start; None without one.

        :param bytecode: that it must have mounted.
        """
