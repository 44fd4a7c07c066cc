"""Messages to users as tests expect them, each written once: in ``tests/golden/<area>.txt``.

A file holds entries, ``name: text``; further lines of a text are indented by four spaces, ``{field}`` is filled in by
the test, and lines that begin with ``#`` are comments::

    no-such-image: no image {reference} · build it with `pyimages build {label}`
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"
INDENT = " " * 4
_ENTRY = re.compile(r"(?P<name>[a-z0-9-]+):(?: (?P<text>.*))?")


class GoldenError(Exception):
    """A golden file cannot be read, or has no such message."""


def message(area: str, name: str, **fields: object) -> str:
    """Return a whole message.

    :param area: the golden file's name without ``.txt``.
    :param fields: what the message says of this case.
    :raises GoldenError: if there is no such message, or its fields are others.
    """
    texts = read_messages(area)
    if name not in texts:
        raise GoldenError(f"add {name!r} to {FOLDER / area}.txt")
    expected = set(re.findall(r"(?<!{){([a-z_]+)}", texts[name]))
    if expected != fields.keys():
        raise GoldenError(f"{area}: {name} has the fields {sorted(expected)}, not {sorted(fields)}")
    return texts[name].format(**fields)


@functools.cache
def read_messages(area: str) -> dict[str, str]:
    """Read the messages of an area by their names.

    :raises GoldenError: for a line that is neither an entry nor part of one, or a name that stands there twice.
    """
    path = FOLDER / f"{area}.txt"
    messages: dict[str, list[str]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        entry = _ENTRY.fullmatch(line)
        if entry is not None and entry["name"] not in messages:
            messages[entry["name"]] = [] if entry["text"] is None else [entry["text"]]
        elif line.startswith(INDENT) and messages:
            messages[next(reversed(messages))].append(line.removeprefix(INDENT))
        elif line and not line.startswith("#"):
            raise GoldenError(f"{path.name}:{number}: neither a new entry nor an indented line: {line!r}")
    return {name: "\n".join(lines) for name, lines in messages.items()}
