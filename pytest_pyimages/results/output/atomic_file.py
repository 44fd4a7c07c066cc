"""Write files atomically."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

# tempfile lets only the owner read; a report is for everybody who can enter the folder.
_MODE = 0o644


def write_atomically(path: Path, content: Iterable[bytes]) -> None:
    """Write a temporary file and move it to the path; create missing folders.

    :raises OSError: after removing the temporary file; an existing file at the path is unchanged.
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
