"""The project's source in a container: at its own absolute path, and never written back to the host.

The default is an overlay volume of the ``local`` driver: the source is the lower layer, two volumes of the engine are
the upper one, so the suite may write anywhere and the host's tree stays unchanged. Where the engine refuses that, or
does not see this host's files, the source is copied into the container. Visibility is not guessed from the engine's
address: the program in the container compares the witness, sizes and times of some files, with the files it finds.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.links import LinkedPath, LinkedPaths
from pytest_pyimages.containers.skipped_folders import NOT_COPIED
from pytest_pyimages.engines import Engine, Mount
from pytest_pyimages.errors import ConfigurationError, PyimagesError

Mode = Literal["overlay", "copy"]

COPY_LIMIT = 2 * 1024**3
WITNESSES = 8
MOST_MOUNTS = 64  # of linked files and folders in one container
_CHUNK = 1 << 20


class Witness(NamedTuple):
    """A file as this host sees it; modification time in whole seconds."""

    path: str
    size: int
    seconds: int


def choose_witnesses(root: Path) -> tuple[Witness, ...]:
    """Return up to eight regular files of one folder, by which a container can tell whether it sees the root.

    If several projects lie side by side, the root itself may have no files; then the first folder below that has some.
    """
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in NOT_COPIED)
        found = [(f"{folder}/{name}", (Path(folder) / name).lstat()) for name in sorted(names)]
        regular = [(path, status) for path, status in found if stat.S_ISREG(status.st_mode)]
        if regular:
            return tuple(Witness(path, status.st_size, int(status.st_mtime)) for path, status in regular[:WITNESSES])
    return ()


def is_empty(root: Path) -> bool:
    """Return whether a folder has no files, except in folders that are never copied."""
    for _, folders, files in os.walk(root):
        if files:
            return False
        folders[:] = [name for name in folders if name not in NOT_COPIED]
    return True


class Source:
    """The project's tree, and how containers get it.

    :param root: absolute path of the folder, the same on the host and in the container.
    :param mode: the user's choice; None for the overlay, and the copy where that does not work.
    :param linked: what symbolic links of the folder lead to outside of it; containers get that as well.
    """

    def __init__(self, root: Path, mode: Mode | None = None, linked: LinkedPaths | None = None) -> None:
        """Choose the mode as far as that is possible without a container.

        :raises ConfigurationError: if the user requires the overlay, and too many links lead out of the folder.
        """
        self.root = root
        self.linked = tuple(linked.paths) if linked is not None else ()
        self.notes = tuple(linked.notes) if linked is not None else ()
        self.mode: Mode = mode or ("overlay" if _can_be_mounted(str(root)) else "copy")
        self.reason = ""  # why the source is copied
        self._chosen = mode is not None
        self._lock = threading.Lock()
        mounted = [path for path in self.linked if not path.is_inside]
        if len(mounted) > MOST_MOUNTS and self.mode == "overlay":
            reason = f"symbolic links lead to {len(mounted)} other places, and at most {MOST_MOUNTS} are mounted"
            if mode == "overlay":
                raise ConfigurationError(f"--py-images-source=overlay does not work here: {reason}", "use auto or copy")
            self.mode, self.reason = "copy", reason

    def fall_back(self, reason: str) -> None:
        """Copy the source into containers from now on.

        :raises PyimagesError: if the user requires the overlay.
        """
        with self._lock:
            if self._chosen and self.mode == "overlay":
                raise PyimagesError(f"--py-images-source=overlay does not work here: {reason}", "leave the option out")
            self.mode, self.reason = "copy", self.reason or reason

    @contextmanager
    def mount(self, engine: Engine, lease: Lease, upper_target: str = "") -> Iterator[tuple[Mount, ...]]:
        """Create the volumes of an overlay and yield its mount; yield none if the source is to be copied.

        :param upper_target: folder of the container for a mount of the upper layer, read-only; empty for none.
        """
        if self.mode == "copy":
            yield ()
            return
        with ExitStack() as stack:

            def create_volume(options: dict[str, str]) -> tuple[str, str]:
                name = lease.new_name()
                stack.callback(engine.remove_volume, name)
                return name, engine.create_volume(name, labels=lease.labels("source"), options=options)

            # The engine's own folders: they exist, lie on one file system, and are removed with their content.
            upper_name, upper = create_volume({})
            _, work = create_volume({})
            layers = f"lowerdir={self.root},upperdir={upper},workdir={work}"
            name, _ = create_volume({"type": "overlay", "device": "overlay", "o": layers})
            mounts = [Mount(kind="volume", source=name, target=str(self.root))]
            if upper_target:
                mounts.append(Mount(kind="volume", source=upper_name, target=upper_target, read_only=True))
            linked = (
                Mount(kind="bind", source=str(path.source), target=path.target, read_only=True)
                for path in self.linked
                if not path.is_inside
            )
            yield (*mounts, *linked)

    def stream_tar(self) -> Iterator[bytes]:
        """Yield a tar of the source and of what its links lead to, for the root folder of a container.

        :raises PyimagesError: as ``stream_tar``.
        """
        return stream_tar(self.root, linked=self.linked)


def _can_be_mounted(path: str) -> bool:
    """Return whether an option of a mount, and the engine's API, which is JSON, can name a path."""
    is_utf8 = not any("\udc80" <= mark <= "\udcff" for mark in path)  # Python's surrogates for other bytes
    return is_utf8 and not any(mark in path for mark in ',:\\"\n')


def stream_tar(root: Path, limit: int = COPY_LIMIT, linked: Sequence[LinkedPath] = ()) -> Iterator[bytes]:
    """Yield a tar of the folder under its absolute path, without caches, environments and version control.

    :param linked: further files and folders.

    Symbolic links stay links; sockets, pipes and devices are left out. A file that changes meanwhile has the size that
    it had when it was opened.

    :raises PyimagesError: if it is larger than ``limit`` bytes.
    """
    total = 0
    for name, path in _walk_all(root, linked):
        status = path.lstat()
        info = tarfile.TarInfo(name.lstrip("/"))
        info.mode, info.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
        if stat.S_ISLNK(status.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
        elif stat.S_ISDIR(status.st_mode):
            info.type = tarfile.DIRTYPE
        elif not stat.S_ISREG(status.st_mode):
            continue
        if info.type != tarfile.REGTYPE:
            yield info.tobuf(tarfile.PAX_FORMAT)
            continue
        try:
            file = path.open("rb")
        except FileNotFoundError:
            continue
        with file:
            info.size = os.fstat(file.fileno()).st_size
            total += info.size
            if total > limit:
                raise PyimagesError(f"the source below {root} is larger than {limit >> 20} MiB and cannot be copied in")
            yield info.tobuf(tarfile.PAX_FORMAT)
            yield from _content(file, info.size)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _content(file: io.BufferedReader, size: int) -> Iterator[bytes]:
    left = size
    while left:
        data = file.read(min(left, _CHUNK)) or b"\0" * min(left, _CHUNK)  # it was truncated meanwhile
        left -= len(data)
        yield data
    if size % tarfile.BLOCKSIZE:
        yield b"\0" * (tarfile.BLOCKSIZE - size % tarfile.BLOCKSIZE)


def _walk_all(root: Path, linked: Sequence[LinkedPath]) -> Iterator[tuple[str, Path]]:
    """Yield the path in the container, and that on this host."""
    for path in (*reversed(root.parents[:-1]), *_walk(root)):
        yield str(path), path
    for link in linked:
        for path in (link.source,) if link.source.is_file() else _walk(link.source):
            yield link.target + str(path)[len(str(link.source)) :], path


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        yield here
        for name in list(folders):
            if name in NOT_COPIED:
                folders.remove(name)
            elif (here / name).is_symlink():
                folders.remove(name)
                yield here / name
        yield from (here / name for name in files)
