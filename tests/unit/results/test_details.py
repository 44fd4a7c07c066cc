"""Shortened failures of report files."""

from __future__ import annotations

import pytest

from pytest_pyimages.results.details import restore_indent


@pytest.mark.parametrize(
    ("text", "indent"),
    [
        pytest.param("def test_a():\n>       assert 0\nE       assert 0", "    ", id="a function"),
        pytest.param("@mark\n    def test_a():\n\n        x = 1\n>       assert 0", "    ", id="several lines"),
        pytest.param(">   assert 0\nE   assert 0", "", id="the line itself"),
        pytest.param("test_a.py:3: in test_a\n    assert 0\nE   assert 0", "", id="--tb=short"),
        pytest.param("E   assert 0", "", id="--tb=no"),
        pytest.param(
            "file test_a.py, line 1\n  def test_a(nope):\nE       fixture 'nope' not found\n>   x", "", id="fixture"
        ),
        pytest.param("self = 1\n\n    def test_a():\n>       assert 0", "", id="arguments come first"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_indent_of_the_first_line_is_restored(text: str, indent: str) -> None:
    assert restore_indent(text) == indent + text
