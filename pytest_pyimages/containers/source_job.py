"""What the first program in a container is told about the source, which it prepares as root."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from pytest_pyimages.immutable import Immutable


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
