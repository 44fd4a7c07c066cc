"""The list of attacks has every number, and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([A-K]\d+) \| .+ \| .+ \| ((?:`tests/[\w/]+\.py::test_\w+` ?)+) \|$", re.MULTILINE)
# Where the numbers of a letter begin and end; those of K go on.
SECTIONS = {"A": (1, 10), "B": (11, 27), "C": (28, 43), "D": (44, 53), "E": (55, 74), "F": (75, 90), "G": (92, 99)}
SECTIONS |= {"H": (100, 107), "I": (108, 119), "J": (120, 130)}
# Numbers of faults that were merged with others.
MERGED = {5, 17, 18, 35, 41, 42, 49, 54, 60, 62, 70, 78, 84, 87, 89, 91, 96, 98, 103, 106, 109, 115, 128}


def test_each_attack_has_a_test() -> None:
    text = (FOLDER / "tests" / "attacks.md").read_text("utf-8")
    rows = ROW.findall(text)
    assert len(rows) == text.count("\n| ") - 1, "all rows but the header have this form"
    numbers = [number for number, _ in rows]
    expected = [
        f"{letter}{number}"
        for letter, (first, last) in SECTIONS.items()
        for number in range(first, last + 1)
        if number not in MERGED
    ]
    last = sum(number.startswith("K") for number in numbers)
    assert numbers == [*expected, *(f"K{number}" for number in range(1, last + 1))]
    for number, tests in rows:
        for file, name in re.findall(r"`([^:]+)::(\w+)`", tests):
            assert f"def {name}(" in (FOLDER / file).read_text("utf-8"), f"{number}: {name}"
