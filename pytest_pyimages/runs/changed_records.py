"""Decode the records about files of the source tree: the first precedes the record "collected", others follow "end".

===========  ===========================================================================================================
``t``        content
===========  ===========================================================================================================
compiled     up to 500 files of bytecode, after a slow collection
changed      up to 200 entries that the suite has written or removed: path, kind, size (bytes), executable, digest
listed       the names of all entries of a changed folder
content      path and size (bytes) of a changed file that the host wants; its parts follow
part         up to 256 KiB of that file, in base64
scanned      the end of the changes: how many were not named, and what could not be read
===========  ===========================================================================================================

Paths are relative to the root of the source. They are not cleaned, since they name files; clean them to print them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_pyimages.checked_fields import MOST
from pytest_pyimages.runs import events
from pytest_pyimages.runs.fields import Record

MAX_PATH = 4096  # characters; PATH_MAX of Linux
MAX_PART = 256 * 1024  # bytes
_KINDS = ("file", "link", "other", "removed")


def _check_path(fields: Record, name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_PATH:
        raise fields.wrong(name)
    return value


def _changed(fields: Record) -> events.ChangedPaths:
    changes = []
    for name, kind, size, executable, hashed in fields.rows("rows", 5):
        if kind not in _KINDS or type(size) is not int or not 0 <= size < MOST or not isinstance(executable, bool):
            raise fields.wrong("rows")
        path, digest = _check_path(fields, "rows", name), fields.check_line("rows", hashed, 64)
        changes.append(events.ChangedPath(path, kind, size, executable, digest))
    return events.ChangedPaths(tuple(changes))


def _listed(fields: Record) -> events.ListedFolder:
    names = frozenset(_check_path(fields, "names", name) for name in fields.list("names"))
    return events.ListedFolder(_check_path(fields, "path", fields.raw("path")), names)


def _part(fields: Record) -> events.ContentPart:
    data = fields.base64("data", MAX_PART * 2)
    if not 0 < len(data) <= MAX_PART:
        raise fields.wrong("data")
    return events.ContentPart(data)


DECODERS: Mapping[str, Callable[[Record], events.Event]] = {
    "compiled": lambda fields: events.Compiled(
        tuple(_check_path(fields, "paths", path) for path in fields.list("paths"))
    ),
    "changed": _changed,
    "listed": _listed,
    "content": lambda fields: events.ChangedContent(
        _check_path(fields, "path", fields.raw("path")), fields.integer("size")
    ),
    "part": _part,
    "scanned": lambda fields: events.Scanned(fields.integer("more"), fields.line("problem")),
}
