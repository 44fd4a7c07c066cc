"""A copy of the source on a volume of an engine that does not see this host's files.

It is kept for later sessions, which send only what has changed; nothing is removed from it but by them. Containers get
a writable layer over it, so that it never changes under the suite and is in no image. A record of this host names the
volume and what has been sent to it; it is removed while the copy changes, so that half a copy is never used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from filelock import FileLock

from pytest_pyimages.atomic_write import write_atomically
from pytest_pyimages.containers.copied_files import CopiedFiles
from pytest_pyimages.containers.leases import Lease, acquire_lock
from pytest_pyimages.containers.links import LinkedPath
from pytest_pyimages.containers.skipped_folders import is_virtual_environment
from pytest_pyimages.containers.source_programs import create_helper, run_helper
from pytest_pyimages.engines import Engine, Mount
from pytest_pyimages.engines.labels import CREATED_LABEL, HOST_LABEL, KIND_LABEL, LABEL
from pytest_pyimages.errors import EngineError, PyimagesError
from pytest_pyimages.text import clean_line

if TYPE_CHECKING:
    from pytest_pyimages.containers.source_tar import ArchivedFile

COPY_KIND = "source-copy"
COPY_TARGET = "/opt/pyimages/source"
COPY_LIMIT = 2 << 30
LOCK_SECONDS = 1800
UNUSED_SECONDS = 30 * 86400
FOREIGN_SECONDS = 7 * 86400  # since it was created: other hosts' records are not known here
_TICK = 20_000_000  # nanoseconds: a file may change again without another time
_TREE = "tree"


class SourceCopy:
    """The copy of one tree on one engine.

    :param below: where in the copied tree the root is.
    """

    def __init__(self, engine: Engine, lease: Lease, root: Path, *, below: str = "") -> None:
        self._engine = engine
        self._lease = lease
        self._root = root
        self._prefix = f"{_TREE}/{below}".rstrip("/")
        self._record = find_record(engine, lease, root)
        self.name = ""  # of the volume
        self.folder = ""  # on the engine's host
        self.sent = (0, 0)  # regular files and bytes, of this session

    @property
    def tree(self) -> str:
        """The copied tree on the engine's host."""
        return f"{self.folder}/{_TREE}"

    @property
    def mount(self) -> Mount:
        """The whole copy, read-only: the engine then keeps the volume as long as a container exists."""
        return Mount(kind="volume", source=self.name, target=COPY_TARGET, read_only=True)

    def find(self, number: int) -> str:
        """Return where the engine's host has what a link leads to."""
        return f"{self.folder}/linked/{number}"

    def send(
        self, image: str, found: CopiedFiles, linked: Iterable[LinkedPath], check: Callable[[], None] = lambda: None
    ) -> None:
        """Send what has changed since the last time.

        :param image: id of any image with a Python.
        :param found: the files, folders and links of the tree.
        :param linked: what links lead to outside of the tree.
        :param check: called from time to time; an error that it raises ends the copying.
        :raises PyimagesError: if it is too large or cannot be read, or another session does not finish copying the same
            tree.
        """
        if found.unreadable:
            raise self._make_error(found.unreadable[0])
        files = _list_files(self._root, self._prefix, found, linked)
        size = sum(file.status.st_size for file in files if stat.S_ISREG(file.status.st_mode))
        if size > COPY_LIMIT:
            raise PyimagesError(
                f"the source below {self._root} has {size >> 20} MiB, and at most {COPY_LIMIT >> 20} MiB are copied",
                "leave files out with --py-images-copy='!GLOB'",
            )
        lock = FileLock(self._record.with_suffix(".lock"), thread_local=False)
        if not acquire_lock(lock, LOCK_SECONDS, check):
            raise PyimagesError(
                f"another session has been copying the same source for {LOCK_SECONDS // 60} minutes",
                "stop it, or try again",
            )
        try:
            self._send(image, files, check)
        finally:
            lock.release()

    def _send(self, image: str, files: list[ArchivedFile], check: Callable[[], None]) -> None:
        old = self._open()
        # Files that are as old as this look at them may change again within the same tick of the clock.
        latest = time.time_ns() - _TICK
        new = {file.name: _describe(file.status) for file in files}
        changed = [file for file in files if old.get(file.name) != new[file.name]]
        removed = [name for name, before in old.items() if name not in new or before[0] != new[name][0]]
        for file in changed:
            if stat.S_ISREG(file.status.st_mode) and not _is_readable(file.path) and os.path.lexists(file.path):
                raise self._make_error(os.path.relpath(file.path, self._root))
        if changed or removed:
            self._record.unlink(missing_ok=True)
            mounts = (Mount(kind="volume", source=self.name, target=COPY_TARGET),)
            if removed:
                job = {"do": "remove", "root": COPY_TARGET, "paths": removed}
                run_helper(self._engine, self._lease, image, mounts, job)
            if changed:
                from pytest_pyimages.containers.source_tar import stream_tar

                with create_helper(self._engine, self._lease, image, mounts) as container:
                    self._engine.upload(container, COPY_TARGET, stream_tar(changed, check))
            regular = [file.status.st_size for file in changed if stat.S_ISREG(file.status.st_mode)]
            self.sent = len(regular), sum(regular)
        entries = {
            file.name: new[file.name] if file.status.st_ctime_ns < latest else [stat.S_IFMT(file.status.st_mode)]
            for file in files
        }
        if changed or removed or entries != old:
            write_record(self._record, {"root": str(self._root), "volume": self.name, "entries": entries})
        else:
            os.utime(self._record)

    def _make_error(self, path: str) -> PyimagesError:
        """Return the error for a file or folder that this user cannot read.

        :param path: relative to the root.
        """
        choice = shlex.quote(f"--py-images-copy=!{clean_line(path)}")
        message = f"{clean_line(str(self._root / path))} cannot be read (permission denied)"
        return PyimagesError(message, f"make it readable, or leave it out with {choice}")

    def _open(self) -> dict[str, Any]:
        """Find or create the volume; return the entries that it has."""
        record = read_record(self._record)
        labels = {
            LABEL: "1",
            KIND_LABEL: COPY_KIND,
            HOST_LABEL: self._lease.host,
            CREATED_LABEL: str(int(time.time())),
        }
        known = {entry.name for entry in self._engine.leftovers(f"{KIND_LABEL}={COPY_KIND}")}
        self.name, entries = str(record.get("volume", "")), record.get("entries", {})
        if self.name not in known:
            remove_copies(self._engine, find_unused_copies(self._engine, self._lease))
            self.name, entries = f"pytest-pyimages-source-{uuid4().hex[:12]}", {}
        self.folder = self._engine.create_volume(self.name, labels=labels, options={})
        return dict(entries)


def find_record(engine: Engine, lease: Lease, root: Path) -> Path:
    """Return the path of this host's record of one tree on one engine."""
    name = hashlib.sha256(f"{engine.info.name}\0{engine.info.endpoint}\0{root}".encode("utf-8", "surrogateescape"))
    return lease.source_records / f"{name.hexdigest()[:24]}.json"


def read_record(path: Path) -> dict[str, Any]:
    """Return the content of a record; empty if there is none that can be read."""
    try:
        found = json.loads(path.read_text("ascii"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_record(path: Path, content: Mapping[str, Any]) -> None:
    """Write a record; if that fails, everything is sent again."""
    with suppress(OSError):
        write_atomically(path, [json.dumps(content, separators=(",", ":")).encode("ascii")])


def remove_stale_records(records: Path) -> None:
    """Remove the records of trees that no longer exist; their volumes are then unused."""
    for memory in records.glob("*.mode"):
        if not Path(read_record(memory).get("root", "/")).is_dir():
            for path in memory.parent.glob(f"{memory.stem}.*"):
                path.unlink(missing_ok=True)


def find_unused_copies(engine: Engine, lease: Lease, *, all_own: bool = False) -> tuple[str, ...]:
    """Return the volumes with copies of trees that are gone, or that no session has used for long.

    :param all_own: include all copies of this host's trees.
    """
    records = () if all_own else lease.source_records.glob("*.json")
    known, now, unused = {_read_volume(path) for path in records}, time.time(), []
    for entry in engine.leftovers(f"{KIND_LABEL}={COPY_KIND}"):
        is_own, created = entry.labels.get(HOST_LABEL) == lease.host, entry.labels.get(CREATED_LABEL, "0")
        age = now - int(created if created.isdigit() else 0)
        # Our own new one may be of a session that has not written its record yet.
        is_old = (all_own or age > LOCK_SECONDS) if is_own else age > FOREIGN_SECONDS
        is_copy = (entry.kind, entry.labels.get(KIND_LABEL)) == ("volume", COPY_KIND)
        if is_copy and entry.name not in known and is_old:
            unused.append(entry.name)
    return tuple(unused)


def _read_volume(path: Path) -> str:
    """Return the volume of a tree that is still used; empty if there is none."""
    record = read_record(path)
    with suppress(OSError):  # another session is replacing it
        if Path(record.get("root", "/")).is_dir() and time.time() - path.stat().st_mtime < UNUSED_SECONDS:
            return str(record.get("volume", ""))
    return ""


def remove_copies(engine: Engine, names: Iterable[str]) -> tuple[str, ...]:
    """Remove volumes with copies, but none that a container uses; return the removed ones."""
    removed = []
    for name in names:
        with suppress(EngineError):  # in use
            engine.remove_volume(name)
            removed.append(name)
    return tuple(removed)


def _list_files(root: Path, prefix: str, found: CopiedFiles, linked: Iterable[LinkedPath]) -> list[ArchivedFile]:
    from pytest_pyimages.containers.source_tar import ArchivedFile

    files = [ArchivedFile(prefix, str(root), root.lstat())]
    files += (ArchivedFile(f"{prefix}/{path}", f"{root}/{path}", status) for path, status in found.entries.items())
    for number, source in enumerate(link.source for link in linked):
        for path in (source, *(_walk(source) if source.is_dir() else ())):
            with suppress(FileNotFoundError):
                name = f"linked/{number}{str(path)[len(str(source)) :]}"
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    files.append(ArchivedFile(name, str(path), status))
    return files


def _is_readable(path: str) -> bool:
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def _walk(folder: Path) -> Iterable[Path]:
    for above, folders, names in os.walk(folder):
        here = Path(above)
        folders[:] = [name for name in folders if not is_virtual_environment(here / name)]
        yield from (here / name for name in (*folders, *names))


def _describe(status: os.stat_result) -> list[int]:
    """Return the type, and what changes whenever a file does."""
    owned = [stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid]
    if stat.S_ISDIR(status.st_mode):
        return owned
    return [*owned, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
