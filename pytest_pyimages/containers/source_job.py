"""What the first program in a container is told about the source, which it prepares as root."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceJob:
    """The source; ``inside/worker/tree.py`` restores what an overlay or a copy does not show of it."""

    root: str
    owner: tuple[int, int, int]  # user, group and permission bits of the root on this host
    hidden: tuple[str, ...] = ()  # paths below the root that containers must not see


def describe_source(root: Path) -> SourceJob:
    """Return the part of a job that is about the source."""
    status = root.stat()
    return SourceJob(root=str(root), owner=(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)))
