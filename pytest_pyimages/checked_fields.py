"""Check the fields of JSON objects that come from containers and files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 1 << 53  # integers below are exact in every reader of JSON (RFC 8259, 6)


class FieldError(Exception):
    """A field of a JSON object is missing, or of another type."""


class Fields:
    """A JSON object whose fields are checked when they are read.

    :param where: its path in the document, for errors.
    """

    def __init__(self, values: object, where: str = "") -> None:
        self._where = where
        if not isinstance(values, dict):
            raise FieldError(f"{where or 'the whole'}: wrong or missing")
        self._values: Mapping[str, Any] = values

    def path(self, name: str) -> str:
        """Return a field's path in the document."""
        return f"{self._where}.{name}" if self._where else name

    def wrong(self, name: str) -> Exception:
        """Return the error for a field."""
        return FieldError(f"{self.path(name)}: wrong or missing")

    def raw(self, name: str) -> Any:
        """Return a field unchecked; None if it is missing."""
        return self._values.get(name)

    def has(self, name: str) -> bool:
        return name in self._values

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name)
        return value

    def integer(self, name: str, lowest: int = 0) -> int:
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value < MOST:
            raise self.wrong(name)
        return value

    def optional_integer(self, name: str) -> int | None:
        return None if self._values.get(name, 0) is None else self.integer(name)

    def number(self, name: str, lowest: int = 0) -> float:
        value = self._values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not lowest <= value < MOST:  # nor NaN
            raise self.wrong(name)
        return float(value)

    def list(self, name: str) -> list[Any]:
        value = self._values.get(name)
        if not isinstance(value, list):
            raise self.wrong(name)
        return value
