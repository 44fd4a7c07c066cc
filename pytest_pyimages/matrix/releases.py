"""The known Python releases, and the tags of the official ``python`` image.

``releases.json`` has the dates of the releases; ``python -m tools.releases`` refreshes it from the release cycle that
python.org publishes. What is released and what has reached its end of life is decided by these dates and today's.
Tags: ``library/python`` of docker-library/official-images.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Literal, NamedTuple

Status = Literal["released", "prerelease", "end of life"]
TABLE = Path(__file__).with_name("releases.json")
#: The image exists, but no Python of this release is tested: ranges and ``auto`` leave it out.
UNTESTED = frozenset({"3.5"})


class Release(NamedTuple):
    """A minor release of Python."""

    major: int
    minor: int
    status: Status
    first_release: str  # date of X.Y.0: "2026-10-01"

    @property
    def name(self) -> str:
        """Its common name: ``3.14``."""
        return f"{self.major}.{self.minor}"

    @property
    def tag(self) -> str:
        """Its current tag: ``3.14``, or ``3.16-rc`` before its first release."""
        return f"{self.name}-rc" if self.status == "prerelease" else self.name


def read_releases(today: date) -> tuple[Release, ...]:
    """Return the releases of the table, oldest first, with their status on a day.

    Once its newest release is out, the next ones follow year by year (PEP 602), so that there always is a prerelease.
    """
    table: dict[str, Mapping[str, str]] = json.loads(TABLE.read_text(encoding="utf-8"))["releases"]
    releases = [_make_release(name, today, **dates) for name, dates in table.items()]
    releases.sort(key=lambda release: (release.major, release.minor))
    while releases[-1].status != "prerelease":
        last = releases[-1]
        year = int(last.first_release[:4]) + 1
        name, first_release = f"{last.major}.{last.minor + 1}", f"{year}{last.first_release[4:]}"
        releases.append(_make_release(name, today, first_release=first_release, end_of_life=f"{year + 5}-10"))
    return tuple(releases)


def _make_release(name: str, today: date, *, first_release: str, end_of_life: str) -> Release:
    """Return a release; its end of life is a day, or a month that still belongs to its life."""
    major, minor = map(int, name.split("."))
    day = today.isoformat()
    status: Status = "prerelease" if day < first_release else "released"
    if day[: len(end_of_life)] > end_of_life:
        status = "end of life"
    return Release(major=major, minor=minor, status=status, first_release=first_release)


RELEASES: tuple[Release, ...] = read_releases(datetime.now(timezone.utc).date())
RELEASE_OF: dict[str, Release] = {release.name: release for release in RELEASES}
MAJORS: tuple[str, ...] = tuple(sorted({str(release.major) for release in RELEASES}, reverse=True))
NEWEST_RELEASED: Release = [release for release in RELEASES if release.status == "released"][-1]
PRERELEASE: Release = next(release for release in RELEASES if release.status == "prerelease")
TESTED: tuple[Release, ...] = tuple(release for release in RELEASES if release.name not in UNTESTED)

#: Debian's code names, newest first; the first two are not out yet, but their names are settled.
CODENAMES = tuple("duke forky trixie bookworm bullseye buster stretch jessie wheezy".split())
#: Suffixes to suggest, most usual first; more are accepted (see is_variant).
VARIANTS: tuple[str, ...] = (
    "slim",
    "alpine",
    *CODENAMES,
    *(f"slim-{codename}" for codename in CODENAMES),
    *(f"alpine3.{minor}" for minor in range(24, 17, -1)),
    *(f"windowsservercore{version}" for version in ("", "-ltsc2025", "-ltsc2022", "-1809")),
)

_CODENAME = "|".join(CODENAMES)
_VARIANT = re.compile(
    rf"slim(?:-(?:{_CODENAME}))?|{_CODENAME}"
    r"|alpine(?:3\.[0-9]{1,2})?"
    r"|windowsservercore(?:-(?:ltsc20[0-9]{2}|[0-9]{4}))?"
)
_NUMBER = "(?:0|[1-9][0-9]{0,2})"
# "-rc" follows a minor only, "a1", "b2" and "rc3" follow a full version only.
_VERSIONED = re.compile(
    rf"(?P<version>{_NUMBER}|(?P<minor>{_NUMBER}\.{_NUMBER})(?:\.{_NUMBER}(?P<stage>(?:a|b|rc)[0-9]{{1,2}})?|(?P<rc>-rc))?)"
    r"(?:-(?P<variant>[a-z][a-z0-9.-]*))?"
)


class VersionedTag(NamedTuple):
    """The parts of a tag that has the form of an official one; it need not exist."""

    version: str  # "3", "3.12", "3.12.4", "3.15.0rc2", "3.15-rc"
    minor: str  # "3.12"; empty for "3"
    is_prerelease: bool
    variant: str  # "slim-bookworm"; may be empty


def split_tag(tag: str) -> VersionedTag | None:
    """Return the parts of ``3.13.5-slim-bookworm``; None for another form, such as ``latest`` and ``slim``."""
    match = _VERSIONED.fullmatch(tag)
    if match is None:
        return None
    return VersionedTag(
        version=match["version"],
        minor=match["minor"] or "",
        is_prerelease=bool(match["stage"] or match["rc"]),
        variant=match["variant"] or "",
    )


def is_variant(text: str) -> bool:
    """Return whether the official image has, had or may soon have such a suffix."""
    return _VARIANT.fullmatch(text) is not None


_FREE_THREADED = re.compile(rf"(?P<minor>3\.{_NUMBER})t(?P<rest>-.+)?")
FIRST_FREE_THREADED = 13  # minor release of Python 3 (PEP 703)


def split_free_threaded(tag: str) -> tuple[str, str]:
    """Return the plain tag and the free-threaded Python of ``3.14t-slim``: "3.14-slim" and "3.14t".

    There are no official images of it; uv, whose names these are, installs it into the plain tag's image. For other
    tags, the second text is empty.
    """
    match = _FREE_THREADED.fullmatch(tag)
    if match is None or int(match["minor"].partition(".")[2]) < FIRST_FREE_THREADED:
        return tag, ""
    return f"{match['minor']}{match['rest'] or ''}", f"{match['minor']}t"


def is_windows(reference: str) -> bool:
    """Return whether a reference's tag is one of an image of Windows."""
    tag = reference.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return re.search(r"(?:^|-)(?:windowsservercore|nanoserver)(?:-|$)", tag) is not None


def is_tag(tag: str) -> bool:
    """Return whether the tag looks like one of the official image; its patch number or base need not exist."""
    if tag == "latest" or is_variant(tag):
        return True
    parts = split_tag(tag)
    if parts is None or (parts.variant and not is_variant(parts.variant)):
        return False
    if not parts.minor:
        return parts.version in MAJORS
    release = RELEASE_OF.get(parts.minor)
    return release is not None and (release.status != "prerelease" or parts.is_prerelease)


def describe_outdated_tag(reference: str) -> str:
    """Return a note for a prerelease's tag of the official image once its release is out; empty for other references.

    The tag still exists then, but nothing renews it.
    """
    name, _, tag = reference.partition("@")[0].rpartition(":")
    parts = split_tag(tag)
    release = None if parts is None else RELEASE_OF.get(parts.minor)
    if name.rpartition("/")[2] != "python" or parts is None or not parts.is_prerelease or release is None:
        return ""
    if release.status == "prerelease":
        return ""
    use = f"{release.name}-{parts.variant}" if parts.variant else release.name
    why = "the -rc tag is not renewed: " if parts.version.endswith("-rc") else ""
    return f"{release.name}.0 is out since {release.first_release}; {why}use {use}"
