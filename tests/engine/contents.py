"""Everything that stands in an archive, however it is packed."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_CACHED = b"cc=4,"  # what pip keeps of HTTP, CacheControl's format: a head, and the file as it came
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Member:
    """A file, and the way to it through all archives."""

    name: str
    data: bytes


def members(name: str, data: bytes) -> Iterator[Member]:
    """Yield the file itself, what it unpacks to, and all that stands in it."""
    yield Member(name, data)
    if data.startswith(b"\x1f\x8b"):
        yield from members(f"{name}!", gzip.decompress(data))
    elif data.startswith(_CACHED) and _ZIP in data:
        yield from members(f"{name}!", data[data.index(_ZIP) :])
    elif data.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                yield from members(f"{name}!{entry.filename}", archive.read(entry))
    elif data[257:262] == b"ustar":
        yield from tar_members(name, io.BytesIO(data))


def tar_members(name: str, file: io.BufferedIOBase | io.BytesIO) -> Iterator[Member]:
    """Yield all that stands in a tar archive, with names and links of its members."""
    with tarfile.open(fileobj=file, mode="r|*") as archive:
        for entry in archive:
            path = f"{name}!{entry.name}"
            yield Member(path, f"{entry.name} {entry.linkname} {entry.pax_headers}".encode())
            content = archive.extractfile(entry) if entry.isreg() else None
            if content is not None:
                yield from members(path, content.read())


def holding(found: Iterable[Member], texts: Iterable[str]) -> dict[str, list[str]]:
    """Return the texts that are held by something, each with the names of what holds it."""
    wanted = {text: text.encode() for text in texts}
    result: dict[str, list[str]] = {}
    for member in found:
        for text, data in wanted.items():
            if data in member.data:
                result.setdefault(text, []).append(member.name)
    return result
