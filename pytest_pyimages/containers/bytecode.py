"""Bytecode of the project's modules, which a container sees below its source as if an earlier run had left it.

What a suite compiles goes with its container. So a volume of the engine holds the ``__pycache__`` folders of one tree
for one environment image, and lies as a second lower layer over the source. Only ``inside/bytecode.py`` writes it: a
suite cannot leave bytecode there that another run would believe. Each call fills a new volume, since a layer must not
change under a container. A record of this host names the volume, the folders that it covers, and how long the
collection took: a run that spends little time there needs no bytecode.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.skipped_folders import NO_SOURCE
from pytest_pyimages.containers.source_copy import read_record, write_record
from pytest_pyimages.engines import Engine, Mount
from pytest_pyimages.engines.labels import CREATED_LABEL, HOST_LABEL, KIND_LABEL, LABEL
from pytest_pyimages.errors import EngineError

BYTECODE_KIND = "bytecode"
BYTECODE_TARGET = "/opt/pyimages/bytecode"
LONG_SECONDS = 1.0  # of a collection that may be worth a container that compiles
SMALL_BYTES = 50_000  # of modules, which pytest rewrites in a third of a second: a slow collection has another reason
GROWTH = 1.5  # of the collection since bytecode was compiled, beyond the same seconds
FEW_MODULES = 5
UNUSED_SECONDS = 30 * 86400
NEW_SECONDS = 1800  # a volume may be of a session that has not written its record yet
FOREIGN_SECONDS = 7 * 86400  # since it was created: other hosts' records are not known here
_TREE = "tree"


class BytecodeLayer(NamedTuple):
    """The bytecode of one tree for one image."""

    volume: str
    folder: str  # of the volume, on the engine's host

    def cover(self, lower: str) -> str:
        """Return the lower layers of an overlay that shows the bytecode in a folder."""
        return f"{self.folder}/{_TREE}:{lower}"

    @property
    def mount(self) -> Mount:
        """The volume, read-only: the engine then keeps it as long as a container exists."""
        return Mount(kind="volume", source=self.volume, target=BYTECODE_TARGET, read_only=True)

    @property
    def writable_mount(self) -> Mount:
        """The new volume, for the program that fills it."""
        return self.mount._replace(read_only=False)


class BytecodeRecord:
    """What this host knows of the bytecode of one tree for one image."""

    def __init__(self, engine: Engine, lease: Lease, root: Path, image: str) -> None:
        """Read the record.

        :param image: id of the environment image, whose pytest and Python the bytecode is for.
        """
        self._engine = engine
        self._lease = lease
        self._root = root
        self._image = image
        name = f"{engine.info.name}\0{engine.info.endpoint}\0{root}\0{image}".encode("utf-8", "surrogateescape")
        self._path = lease.bytecode_records / f"{hashlib.sha256(name).hexdigest()[:24]}.json"
        self._content = read_record(self._path)

    @property
    def layer(self) -> BytecodeLayer | None:
        """The bytecode, if there is some, and it covers no folder that is another one now, or gone."""
        volume, folder, folders = (self._content.get(key) for key in ("volume", "folder", "folders"))
        if not volume or not isinstance(folders, dict) or describe_folders(self._root, folders) != folders:
            return None
        return BytecodeLayer(str(volume), str(folder))

    @property
    def old_layer(self) -> BytecodeLayer | None:
        """The bytecode, whatever has become of the folders."""
        volume = self._content.get("volume")
        return BytecodeLayer(str(volume), str(self._content.get("folder"))) if volume else None

    def is_due(self) -> bool:
        """Return whether it pays to compile before the next run.

        A collection that was slow for a busy machine is no reason to do so: then no module has changed since, or there
        are few of them.
        """
        if not self._content.get("due"):
            return self.old_layer is not None and self.layer is None
        modules = describe_modules(self._root)
        if modules.size >= SMALL_BYTES and modules.digest != self._content.get("modules"):
            return True
        if self.old_layer is None:  # the next slow collection is looked at anew
            self._path.unlink(missing_ok=True)
            self._content = {}
        else:
            self._write(due=False)
        return False

    def add_collection(self, seconds: float) -> None:
        """Note how long a collection has taken; decide whether to compile before the next one."""
        known, last = bool(self._content), self._content.get("seconds")
        if not known and seconds <= LONG_SECONDS:
            return
        if not known:
            self._write(due=True)
        elif not isinstance(last, int | float):
            self._write(seconds=seconds)
        elif seconds > last * GROWTH + LONG_SECONDS:
            self._write(seconds=seconds, due=True)
        elif self.old_layer is not None and time.time() - self._path.stat().st_mtime > UNUSED_SECONDS / 10:
            os.utime(self._path)

    def create_volume(self) -> BytecodeLayer:
        """Create an empty volume."""
        labels = {
            LABEL: "1",
            KIND_LABEL: BYTECODE_KIND,
            HOST_LABEL: self._lease.host,
            CREATED_LABEL: str(int(time.time())),
        }
        name = f"pytest-pyimages-bytecode-{uuid4().hex[:12]}"
        return BytecodeLayer(name, self._engine.create_volume(name, labels=labels, options={}))

    def replace(
        self, layer: BytecodeLayer | None, folders: Iterable[str] = (), *, compiled: int = 0, modules: str = ""
    ) -> None:
        """Use other bytecode from now on; the old one is removed, unless a container uses it.

        :param layer: None for none, until the collection takes much longer.
        :param folders: paths below the root that it covers.
        :param compiled: modules that the old one did not have; if they are few, the last collection was slow for
            another reason, and the next one is compared with it.
        :param modules: the digest of the modules, from before.
        """
        seconds = self._content.get("seconds") if compiled < FEW_MODULES else None
        old = self.old_layer
        described = describe_folders(self._root, folders) if layer is not None else {}
        volume, folder = layer or ("", "")
        self._write(volume=volume, folder=folder, folders=described, seconds=seconds, modules=modules, due=False)
        if old is not None:
            with suppress(EngineError):  # in use: removed with other unused ones
                self._engine.remove_volume(old.volume)

    def _write(self, **changed: Any) -> None:
        self._content = {"root": str(self._root), "image": self._image, **self._content, **changed}
        write_record(self._path, self._content)


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

    The root itself is not compared: its owner is that of the upper layer, and restored in each container.
    """
    found = {}
    for path in folders:
        with suppress(OSError):
            status = os.lstat(f"{root}/{path}" if path else root)
            if stat.S_ISDIR(status.st_mode):
                found[path] = [stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid] if path else []
    return found


def find_unused_bytecode(engine: Engine, lease: Lease, *, all_own: bool = False) -> tuple[str, ...]:
    """Return the volumes with bytecode of trees or images that are gone, or that no session has used for long.

    :param all_own: include all of this host's trees.
    """
    found = tuple(
        entry
        for entry in engine.leftovers(f"{KIND_LABEL}={BYTECODE_KIND}")
        if (entry.kind, entry.labels.get(KIND_LABEL)) == ("volume", BYTECODE_KIND)
    )
    records = lease.bytecode_records.glob("*.json") if found and not all_own else ()
    names, used, now, unused = {entry.name for entry in found}, set(), time.time(), []
    for path in records:
        record = read_record(path)
        if record.get("volume") in names and _is_used(engine, path, record):
            used.add(record["volume"])
    for entry in found:
        is_own, created = entry.labels.get(HOST_LABEL) == lease.host, entry.labels.get(CREATED_LABEL, "0")
        age = now - int(created if created.isdigit() else 0)
        is_old = (all_own or age > NEW_SECONDS) if is_own else age > FOREIGN_SECONDS
        if entry.name not in used and is_old:
            unused.append(entry.name)
    return tuple(unused)


def _is_used(engine: Engine, path: Path, record: dict[str, Any]) -> bool:
    """Return whether the tree and the image of a record exist; remove the record if they do not."""
    with suppress(OSError):  # another session is replacing it
        is_recent = time.time() - path.stat().st_mtime < UNUSED_SECONDS
        if is_recent and Path(record["root"]).is_dir() and engine.find_image(str(record["image"])) is not None:
            return True
        path.unlink()
    return False
