"""Puts the phases of each test together again, where several tests run at once in a container."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_pyimages.runs.events import Report

_CRASH = "???"  # what xdist calls the phase during which one of its processes died
_LAST = ("teardown", _CRASH)


class Interleaved:
    """The tests of one container of which some phases are known, and perhaps not all."""

    def __init__(self) -> None:
        self._open: dict[str, list[Report]] = {}

    def whole(self, event: Report) -> Iterator[Report]:
        """Take one phase; yield all phases of its test if it is the last one."""
        phases = self._open.setdefault(event.nodeid, [])
        # Of a phase without a name, junit would say that it is the setup, and reports could say nothing.
        phases.append(event._replace(when="call") if event.when == _CRASH else event)
        if event.when in _LAST:
            yield from self._open.pop(event.nodeid)

    def rest(self) -> Iterator[Report]:
        """Yield the phases of tests that never came to their end."""
        opened, self._open = self._open, {}
        for phases in opened.values():
            yield from phases
