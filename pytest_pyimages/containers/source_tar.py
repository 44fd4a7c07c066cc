"""Tar archives of files that may change meanwhile."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_CHUNK = 1 << 20
_PIECE = 1 << 18  # bytes that are sent at once
_LAST_ID = 65535  # of users and groups: engines of normal users know no higher ones (subuid(5))


class ArchivedFile(NamedTuple):
    """A file, folder or link of this host, and its name in an archive."""

    name: str
    path: str
    status: os.stat_result


def stream_tar(files: Iterable[ArchivedFile], check: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """Yield a tar in pieces of some hundred kilobytes. Owners, modes and links are as on this host.

    A file that changes meanwhile has the size that it had when it was opened; one that was removed is left out.

    :param check: called before each piece; an error that it raises ends the archive.
    """
    buffer = bytearray()
    for file in files:
        for data in _archive(file):
            buffer += data
            if len(buffer) >= _PIECE:
                check()
                yield bytes(buffer)
                buffer.clear()
    yield bytes(buffer) + b"\0" * (2 * tarfile.BLOCKSIZE)


def _archive(file: ArchivedFile) -> Iterator[bytes]:
    status = file.status
    info = tarfile.TarInfo(file.name)
    info.mode, info.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
    info.uid, info.gid = (number if number <= _LAST_ID else 0 for number in (status.st_uid, status.st_gid))
    if stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
        yield info.tobuf(tarfile.PAX_FORMAT)
        return
    try:
        if stat.S_ISLNK(status.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, str(Path(file.path).readlink())
            yield info.tobuf(tarfile.PAX_FORMAT)
            return
        content = open(file.path, "rb", buffering=0)  # noqa: PTH123, SIM115 - 100,000 paths take a second
    except FileNotFoundError:
        return
    with content:
        opened = os.fstat(content.fileno())
        info.size, info.mtime = opened.st_size, int(opened.st_mtime)
        yield info.tobuf(tarfile.PAX_FORMAT)
        yield from _read(content, info.size)


def _read(file: io.FileIO, size: int) -> Iterator[bytes]:
    left = size
    while left:
        data = file.read(min(left, _CHUNK)) or b"\0" * min(left, _CHUNK)  # it was truncated meanwhile
        left -= len(data)
        yield data
    if size % tarfile.BLOCKSIZE:
        yield b"\0" * (tarfile.BLOCKSIZE - size % tarfile.BLOCKSIZE)
