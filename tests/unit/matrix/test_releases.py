"""The table of Python's releases, on several days."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone

import pytest

from pytest_pyimages.matrix import describe_outdated_tag
from pytest_pyimages.matrix.releases import TABLE, read_releases
from tools.releases import SOURCE, make_table

MOST_DAYS = 183
DOCUMENT = json.loads(TABLE.read_text(encoding="utf-8"))


def test_the_table_is_not_older_than_six_months() -> None:
    age = datetime.now(timezone.utc).date() - date.fromisoformat(DOCUMENT["date"])
    assert age.days <= MOST_DAYS, "refresh it: python -m tools.releases"


def test_the_table_is_what_the_command_writes() -> None:
    cycle = {
        name: {**dates, "branch": name, "pep": 1, "status": "feature", "release_manager": "Ł"}
        for name, dates in {**DOCUMENT["releases"], "2.6": {}, "3.4": {}}.items()
    }
    assert DOCUMENT["source"] == SOURCE
    assert make_table(cycle, date.fromisoformat(DOCUMENT["date"])) == TABLE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("today", "oldest", "newest", "prerelease"),
    [
        pytest.param("2026-11-28", "3.11", "3.15", "3.16-rc", id="now"),
        pytest.param("2026-09-30", "3.10", "3.14", "3.15-rc", id="the day before a release"),
        pytest.param("2026-10-01", "3.10", "3.15", "3.16-rc", id="the day of a release"),
        pytest.param("2026-11-01", "3.11", "3.15", "3.16-rc", id="after the month of an end of life"),
        pytest.param("2027-10-31", "3.11", "3.16", "3.17-rc", id="a year later"),
        pytest.param("2029-12-01", "3.14", "3.18", "3.19-rc", id="years later"),
    ],
)
def test_the_status_of_releases_follows_the_date(today: str, oldest: str, newest: str, prerelease: str) -> None:
    releases = read_releases(date.fromisoformat(today))
    supported = [release.name for release in releases if release.status == "released"]
    assert (oldest, newest) == (supported[0], supported[-1])
    assert prerelease == next(release.tag for release in releases if release.status == "prerelease")


@pytest.mark.parametrize(
    ("reference", "note"),
    [
        ("python:3.15-rc", "3.15.0 is out since 2026-10-01; the -rc tag is not renewed: use 3.15"),
        ("python:3.15-rc-slim", "3.15.0 is out since 2026-10-01; the -rc tag is not renewed: use 3.15-slim"),
        (
            "localhost:5000/library/python:3.14-rc",
            "3.14.0 is out since 2025-10-07; the -rc tag is not renewed: use 3.14",
        ),
        ("python:3.15.0rc1-slim-trixie", "3.15.0 is out since 2026-10-01; use 3.15-slim-trixie"),
        (f"python:3.15-rc@sha256:{'a' * 64}", "3.15.0 is out since 2026-10-01; the -rc tag is not renewed: use 3.15"),
        ("python:3.16-rc", ""),
        ("python:3.16.0a1", ""),
        ("python:3.15", ""),
        ("python:latest", ""),
        ("pypy:3.11-rc", ""),
        ("localhost:5000/python", ""),
    ],
)
def test_a_prerelease_that_is_released_has_a_note(reference: str, note: str) -> None:
    assert note == describe_outdated_tag(reference)
