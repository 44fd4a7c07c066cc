"""How one container gets the source, and what its first program does to show it as it is on this host."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from pytest_pyimages.containers.witnesses import Witness
from pytest_pyimages.engines import Mount
from pytest_pyimages.immutable import Immutable

Mode = Literal["overlay", "copy"]


class Decision(NamedTuple):
    """How containers get the source."""

    mode: Mode
    reason: str = ""  # why it is copied; empty if the user wants it
    has_layer: bool = True  # over the copy; without it, each container gets a copy of the copy


class MountedSource(NamedTuple):
    """The source of one container."""

    decision: Decision
    mounts: tuple[Mount, ...]
    witness: tuple[Witness, ...]
    below: str = ""  # where in the upper layer the changes of the root are
    present: frozenset[str] | None = None  # paths below the root that a copy has; None for an overlay, which has all


class SourceJob(Immutable):
    """The source; ``inside/worker/tree.py`` restores what an overlay or a copy does not show of it."""

    root: str
    owner: tuple[int, int, int]  # user, group and permission bits of the root on this host
    others: tuple[tuple[str, tuple[int, int, int]], ...] = ()  # paths and owners of further overlays
    hidden: tuple[str, ...] = ()  # paths below the root that containers must not see


def describe_source(root: Path, hidden: tuple[str, ...], others: Iterable[Path]) -> SourceJob:
    """Return the part of a job that is about the source.

    :param hidden: paths below the root.
    :param others: folders outside of the root that have overlays.
    """
    owners = tuple((str(path), _read_owner(path)) for path in others)
    return SourceJob(root=str(root), owner=_read_owner(root), others=owners, hidden=hidden)


def _read_owner(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)
