"""How many containers are at work at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Places, each for one at a time; who comes when all are taken waits for the first that becomes free."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._free = set(range(places))
        self._changed = threading.Condition()

    @property
    def are_taken(self) -> bool:
        """Whether somebody who came now would have to wait."""
        return not self._free

    @contextmanager
    def turn(self, wanted: int = 0) -> Iterator[int]:
        """Wait for a place and have it for a while; yield its number, from 0.

        :param wanted: the place to take if it is free; numbers go round.
        """
        with self._changed:
            while not self._free:
                self._changed.wait()
            place = wanted % self.places
            if place not in self._free:
                place = min(self._free)
            self._free.remove(place)
        try:
            yield place
        finally:
            with self._changed:
                self._free.add(place)
                self._changed.notify()
