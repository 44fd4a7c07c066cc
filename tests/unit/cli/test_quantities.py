"""Parse and format ages and sizes."""

from __future__ import annotations

import pytest

from pytest_pyimages.cli.quantities import format_age, format_size, format_time, parse_age, parse_size
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.text import table_lines


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("12h", 43200), ("30d", 2592000), ("2w", 1209600), ("1d12h", 129600), ("1.5H ", 5400)],
)
def test_parse_age(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-3d", "3 days", "3y", "1.d", "3d!", "1e3s"])
def test_invalid_ages(text: str) -> None:
    with pytest.raises(ConfigurationError, match="invalid age"):
        raise AssertionError(parse_age(text))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("10GB", 10**10),
        ("10g", 10**10),
        ("1.5GiB", 3 * 2**29),
        ("500 MB", 5 * 10**8),
        ("1k", 1000),
        ("2TB", 2 * 10**12),
    ],
)
def test_parse_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "10 apples", "1,5GB", "1PB", "10GBB"])
def test_invalid_sizes(text: str) -> None:
    with pytest.raises(ConfigurationError, match="invalid size"):
        raise AssertionError(parse_size(text))


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_600, "1.0 MB"),
        (12_300_000, "12 MB"),
        (312_000_000, "312 MB"),
        (1_500_000_000, "1.5 GB"),
        (40_000_000_000, "40 GB"),
    ],
)
def test_format_size(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (59, "just now"),
        (120, "2 min ago"),
        (3600, "1 hour ago"),
        (7200, "2 hours ago"),
        (86400, "1 day ago"),
        (40 * 86400, "40 days ago"),
    ],
)
def test_format_age(seconds: float, text: str) -> None:
    assert format_age(seconds) == text


def test_format_time() -> None:
    assert format_time(0) == "1970-01-01T00:00:00Z"


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    lines = table_lines(("name", "n", ""), [("日本", "1", ""), ("b\x1b[2J\nc", "100", "end")], right=("n",))
    assert lines == [" name       n", " 日本       1", " b [2J c  100  end"]
