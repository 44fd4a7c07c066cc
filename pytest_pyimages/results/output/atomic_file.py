"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

# What tempfile makes is for its owner alone; a report is for whoever may enter the folder.
_MODE = 0o644


def write_atomically(path: Path, content: Iterable[bytes]) -> None:
    """Write a file beside its place and move it there; make its folders.

    :raises OSError: nothing is left of it then, and what was there before stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(content)
        Path(temporary).chmod(_MODE)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
