"""The README must not fall behind the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.host.command_line import REFUSED

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--fixtures", "--markers"])
def test_what_it_says_is_refused_is(option: str) -> None:
    assert option in REFUSED
