"""Where warnings came from: few tests by name, many by file, and no more places than a report can hold."""

from __future__ import annotations

import pytest

from pytest_pyimages.results.warning_places import (
    MOST,
    Locations,
    WarningPlace,
    add_warning,
    count_limited,
    count_messages,
    locate,
    make_place,
    unite_places,
)
from pytest_pyimages.runs.events import Warned

IN_A_TEST = WarningPlace("UserWarning", "odd", "runtest", "a.py", 3)
AT_IMPORT = WarningPlace("UserWarning", "odd", "collect", "a.py", 1)
OF_THE_WORKER = WarningPlace("PytestCacheWarning", "full", "config", "", 0)


def count(*nodeids: str) -> Locations:
    places: dict[WarningPlace, Locations] = {}
    for nodeid in nodeids:
        add_warning(places, IN_A_TEST, nodeid)
    return places[IN_A_TEST]


def test_few_tests_have_names_and_many_are_counted_by_file() -> None:
    nine = [f"a.py::test_{number}" for number in range(9)]
    assert count(*nine) == dict.fromkeys(nine, 1)
    assert count(*nine[:5], *nine[:4]) == {**dict.fromkeys(nine[:4], 2), nine[4]: 1}
    assert count(*nine, "b.py::TestB::test_b") == {"a.py": 9, "b.py": 1}
    assert count(*nine, "", "a.py::test_9") == {"a.py": 10, "": 1}
    files = [f"{number}.py" for number in range(12)]
    assert count(*(f"{file}::test" for file in files * 2)) == dict.fromkeys(files, 2)


def test_parts_are_united_as_if_they_were_one() -> None:
    seven, more = ({IN_A_TEST: {f"{name}.py::test_{number}": 1 for number in range(7)}} for name in "ab")
    assert unite_places([seven]) == seven
    assert unite_places([seven, more]) == {IN_A_TEST: {"a.py": 7, "b.py": 7}}


@pytest.mark.parametrize(("parts", "number"), [((2, 2), 2), ((2, 3), 3), ((3, 2), 3), ((0, 2), 2)])
def test_what_each_part_has_counts_once(parts: tuple[int, ...], number: int) -> None:
    united = unite_places([{AT_IMPORT: {"": each}} if each else {} for each in parts])
    assert united == {AT_IMPORT: {"": number}}


def test_messages_of_several_places_are_counted_together() -> None:
    other = WarningPlace("UserWarning", "of\n two", "runtest", "b.py", 1)
    places = {IN_A_TEST: {"": 2}, AT_IMPORT: {"": 1}, other: {"b.py::test": 1}}
    assert count_messages(places) == {"UserWarning: odd": 3, "UserWarning: of two": 1}


def test_limit_ignores_the_warnings_of_the_worker() -> None:
    """In the container, pytest has not recorded them."""
    assert count_limited({IN_A_TEST: {"": 2}, OF_THE_WORKER: {"": 1}, make_place("UserWarning: odd"): {"": 4}}) == 6


def test_places_are_limited_and_all_warnings_counted() -> None:
    """Messages are compared between images, so that they are kept for longer than lines."""
    places: dict[WarningPlace, Locations] = {}
    for line in range(1, MOST + 6):
        add_warning(places, IN_A_TEST._replace(line=line), "a.py::test")
    assert len(places) == MOST + 1
    assert count_messages(places) == {"UserWarning: odd": MOST + 5}
    for number in range(MOST + 2):
        add_warning(places, IN_A_TEST._replace(text=f"odd {number}"), "a.py::test")
    (others,) = (place for place in places if place.category == "PytestWarning")
    assert (len(places), places[others]) == (2 * MOST + 1, {"": 3})


@pytest.mark.parametrize(
    ("path", "rootdir", "shown"),
    [
        ("/src/shop/a.py", "/src/shop", "a.py"),
        ("/src/shop/a.py", "/src/shop/", "a.py"),
        ("/src/shopping/a.py", "/src/shop", "/src/shopping/a.py"),
        ("/usr/lib/ast.py", "/", "usr/lib/ast.py"),
        ("<unknown>", "/src", "<unknown>"),
        ("/src/a.py", "", "/src/a.py"),
    ],
)
def test_paths_are_relative_to_the_rootdir(path: str, rootdir: str, shown: str) -> None:
    assert locate(Warned("UserWarning", "odd", path, 1, "config", ""), rootdir).path == shown


def test_place_of_a_message_has_that_message() -> None:
    assert make_place("UserWarning: a: b").message == "UserWarning: a: b"
