"""Commands to CI services in what suites print."""

from __future__ import annotations

import random

import pytest

from pytest_pyimages.results.output.log_commands import CommandFilter, disarm_commands

GITHUB = {"GITHUB_ACTIONS": "true"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("::error::no\n", ": :error::no\n"),
        ("one\n  ::stop-commands::x", "one\n  : :stop-commands::x"),
        ("\u2003::add-mask::x", "\u2003: :add-mask::x"),
        ("a\r::error::x", "a\r: :error::x"),
        (":::error::", ": ::error::"),
        ("##[error]x", "## [error]x"),
        ("text ##[group]x", "text ## [group]x"),
        ("##vso[task.setvariable variable=a]b", "##vso [task.setvariable variable=a]b"),
        ("##teamcity[testFailed]", "##teamcity [testFailed]"),
        ("test_a.py::test_b\n## [x]\n: :\na::b", "test_a.py::test_b\n## [x]\n: :\na::b"),
    ],
)
def test_commands_are_disarmed(text: str, expected: str) -> None:
    assert disarm_commands(text, GITHUB) == expected
    assert disarm_commands(text, {"CI": "true"}) == text


@pytest.mark.parametrize("seed", range(20))
def test_pieces_make_the_same_text(seed: int) -> None:
    chance = random.Random(seed)
    text = "".join(chance.choice(["::", ":", "##", "[", "\n", " ", "error", "x" * 50]) for _ in range(200))
    commands, pieces, place = CommandFilter(), [], 0
    while place < len(text):
        length = chance.randint(1, 5)
        pieces.append(commands.filter(text[place : place + length]))
        place += length
    whole = disarm_commands(text, GITHUB)
    assert "".join(pieces) == whole
    assert not any(line.lstrip().startswith("::") for line in whole.splitlines())
    assert "##[" not in whole


def test_a_long_line_is_filtered_in_linear_time() -> None:
    commands = CommandFilter()
    for _ in range(20_000):
        assert commands.filter("y" * 50 + "::") == "y" * 50 + "::"
