"""The known Python releases, and the tags of the official ``python`` image.

Statuses: the release schedules (PEP 373, 478, 494, 537, 569, 596, 619, 664, 693, 719, 745, 790, 826).
Tags: ``library/python`` of docker-library/official-images.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Status = Literal["released", "prerelease", "end of life"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A minor release of Python."""

    major: int
    minor: int
    status: Status

    @property
    def name(self) -> str:
        """Its common name: ``3.14``."""
        return f"{self.major}.{self.minor}"

    @property
    def tag(self) -> str:
        """Its current tag: ``3.14``, or ``3.16-rc`` before its first release."""
        return f"{self.name}-rc" if self.status == "prerelease" else self.name


def _releases(major: int, minors: range, status: Status) -> tuple[Release, ...]:
    return tuple(Release(major=major, minor=minor, status=status) for minor in minors)


#: Oldest first. Nothing older than 2.7 and 3.5 can run the worker.
RELEASES: tuple[Release, ...] = (
    *_releases(2, range(7, 8), "end of life"),
    *_releases(3, range(5, 11), "end of life"),
    *_releases(3, range(11, 16), "released"),
    *_releases(3, range(16, 17), "prerelease"),
)
RELEASE_OF: dict[str, Release] = {release.name: release for release in RELEASES}
MAJORS: tuple[str, ...] = tuple(sorted({str(release.major) for release in RELEASES}, reverse=True))
NEWEST_RELEASED: Release = max((r for r in RELEASES if r.status == "released"), key=lambda r: (r.major, r.minor))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedTag:
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
