"""Text as terminals show it."""

from __future__ import annotations

import pytest

from pytest_pyimages.text import align_columns, cut_to_width, display_width, join_cells


@pytest.mark.parametrize(
    ("text", "width"),
    [
        pytest.param("abc", 3, id="ASCII"),
        pytest.param("日本語", 6, id="CJK"),
        pytest.param("ｶﾅ", 2, id="half-width"),
        pytest.param("한국어", 6, id="decomposed Hangul"),
        pytest.param("e\u0301", 1, id="combining mark"),
        pytest.param("a\u200b\ufeff", 1, id="no width"),
        pytest.param("😀✅", 4, id="emoji"),
        pytest.param("…·━", 3, id="ambiguous"),
    ],
)
def test_display_width(text: str, width: int) -> None:
    assert display_width(text) == width


@pytest.mark.parametrize(("width", "expected"), [(9, "a日本b"), (5, "a日本"), (4, "a日"), (1, "a"), (0, ""), (-1, "")])
def test_cut_to_width(width: int, expected: str) -> None:
    assert cut_to_width("a日本b", width) == expected


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = align_columns([("image", "n", ""), ("日本", "10", "x"), ("a", "1", "")], right={1})
    assert [join_cells(row) for row in rows] == [" image   n", " 日本   10  x", " a       1"]
