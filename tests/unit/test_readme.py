"""The README must not fall behind the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.host.command_line import REFUSED
from pytest_pyimages.host.option_table import INI_KEYS, OPTIONS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLES = README + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("option", [f"{name}={metavar}" for name, metavar, _ in OPTIONS])
def test_every_option_is_in_the_table(option: str) -> None:
    assert f"| `{option}` |" in TABLES


@pytest.mark.parametrize("key", [key for key, _ in INI_KEYS])
def test_every_ini_key_is_in_the_table(key: str) -> None:
    assert f"| `{key}` |" in TABLES


@pytest.mark.parametrize("option", ["--fixtures", "--markers"])
def test_what_it_says_is_refused_is(option: str) -> None:
    assert option in REFUSED
