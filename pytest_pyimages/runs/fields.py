"""Checked access to one record of a container: whatever is not as it must be raises ``WireError``."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from typing import Any, cast

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.runs.events import LongRepr, Outcome
from pytest_pyimages.text import clean, clean_line, shown

MAX_LINE = 8 * 1024 * 1024
MAX_NODEID = 64 * 1024  # characters
_DIGEST = re.compile("[0-9a-f]{64}")


class WireError(PyimagesError):
    """The worker's stream is not one that a healthy worker sends."""


class Fields:
    """Checked access to the fields of a record."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def _wrong(self, name: str) -> WireError:
        return WireError(
            f"the worker sent a record whose field {name!r} is wrong: {shown(repr(self._values).encode())}"
        )

    def raw(self, name: str) -> Any:
        return self._values.get(name)

    def text(self, name: str, limit: int = MAX_LINE) -> str:
        return self.as_text(name, self._values.get(name), limit)

    def as_text(self, name: str, value: Any, limit: int = MAX_LINE) -> str:
        if not isinstance(value, str) or len(value) > limit:
            raise self._wrong(name)
        return clean(value)

    def base64(self, name: str, limit: int) -> bytes:
        try:
            return base64.b64decode(self.text(name, limit), validate=True)
        except ValueError:
            raise self._wrong(name) from None

    def integer(self, name: str, lowest: int = 0) -> int:
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value < 1 << 53:
            raise self._wrong(name)
        return value

    def optional_integer(self, name: str) -> int | None:
        return None if self._values.get(name) is None else self.integer(name)

    def number(self, name: str) -> float:
        value = self._values.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise self._wrong(name)
        return max(float(value), 0.0)  # the clock of a test may have been turned back

    def outcome(self, name: str) -> Outcome:
        value = self._values.get(name)
        if value not in ("passed", "failed", "skipped"):
            raise self._wrong(name)
        return cast("Outcome", value)

    def rows(self, name: str, width: int) -> list[list[Any]]:
        value = self._values.get(name)
        if not isinstance(value, list) or any(not isinstance(row, list) or len(row) != width for row in value):
            raise self._wrong(name)
        return value

    def location(self, name: str, row: Any) -> tuple[str, int | None, str]:
        if not isinstance(row, list) or len(row) != 3:
            raise self._wrong(name)
        path, line, text = row
        if line is not None and (not isinstance(line, int) or isinstance(line, bool)):
            raise self._wrong(name)
        return clean_line(self.as_text(name, path)), line, self.as_text(name, text)

    def name(self, name: str, limit: int = MAX_NODEID) -> str:
        return clean_line(self.text(name, limit))

    def names(self, name: str) -> tuple[str, ...]:
        value = self._values.get(name)
        if not isinstance(value, list):
            raise self._wrong(name)
        return tuple(clean_line(self.as_text(name, each, MAX_NODEID)) for each in value)

    def digest(self, name: str) -> str:
        value = self.text(name, 64)
        if not _DIGEST.fullmatch(value):
            raise self._wrong(name)
        return value

    def integers(self, name: str, value: Any) -> tuple[int, ...]:
        if not isinstance(value, list) or any(
            not isinstance(each, int) or isinstance(each, bool) or not 0 <= each < 1 << 31 for each in value
        ):
            raise self._wrong(name)
        return tuple(value)

    def sections(self, name: str) -> tuple[tuple[str, str], ...]:
        return tuple((self.as_text(name, title), self.as_text(name, body)) for title, body in self.rows(name, 2))

    def longrepr(self, name: str) -> LongRepr:
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise self._wrong(name)
        kind = value.get("kind")
        if kind == "none":
            return LongRepr("none")
        if kind == "skip":
            place = [value.get("path"), value.get("line"), value.get("reason")]
            return LongRepr("skip", skip=self.location(name, place))
        if kind not in ("text", "tree"):
            raise self._wrong(name)
        crash = value.get("crash")
        where: tuple[str, int, str] | None = None
        if crash is not None:
            path, line, message = self.location(name, crash)
            where = (path, line or 0, message)
        tree = value.get("tree")
        if tree is not None and not isinstance(tree, dict):
            raise self._wrong(name)
        return LongRepr(kind, self.as_text(name, value.get("text")), where, clean_tree(tree))


def clean_tree(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): clean_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_tree(item) for item in value]
    return value
