"""Where the warnings of an image came from, as far as pytest's warnings summary shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pytest_pyimages.runs.events import Warned
from pytest_pyimages.text import clean_line

FEW = 10  # pytest's summary names fewer tests than that, and counts more by file (_pytest/terminal.py)
LONGEST_MESSAGE = 300  # characters
LONGEST_TEXT = 4000
MOST = 1000  # places of an image, and further messages


class WarningPlace(NamedTuple):
    """A warning, and the line of code that it is about."""

    category: str  # name of its class
    text: str
    when: str  # "config", "collect" or "runtest"; empty if only the message is known
    path: str  # relative to the rootdir if it is below it
    line: int  # from 1; 0 for the warnings of the worker itself

    @property
    def message(self) -> str:
        """The category and the text on one line."""
        return clean_line(f"{self.category}: {' '.join(self.text.split())}"[:LONGEST_MESSAGE])

    @property
    def is_in_each_part(self) -> bool:
        """Whether each part of the tests has it: all of them read the configuration and collect all tests."""
        return self.when in ("config", "collect")


_OTHERS = WarningPlace("PytestWarning", "further warnings, of which the report only has the number", "", "", 0)
Locations = dict[str, int]  # by node id, "" outside of tests: how often; from FEW on by file
Places = Mapping[WarningPlace, Mapping[str, int]]


def locate(event: Warned, rootdir: str) -> WarningPlace:
    """Return the place of a warning.

    :param rootdir: pytest's own in the container.
    """
    path = make_relative(event.path, rootdir)
    return WarningPlace(event.category, event.text[:LONGEST_TEXT], event.when, path, event.line)


def make_relative(path: str, rootdir: str) -> str:
    """Return the path of a file in the rootdir relative to it; that of any other file as it is."""
    return path.removeprefix(f"{rootdir.rstrip('/')}/") if rootdir else path


def make_place(message: str) -> WarningPlace:
    """Return the place of a warning of which only the message is known."""
    category, _, text = message.partition(": ")
    return WarningPlace(category, text, "", "", 0)


def add_warning(
    places: dict[WarningPlace, Locations], place: WarningPlace, nodeid: str, number: int = 1
) -> WarningPlace:
    """Count a warning, and return the place that it is counted at: by its message only if there are too many places."""
    if place not in places and len(places) >= MOST:
        place, nodeid = make_place(place.message), ""
        if place not in places and len(places) >= 2 * MOST:
            place = _OTHERS
    locations = places.setdefault(place, {})
    if len(locations) >= FEW:
        nodeid = _find_file(nodeid)
    elif sum(locations.values()) + number >= FEW:
        nodeid, earlier = _find_file(nodeid), list(locations.items())
        locations.clear()
        for name, times in earlier:
            locations[_find_file(name)] = locations.get(_find_file(name), 0) + times
    locations[nodeid] = locations.get(nodeid, 0) + number
    return place


def _find_file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def unite_places(parts: Iterable[Places]) -> dict[WarningPlace, Locations]:
    """Return the places of an image's parts; what each part has counts once."""
    united: dict[WarningPlace, Locations] = {}
    for part in parts:
        for place, locations in part.items():
            known = sum(united.get(place, {}).values()) if place.is_in_each_part else 0
            for nodeid, number in locations.items():
                counted = min(known, number)
                known -= counted
                if number > counted:
                    add_warning(united, place, nodeid, number - counted)
    return united


def count_messages(places: Places) -> dict[str, int]:
    """Return how often each message occurs."""
    counts: dict[str, int] = {}
    for place, locations in places.items():
        counts[place.message] = counts.get(place.message, 0) + sum(locations.values())
    return counts


def count_limited(places: Places) -> int:
    """Return the number of warnings that pytest in the container compares with --max-warnings."""
    return sum(sum(locations.values()) for place, locations in places.items() if place.line or not place.when)
