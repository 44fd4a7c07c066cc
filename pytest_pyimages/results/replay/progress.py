"""How many tests have been reported, as pytest's terminal reporter counts them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any


class Progress(set[Any]):
    """The ids of reported tests, whose number is pytest's progress; those of tests that have ended are only counted."""

    _ended = 0

    def __len__(self) -> int:
        return super().__len__() + self._ended

    def count(self) -> None:
        """Count a test that is reported once, and has ended."""
        self._ended += 1

    def end(self, nodeid: Any) -> None:
        """Count an id that will not be reported again."""
        with suppress(KeyError):  # the report was not shown
            self.remove(nodeid)
            self._ended += 1

    def reopen(self, nodeid: Any) -> None:
        """Keep an id again that will be reported again."""
        if nodeid not in self:
            self.add(nodeid)
            self._ended -= 1
