"""Write a file so that readers, and later sessions, see either the old content or the new one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4


def write_atomically(path: Path, content: Iterable[bytes], *, executable: bool | None = None) -> None:
    """Write a temporary file and move it to the path; create missing folders.

    It has the permissions of the file that it replaces, or else those of any new file.

    :param path: a symbolic link is replaced, not followed.
    :param executable: whether those who may read the file may also execute it; None does not change that.
    :raises OSError: after removing the temporary file; an existing file at the path is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid4().hex}.tmp")  # no longer than most names: some are as long as they may be
    try:
        with temporary.open("xb") as file:
            file.writelines(content)
        own = temporary.stat().st_mode & 0o777
        mode = path.stat().st_mode & 0o777 if path.exists() else own
        if executable is not None:
            mode = mode | (mode & 0o444) >> 2 if executable else mode & ~0o111
        if mode != own:
            temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
