"""What lies on the shelves, in the order of its article numbers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from more_itertools import chunked
from sortedcontainers import SortedDict

log = logging.getLogger(__name__)


class OutOfStock(Exception):
    """There is less than was asked for."""


class Stock:
    """Pieces by article number.

    :param reorder: called with article and missing pieces when less than ``least`` are left.
    """

    def __init__(self, reorder: Callable[[str, int], None], least: int = 5) -> None:
        self._pieces: SortedDict = SortedDict()
        self._reorder = reorder
        self._least = least

    def __getitem__(self, article: str) -> int:
        return self._pieces.get(article, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def add(self, article: str, pieces: int) -> None:
        """Put pieces on the shelf."""
        self._pieces[article] = self[article] + pieces
        log.info("%s: %d", article, self[article])

    def take(self, article: str, pieces: int) -> None:
        """Take pieces off the shelf, and order new ones where few are left."""
        if pieces > self[article]:
            raise OutOfStock(f"{article}: {pieces} wanted, {self[article]} there")
        self._pieces[article] -= pieces
        if self[article] < self._least:
            self._reorder(article, self._least - self[article])

    def between(self, first: str, last: str) -> list[str]:
        """Return the articles from ``first`` to ``last``."""
        return list(self._pieces.irange(first, last))


def labels(articles: Iterable[str], per_sheet: int = 3) -> list[str]:
    """Return sheets of labels."""
    return [" | ".join(sheet) for sheet in chunked(articles, per_sheet)]
