"""Print the files that change below a folder, as lines of JSON; a program that the watch starts.

Usage: ``python -m pytest_pyimages.cli.watching.notifier FOLDER``. Each line is a batch of ``[kind, path]``, or
``{"problem": text}`` before an early end. A byte on standard input is answered by ``true``, after all changes that were
made before: a file of the notifier's own is changed, and changes arrive in their order. It ends when its input does.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import watchfiles

from pytest_pyimages.containers import NO_SOURCE, PROBE_PREFIX

if TYPE_CHECKING:
    from watchfiles import Change

Signature = tuple[int, int, int, bytes]  # inode, time of modification, permissions, digest of the content
STEP_MILLISECONDS = 10  # a batch is complete when nothing has changed for so long
LONGEST_MILLISECONDS = 200  # or if changes go on
RETRY_SECONDS = 0.05  # until the watcher is set up
# Of emacs (auto-saved files) and of Kate, beside those that the library knows.
EDITORS_FILES = (r"^#.*#$", r"\.kate-swp$")
OWN_FILES = (rf"^{re.escape(PROBE_PREFIX)}", r"^\.[0-9a-f]{32}\.tmp$")  # the second: of atomic_write
HASHED_BYTES = 1 << 20  # at most: a larger file has changed if anything is reported of it


def main() -> None:
    """Print changes until standard input ends."""
    for number in (signal.SIGINT, signal.SIGHUP):  # they are for the watch, at whose end the input ends
        signal.signal(number, signal.SIG_IGN)
    folder, own = sys.argv[1], Path(tempfile.mkdtemp(prefix="pyimages-watch-")).resolve()
    mark, marked = own / "mark", threading.Event()
    threading.Thread(target=_mark_on_request, args=(mark, marked), daemon=True).start()
    known = watchfiles.DefaultFilter.ignore_entity_patterns
    ignored = (*known, *EDITORS_FILES, *OWN_FILES)
    accepts = watchfiles.DefaultFilter(ignore_dirs=tuple(NO_SOURCE), ignore_entity_patterns=ignored)

    def is_source(change: Change, path: str) -> bool:
        # Folders above the one that is watched may have any name.
        return path.startswith(str(own)) or accepts(change, os.path.relpath(path, folder))

    changes = watchfiles.watch(
        folder,
        own,
        watch_filter=is_source,
        debounce=LONGEST_MILLISECONDS,
        step=STEP_MILLISECONDS,
        raise_interrupt=False,
        ignore_permission_denied=True,
    )
    files, is_first = KnownFiles(), True
    try:
        for batch in changes:
            paths = sorted(path for _, path in batch if not path.startswith(str(own)))
            if is_first:
                files.find(folder)  # once changes are noticed
                is_first = False
            found = [change for path in paths for change in files.compare(path)]
            if found:
                _write(found)
            if len(paths) < len(batch) and not marked.is_set():
                marked.set()
                _write(value=True)
    except Exception as error:  # noqa: BLE001 - the library's own errors have no common class
        _write({"problem": str(error)})
        shutil.rmtree(own, ignore_errors=True)


class KnownFiles:
    """The files that the watch has reported.

    One that existed only between two reports is no change. Nor is one that is reported twice of one save, such as by
    Vim, which sets permissions after it has waited for the disk: content, permissions and time are then the same.
    """

    def __init__(self) -> None:
        self.paths: dict[str, Signature | None] = {}  # as last reported; None if unknown

    def find(self, folder: str) -> list[str]:
        """Add the files in a folder; return the new ones."""
        found = []
        for place, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if name not in NO_SOURCE]
            found += [path for name in names if (path := os.path.join(place, name)) not in self.paths]  # noqa: PTH118
        self.paths.update(dict.fromkeys(found))
        return found

    def compare(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield the kinds and paths of changed files: of a path that has changed, or of all in a folder."""
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - called for each file
            yield from (("added", file) for file in self.find(path))  # a folder that was moved here
        elif os.path.lexists(path):
            signature = _sign(path)
            if path not in self.paths:
                yield "added", path
            elif signature is None or signature != self.paths[path]:
                yield "modified", path
            self.paths[path] = signature
        else:
            gone = {path} & self.paths.keys() or {file for file in self.paths if file.startswith(path + os.sep)}
            for file in sorted(gone):
                del self.paths[file]
                yield "deleted", file


def _sign(path: str) -> Signature | None:
    """Return what tells whether a file has changed; None if it is large, no regular file, or not readable.

    Times alone would not do: they are as coarse as the clock of the file system.
    """
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > HASHED_BYTES:
            return None
        content = Path(path).read_bytes()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_mode, hashlib.sha256(content).digest()


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _mark_on_request(mark: Path, marked: threading.Event) -> None:
    while os.read(0, 1):
        marked.clear()
        while not marked.is_set():
            mark.touch()
            marked.wait(RETRY_SECONDS)
    shutil.rmtree(mark.parent, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
