"""The README must not fall behind the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.host.command_line import REFUSED
from pytest_pyimages.host.pytest_options import ATTENDED

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_it_says_is_refused_is() -> None:
    assert "--pastebin" in REFUSED
    assert "`--pastebin` is refused" in README


@pytest.mark.parametrize("option", ["--fixtures", "--markers", "--setup-show", "--setup-plan", "--trace-config"])
def test_what_it_says_is_shown_is(option: str) -> None:
    assert option in ATTENDED
    assert f"`{option}`" in README
