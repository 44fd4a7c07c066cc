"""Bytecode of the project's modules, which a container sees below its source as if an earlier run had left it.

What a suite compiles goes with its container. So a volume of the engine holds the ``__pycache__`` folders of one tree
for one environment image, and lies as a second lower layer over the source. Only ``inside/bytecode.py`` writes it: a
suite cannot leave bytecode there that another run would believe. Each call fills a new volume, since a layer must not
change under a container. A record of this host names the volume, the folders that it covers, and how long the
collection took: a run that spends little time there needs no bytecode. A list beside it names the files that a run
had written: no other module gets bytecode, so that a folder of templates or of data stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from filelock import FileLock, Timeout

from pytest_pyimages.atomic_write import write_atomically
from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.modules import describe_folders, describe_modules, has_hidden_changes
from pytest_pyimages.containers.source_copy import read_record, remove_copies, write_record
from pytest_pyimages.engines import Engine, Mount
from pytest_pyimages.engines.labels import CREATED_LABEL, HOST_LABEL, KIND_LABEL, LABEL
from pytest_pyimages.errors import EngineError

BYTECODE_KIND = "bytecode"
BYTECODE_TARGET = "/opt/pyimages/bytecode"
LONG_SECONDS = 1.0  # of a collection that may be worth a container that compiles
SMALL_BYTES = 50_000  # of modules, which pytest rewrites in a third of a second: a slow collection has another reason
LOCK_SECONDS = 180.0  # that another session may take to compile
GROWTH = 1.5  # of the collection since bytecode was compiled, beyond the same seconds
FEW_MODULES = 5
UNUSED_SECONDS = 30 * 86400
NEW_SECONDS = 1800  # a volume may be of a session that has not written its record yet
FOREIGN_SECONDS = 7 * 86400  # since it was created: other hosts' records are not known here
_TREE = "tree"
_PREFIX = "pytest-pyimages-bytecode-"
_NUMBER = (int, float)
# The keys of a record, and the types of their values; all may be missing.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "root": str,
    "image": str,
    "volume": str,
    "folder": str,
    "folders": dict,
    "seconds": (*_NUMBER, type(None)),
    "modules": str,
    "due": bool,
    "began": (*_NUMBER, type(None)),
}


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
        self._content = _read(self._path)

    @property
    def layer(self) -> BytecodeLayer | None:
        """The bytecode, if there is some, it covers no folder that is another one now, or gone, and none is stale."""
        layer, folders, began = self.old_layer, self._content.get("folders", {}), self._content.get("began")
        if layer is None or describe_folders(self._root, folders) != folders:
            return None
        return None if began is not None and has_hidden_changes(self._root, folders, began) else layer

    @property
    def old_layer(self) -> BytecodeLayer | None:
        """The bytecode, without a check of folders and modules."""
        volume = self._content.get("volume", "")
        return BytecodeLayer(volume, self._content.get("folder", "")) if volume else None

    @property
    def names(self) -> list[str]:
        """The files of bytecode that a slow collection has left: paths below the root."""
        try:
            found = json.loads(self._names_path.read_text("ascii"))
        except (OSError, ValueError):
            return []
        return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []

    @property
    def _names_path(self) -> Path:
        return self._path.with_suffix(".names")

    def is_due(self) -> bool:
        """Return whether it pays to compile before the next run.

        A collection that was slow for a busy machine is no reason to do so: then no module has changed since, or there
        are few of them.
        """
        is_lost = self.old_layer is not None and self.layer is None
        if is_lost or not self._content.get("due"):
            return is_lost
        modules = describe_modules(self._root)
        if modules.size >= SMALL_BYTES and modules.digest != self._content.get("modules"):
            return True
        if self.old_layer is None:  # the next slow collection is looked at anew
            self._forget()
        else:
            self._write(due=False)
        return False

    @contextmanager
    def hold(self, is_stopped: Callable[[], bool]) -> Iterator[None]:
        """Wait until no other thread or session compiles the same; then read the record again.

        :param is_stopped: whether to wait no longer.
        """
        lock = FileLock(self._path.with_suffix(".lock"), thread_local=False)
        deadline = time.monotonic() + LOCK_SECONDS
        while not is_stopped() and time.monotonic() < deadline:
            with suppress(Timeout):
                lock.acquire(timeout=0.2)
                break
        try:
            self._content = _read(self._path)
            yield
        finally:
            lock.release()

    @property
    def limit(self) -> float | None:
        """The seconds of a collection after which ``add_collection`` needs names; None if it needs none."""
        last = self._content.get("seconds")
        if last is None:
            return None if self._content else LONG_SECONDS
        return float(last * GROWTH + LONG_SECONDS)

    def add_collection(self, seconds: float, names: Collection[str] = ()) -> None:
        """Note how long a collection has taken; decide whether to compile before the next one.

        :param names: the files of bytecode that it has left, or found, if it took longer than the limit; empty if
            Python writes none.
        """
        known, limit = bool(self._content), self.limit
        if limit is None:
            self._write(seconds=seconds)
        elif seconds > limit and names:
            self._write_due(names, **({"seconds": seconds} if known else {}))
        elif self.old_layer is not None:
            with suppress(OSError):  # another session has just removed it
                if time.time() - self._path.stat().st_mtime > UNUSED_SECONDS / 10:
                    os.utime(self._path)

    def create_volume(self) -> BytecodeLayer:
        """Create an empty volume."""
        labels = {
            LABEL: "1",
            KIND_LABEL: BYTECODE_KIND,
            HOST_LABEL: self._lease.host,
            CREATED_LABEL: str(int(time.time())),
        }
        name = f"{_PREFIX}{uuid4().hex[:12]}"
        return BytecodeLayer(name, self._engine.create_volume(name, labels=labels, options={}))

    def replace(
        self,
        layer: BytecodeLayer | None,
        folders: Iterable[str] = (),
        *,
        compiled: int = 0,
        modules: str = "",
        began: float | None = None,
    ) -> None:
        """Use other bytecode from now on; the old one is removed, unless a container uses it.

        :param layer: None for none, until the collection takes much longer.
        :param folders: paths below the root that it covers.
        :param compiled: modules that the old one did not have; if they are few, the last collection was slow for
            another reason, and the next one is compared with it.
        :param modules: the digest of the modules, from before.
        :param began: when the modules were not yet read, if the bytecode knows them by their times only.
        """
        seconds = self._content.get("seconds") if compiled < FEW_MODULES else None
        old = self.old_layer
        described = describe_folders(self._root, folders) if layer is not None else {}
        volume, folder = layer or ("", "")
        self._write(
            volume=volume,
            folder=folder,
            folders=described,
            seconds=seconds,
            modules=modules,
            began=began,
            due=False,
        )
        if old is not None:
            with suppress(EngineError):  # in use: removed with other unused ones
                self._engine.remove_volume(old.volume)

    def give_up(self, layer: BytecodeLayer) -> None:
        """Use a layer no more that could not be mounted; compile anew if that was because the volume is gone."""
        self._content = _read(self._path)
        if self._content.get("volume") != layer.volume:  # another session has replaced it meanwhile
            return
        with suppress(EngineError):
            if layer.volume in _list_volumes(self._engine):
                self.replace(None)
                return
            self._write(volume="", folder="", folders={}, seconds=None, modules="", began=None, due=True)
            self._engine.remove_volume(layer.volume)  # the engine has created one of this name

    def _write_due(self, names: Collection[str], **changed: Any) -> None:
        with suppress(OSError):  # as in write_record
            write_atomically(self._names_path, [json.dumps(sorted(names)).encode("ascii")])
            self._write(due=True, **changed)

    def _write(self, **changed: Any) -> None:
        self._content = {"root": str(self._root), "image": self._image, **self._content, **changed}
        write_record(self._path, self._content)

    def _forget(self) -> None:
        _remove_record(self._path)
        self._content = {}


def find_unused_bytecode(engine: Engine, lease: Lease, *, all_own: bool = False) -> tuple[str, ...]:
    """Return the volumes with bytecode of trees or images that are gone, or that no session has used for long.

    :param all_own: include all of this host's trees.
    """
    found = _list_volumes(engine)
    now, unused = time.time(), []
    used: dict[str, bool] = {}  # of the volumes that a record names
    for path in lease.bytecode_records.glob("*.json") if found and not all_own else ():
        record = _read(path)
        volume = record.get("volume")
        if volume in found:
            is_current = _is_current(path, record)
            used[volume] = is_current and engine.find_image(record.get("image", "")) is not None
    for name, labels in found.items():
        is_own, created = labels.get(HOST_LABEL) == lease.host, labels.get(CREATED_LABEL, "0")
        age = now - int(created if created.isdigit() else 0)
        is_old = (all_own or age > NEW_SECONDS or name in used) if is_own else age > FOREIGN_SECONDS
        if is_old and not used.get(name):
            unused.append(name)
    return tuple(unused)


def remove_bytecode(engine: Engine, lease: Lease, names: Iterable[str]) -> tuple[str, ...]:
    """Remove volumes, and the records of them; return the names of those that no container uses."""
    removed = remove_copies(engine, names)
    for path in lease.bytecode_records.glob("*.json"):
        record = _read(path)
        if record.get("volume") in removed or not _is_current(path, record):
            _remove_record(path)
    return removed


def _list_volumes(engine: Engine) -> dict[str, Mapping[str, str]]:
    """Return the labels of the volumes with bytecode by name."""
    return {
        entry.name: entry.labels
        for entry in engine.leftovers(f"{KIND_LABEL}={BYTECODE_KIND}")
        if (entry.kind, entry.labels.get(KIND_LABEL)) == ("volume", BYTECODE_KIND)
    }


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a record; empty if there is none, or it is damaged."""
    found = read_record(path)
    volume = found.get("volume") or _PREFIX
    is_sound = all(isinstance(found[name], kind) for name, kind in _TYPES.items() if name in found)
    return found if is_sound and volume.startswith(_PREFIX) else {}  # never remove the volume of something else


def _is_current(path: Path, record: Mapping[str, Any]) -> bool:
    """Return whether the tree of a record exists, and a session has used it of late."""
    try:
        is_recent = time.time() - path.stat().st_mtime < UNUSED_SECONDS
    except OSError:  # another session has just removed it
        return False
    return is_recent and Path(record.get("root", "/nonexistent")).is_dir()


def _remove_record(path: Path) -> None:
    for each in (path, path.with_suffix(".names"), path.with_suffix(".lock")):
        with suppress(OSError):  # gone already, or not a file
            each.unlink()
