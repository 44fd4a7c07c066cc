"""Ranges of Python releases: ``3.10..3.14-slim``."""

from __future__ import annotations

import re

from pytest_pyimages.matrix.faults import EntryError
from pytest_pyimages.matrix.nearest import nearest_release, similar_tags
from pytest_pyimages.matrix.releases import (
    NEWEST_RELEASED,
    RELEASE_OF,
    RELEASES,
    Release,
    is_variant,
)

_END = r"[0-9]{1,3}\.[0-9]{1,3}"
_RANGE = re.compile(rf"(?P<first>{_END})\.\.(?P<last>{_END})(?P<suffix>-.*)?", re.DOTALL)
_NEARLY_AN_END = re.compile(r"(?P<version>[0-9]{1,3}(?:\.[0-9]{1,3}){0,2})?(?P<suffix>-[a-z0-9.-]+)?")
_OLDEST_RELEASED = next(release for release in RELEASES if release.status == "released")
_WIDEST = f"{_OLDEST_RELEASED.name}..{NEWEST_RELEASED.name}"
_EXAMPLE = f"ranges look like {_WIDEST} or {_WIDEST}-slim"


def expand_range(text: str) -> tuple[str, ...]:
    """The tags of a range, oldest first; what is no range comes back alone. The suffix is not looked at.

    :raises EntryError: an end is missing, unknown or not released, or the range runs backwards.
    """
    if ".." not in text:
        return (text,)
    match = _RANGE.fullmatch(text)
    if match is None:
        raise EntryError("is not a range of Python releases", nearest=_mended(text), hint=_EXAMPLE)
    suffix = match["suffix"] or ""
    nearest = _suggested(match["first"], match["last"], suffix)
    for end in (match["first"], match["last"]):
        if end not in RELEASE_OF:
            raise EntryError(f"has an end, {end}, that is no known Python release", nearest=nearest)
    first, last = RELEASE_OF[match["first"]], RELEASE_OF[match["last"]]
    if _age(first) > _age(last):
        raise EntryError("runs backwards", nearest=nearest)
    if suffix == "-rc" or suffix.startswith("-rc-"):
        raise EntryError("puts -rc on every release", nearest=nearest)
    chosen = RELEASES[_age(first) : _age(last) + 1]
    for release in chosen:
        if release.status == "prerelease":
            raise EntryError(f"includes {release.name}, which is not released yet", nearest=nearest)
    return tuple(f"{release.name}{suffix}" for release in chosen)


def _mended(text: str) -> tuple[str, ...]:
    """A range made of two pieces that nearly are ends: ``3.10..14``, ``3.10-slim...3.14-slim``, ``3.10..``."""
    before, *dots_and_after = re.split(r"\.{2,}", text, maxsplit=1)
    first = _NEARLY_AN_END.fullmatch(before)
    last = _NEARLY_AN_END.fullmatch("".join(dots_and_after))
    if first is None or last is None:
        return ()
    return _suggested(
        first["version"] or _OLDEST_RELEASED.name,
        last["version"] or NEWEST_RELEASED.name,
        last["suffix"] or first["suffix"] or "",
    )


def _suggested(first: str, last: str, suffix: str) -> tuple[str, ...]:
    """What can be taken instead: known ends, oldest first, prereleases beside the range and not in it."""
    oldest, newest = sorted(_age(_end(version)) for version in (first, last))
    variant = suffix.removeprefix("-rc").removeprefix("-")
    if variant and not is_variant(variant):
        variant = next((tag for tag in similar_tags(variant) if is_variant(tag)), "")
    ending = f"-{variant}" if variant else ""
    chosen = RELEASES[oldest : newest + 1]
    released = [release.name for release in chosen if release.status != "prerelease"]
    parts = [f"{release.tag}{ending}" for release in chosen if release.status == "prerelease"]
    if released:
        parts.insert(0, f"{released[0]}..{released[-1]}{ending}" if len(released) > 1 else f"{released[0]}{ending}")
    return (",".join(parts),)


def _end(version: str) -> Release:
    major, _, minor = version.partition(".")
    number = int(minor.partition(".")[0] or 0)
    # A far end beyond all that is known means "up to the newest", not the release that is spelled most alike.
    if major == str(NEWEST_RELEASED.major) and number > max(release.minor for release in RELEASES):
        return NEWEST_RELEASED
    return nearest_release(version)


def _age(release: Release) -> int:
    return RELEASES.index(release)
