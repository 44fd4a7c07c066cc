"""Expected messages: each file can be read, and each message of it is expected by a test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import golden
from tests.support.golden import GoldenError, message, read_messages

TESTS = Path(__file__).parents[1]
WORD = re.compile(r"[\"']([a-z0-9-]+)[\"']")


@pytest.fixture
def area(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    read_messages.cache_clear()
    yield tmp_path / "area.txt"
    read_messages.cache_clear()


def test_every_message_is_expected_by_a_test() -> None:
    """A test that imports ``message`` names the area and the message, be it as a parameter."""
    texts = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")]
    named = [set(WORD.findall(text)) for text in texts if "from tests.support.golden import message" in text]
    written = {(path.stem, name) for path in golden.FOLDER.glob("*.txt") for name in read_messages(path.stem)}
    assert written, "no golden file was found"
    assert {pair for pair in written if not any(words.issuperset(pair) for words in named)} == set()


def test_fields_are_filled_in(area: Path) -> None:
    area.write_text("# a comment\n\none: no {label} in {{this}}\n    build {label}\ntwo:\n    one\n    two\n")
    assert message("area", "one", label="3.12") == "no 3.12 in {this}\nbuild 3.12"
    assert message("area", "two") == "one\ntwo"


def test_other_fields_are_an_error(area: Path) -> None:
    area.write_text("no-image: no image {label}\n")
    with pytest.raises(GoldenError, match=r"no-image has the fields \['label'\], not \['tag'\]"):
        message("area", "no-image", tag="3.12")


def test_an_unknown_name_is_an_error(area: Path) -> None:
    area.write_text("one: 1\n")
    with pytest.raises(GoldenError, match="add 'two' to "):
        message("area", "two")


@pytest.mark.parametrize("text", ["    indented: 1\n", "one: 1\none: 2\n", "one: 1\nno entry\n", "One: 1\n"])
def test_a_line_that_is_no_entry_is_an_error(area: Path, text: str) -> None:
    area.write_text(text)
    with pytest.raises(GoldenError, match=r"area\.txt:[12]: "):
        read_messages("area")
