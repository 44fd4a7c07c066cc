"""Durations of tests in the host's pytest cache, by which shards are balanced.

Runs of all tests are saved, and merged reports. A single shard is not: the next shard that uses the same cache would
divide the tests in another way, and some tests would be in no shard.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pytest_pyimages.host import Invocation, Settings
from pytest_pyimages.results import ImageResult

DURATIONS = "pyimages/durations"  # {node id: milliseconds}: the longest of all images, in the last run
MOST = 100_000  # tests; the least recently run are dropped


class Durations:
    """The cached durations; read when needed, saved once at the end of a session.

    :param cache: the host's; None without pytest's cacheprovider.
    """

    def __init__(self, cache: pytest.Cache | None, invocation: Invocation) -> None:
        self._cache = cache
        self._is_cleared = invocation.command_line.has("--cache-clear")

    def load(self) -> dict[str, int]:
        """Load the milliseconds by node id."""
        found: Any = None if self._cache is None or self._is_cleared else self._cache.get(DURATIONS, None)
        if not isinstance(found, dict):  # the file may have been edited
            return {}
        return {nodeid: time for nodeid, time in found.items() if type(time) is int and 0 <= time < 1 << 40}

    def average(self) -> float | None:
        """Return how many seconds a test took on average; None if that is not known."""
        known = self.load()
        return sum(known.values()) / len(known) / 1000 if known else None

    def shard(self, settings: Settings) -> dict[str, Any] | None:
        """Return the containers' job for the requested shard; None if all tests are to be run."""
        if settings.shard is None:
            return None
        from pytest_pyimages.runs import make_shard_job

        return make_shard_job(*settings.shard, self.load())

    def save(self, results: Iterable[ImageResult]) -> None:
        """Save the durations of a session that was not a shard."""
        took: dict[str, float] = {}
        for result in results:
            for nodeid, seconds in result.durations.items():
                took[nodeid] = max(seconds, took.get(nodeid, 0.0))
        if self._cache is None or not (took or self._is_cleared):
            return
        known = {nodeid: time for nodeid, time in self.load().items() if nodeid not in took}
        known.update((nodeid, round(seconds * 1000)) for nodeid, seconds in took.items())
        self._cache.set(DURATIONS, dict(list(known.items())[-MOST:]))
