"""Reassemble the phases of each test where several tests of a container run at once."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_pyimages.runs.events import Report

_CRASH = "???"  # what xdist calls the phase during which one of its workers died
_LAST = ("teardown", _CRASH)


class Interleaved:
    """The unfinished tests of one container, with the phases that were reported."""

    def __init__(self) -> None:
        self._open: dict[str, list[Report]] = {}

    def add_phase(self, event: Report) -> Iterator[Report]:
        """Add one phase; yield all phases of its test if it is the last one."""
        phases = self._open.setdefault(event.nodeid, [])
        # junit takes an unknown phase for the setup, and other reports drop it.
        phases.append(event._replace(when="call") if event.when == _CRASH else event)
        if event.when in _LAST:
            yield from self._open.pop(event.nodeid)

    def take_unfinished(self) -> Iterator[Report]:
        """Remove the unfinished tests; yield their phases."""
        unfinished, self._open = self._open, {}
        for phases in unfinished.values():
            yield from phases
