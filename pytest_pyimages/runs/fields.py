"""Check the fields of a record that the worker sent; an unexpected field raises ``WireError``."""

from __future__ import annotations

import base64
import re
from typing import Any, cast

from pytest_pyimages.checked_fields import MOST, Fields
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.runs.events import LongRepr, Outcome
from pytest_pyimages.text import clean, clean_line, quote_bytes

MAX_LINE = 8 * 1024 * 1024  # bytes of a record, characters of a text
MAX_NODEID = 1024 * 1024  # characters; pytest makes ids of long texts, and a record has them up to three times
_DIGEST = re.compile("[0-9a-f]{64}")


class WireError(PyimagesError):
    """The worker's stream is not one that a healthy worker sends."""


class Record(Fields):
    """A record whose fields are checked when they are read; control characters are removed from texts."""

    def wrong(self, name: str) -> WireError:
        return WireError(
            f"the worker sent a record whose field {name!r} is wrong: {quote_bytes(repr(self._values).encode())}"
        )

    def text(self, name: str, limit: int = MAX_LINE) -> str:
        return self.check_text(name, self.raw(name), limit)

    def check_text(self, name: str, value: Any, limit: int = MAX_LINE) -> str:
        """Return a text that is part of a field."""
        if not isinstance(value, str) or len(value) > limit:
            raise self.wrong(name)
        return clean(value)

    def check_line(self, name: str, value: Any, limit: int = MAX_LINE) -> str:
        """Return a text without line breaks that is part of a field."""
        return clean_line(self.check_text(name, value, limit))

    def line(self, name: str, limit: int = MAX_NODEID) -> str:
        return clean_line(self.text(name, limit))

    def lines(self, name: str) -> tuple[str, ...]:
        return tuple(self.check_line(name, each, MAX_NODEID) for each in self.list(name))

    def base64(self, name: str, limit: int) -> bytes:
        """Return the decoded bytes of a field with at most so many characters."""
        try:
            return base64.b64decode(self.text(name, limit), validate=True)
        except ValueError:
            raise self.wrong(name) from None

    def seconds(self, name: str) -> float:
        return max(self.number(name, -MOST), 0.0)  # the clock of a test may have been turned back

    def outcome(self, name: str) -> Outcome:
        value = self.raw(name)
        if value not in ("passed", "failed", "skipped"):
            raise self.wrong(name)
        return cast("Outcome", value)

    def digest(self, name: str) -> str:
        value = self.text(name, 64)
        if not _DIGEST.fullmatch(value):
            raise self.wrong(name)
        return value

    def rows(self, name: str, width: int) -> list[list[Any]]:
        """Return a list of lists with so many elements each."""
        value = self.list(name)
        if any(not isinstance(row, list) or len(row) != width for row in value):
            raise self.wrong(name)
        return value

    def check_integers(self, name: str, value: Any) -> tuple[int, ...]:
        """Return a list of integers that is part of a field."""
        if not isinstance(value, list) or any(type(each) is not int or not 0 <= each < 1 << 31 for each in value):
            raise self.wrong(name)
        return tuple(value)

    def check_location(self, name: str, value: Any) -> tuple[str, int | None, str]:
        """Return path, line and text of a list that is (part of) a field."""
        if not isinstance(value, list) or len(value) != 3:
            raise self.wrong(name)
        path, line, text = value
        if line is not None and type(line) is not int:
            raise self.wrong(name)
        return self.check_line(name, path), line, self.check_text(name, text)

    def sections(self, name: str) -> tuple[tuple[str, str], ...]:
        return tuple((self.check_text(name, title), self.check_text(name, body)) for title, body in self.rows(name, 2))

    def longrepr(self, name: str) -> LongRepr:
        value = self.raw(name)
        if not isinstance(value, dict):
            raise self.wrong(name)
        kind = value.get("kind")
        if kind == "none":
            return LongRepr("none")
        if kind == "skip":
            place = [value.get("path"), value.get("line"), value.get("reason")]
            return LongRepr("skip", skip=self.check_location(name, place))
        if kind not in ("text", "tree"):
            raise self.wrong(name)
        crash: tuple[str, int, str] | None = None
        if value.get("crash") is not None:
            path, line, message = self.check_location(name, value["crash"])
            crash = (path, line or 0, message)
        tree = value.get("tree")
        if tree is not None and not isinstance(tree, dict):
            raise self.wrong(name)
        text, whole = self.check_text(name, value.get("text")), self.check_text(name, value.get("whole", ""))
        return LongRepr(kind, text, crash, clean_tree(tree), whole=whole)


def clean_tree(value: Any) -> Any:
    """Remove control characters from all texts of a JSON value."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): clean_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_tree(item) for item in value]
    return value
