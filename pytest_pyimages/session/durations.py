"""How long tests took, kept in the host's pytest cache: what shards are balanced by.

Runs of all tests are kept, and what ``pyimages merge`` puts together. A shard alone is not: the next one on the same
machine, or on one that got its cache, would divide the same tests in another way, and some would be in none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pytest_pyimages.host import OWN_OPTIONS, Invocation, Settings, options
from pytest_pyimages.results import ImageResult

DURATIONS = "pyimages/durations"  # {node id: milliseconds}: on the image where it took longest, in its last run
MOST = 100_000  # tests; those that did not run for longest are forgotten


class Durations:
    """What the host's cache has of every test; read when it is needed, written once at the end of a session.

    :param cache: the host's; None without pytest's cacheprovider.
    """

    def __init__(self, cache: pytest.Cache | None, invocation: Invocation) -> None:
        self._cache = cache
        self._forget = any(option.name == "--cache-clear" for option in options(invocation.all_args, OWN_OPTIONS))

    def known(self) -> dict[str, int]:
        """Return milliseconds by node id."""
        found: Any = None if self._cache is None or self._forget else self._cache.get(DURATIONS, None)
        if not isinstance(found, dict):  # a file that anybody may have edited
            return {}
        return {nodeid: time for nodeid, time in found.items() if type(time) is int and 0 <= time < 1 << 40}

    def shard(self, settings: Settings) -> dict[str, Any] | None:
        """Return what containers are told of the shard that is asked for; None if all tests are to be run."""
        if settings.shard is None:
            return None
        from pytest_pyimages.runs import shard_job

        return shard_job(*settings.shard, self.known())

    def keep(self, results: Iterable[ImageResult]) -> None:
        """Write down how long the tests of a session took that was no shard."""
        took: dict[str, float] = {}
        for result in results:
            for nodeid, seconds in result.durations.items():
                took[nodeid] = max(seconds, took.get(nodeid, 0.0))
        if self._cache is None or not (took or self._forget):
            return
        known = {nodeid: time for nodeid, time in self.known().items() if nodeid not in took}
        known.update((nodeid, round(seconds * 1000)) for nodeid, seconds in took.items())
        self._cache.set(DURATIONS, dict(list(known.items())[-MOST:]))
