"""Expand ranges of Python releases: ``3.10..3.14-slim``."""

from __future__ import annotations

import re

from pytest_pyimages.matrix.faults import EntryError
from pytest_pyimages.matrix.nearest import nearest_release
from pytest_pyimages.matrix.releases import NEWEST_RELEASED, RELEASE_OF, RELEASES, TESTED, UNTESTED, Release

_END = r"[0-9]{1,3}\.[0-9]{1,3}"
_RANGE = re.compile(rf"(?P<first>{_END})(?P<from_t>t?)\.\.(?P<last>{_END})(?P<t>t?)(?P<suffix>-.*)?", re.DOTALL)
_OLDEST_RELEASED = next(release for release in RELEASES if release.status == "released")
_WIDEST = f"{_OLDEST_RELEASED.name}..{NEWEST_RELEASED.name}"
_EXAMPLE = f"ranges look like {_WIDEST} or {_WIDEST}-slim"


def expand_range(text: str) -> tuple[str, ...]:
    """Return the tags of a range, oldest first; a text without ``..`` is returned alone. The suffix is not checked.

    :raises EntryError: an end is missing, unknown or not released, or the range runs backwards.
    """
    if ".." not in text:
        return (text,)
    match = _RANGE.fullmatch(text)
    if match is None:
        raise EntryError("is not a range of Python releases", hint=_EXAMPLE)
    free_threaded, rest = match["t"], match["suffix"] or ""
    suffix = free_threaded + rest
    nearest = (_suggest_range(match["first"], match["last"], suffix),)
    for end in _list_ends(match, nearest):
        if end not in RELEASE_OF:
            raise EntryError(f"has an end, {end}, that is not a known Python release", nearest=nearest)
        if end in UNTESTED:
            hint = f"no range includes it; add {end} to the list to try it"
            raise EntryError(f"has an end, {end}, that is not a supported Python", nearest=nearest, hint=hint)
    first, last = RELEASE_OF[match["first"]], RELEASE_OF[match["last"]]
    if _age(first) > _age(last):
        raise EntryError("runs backwards", nearest=nearest)
    if re.match("t?-rc(-|$)", suffix):
        raise EntryError("adds -rc to each release", nearest=nearest)
    chosen = [release for release in TESTED if _age(first) <= _age(release) <= _age(last)]
    for release in chosen:
        if release.status == "prerelease":
            raise EntryError(
                f"includes {release.name}, which is not released yet",
                nearest=nearest,
                hint=f"add {release.name}{free_threaded}-rc{rest}",
            )
    return tuple(f"{release.name}{suffix}" for release in chosen)


def _list_ends(match: re.Match[str], nearest: tuple[str, ...]) -> tuple[str, str]:
    """Return the ends of a range; raise EntryError if only one of them is free-threaded."""
    if match["from_t"] != match["t"]:
        raise EntryError("is not a range of Python releases", nearest=nearest)
    return match["first"], match["last"]


def _suggest_range(first: str, last: str, suffix: str) -> str:
    """Return a range of released Pythons, oldest first."""
    oldest, newest = sorted((_suggest_end(first), _suggest_end(last)), key=_age)
    free_threaded = "t" if suffix.startswith("t") else ""
    first_name = "" if oldest is newest else f"{oldest.name}{free_threaded}.."
    return f"{first_name}{newest.name}{free_threaded}{suffix.removeprefix('t').removeprefix('-rc')}"


def _suggest_end(version: str) -> Release:
    # A far end beyond all that is known means "up to the newest".
    release = nearest_release(version)
    if release.name in UNTESTED:
        release = RELEASES[_age(release) + 1]
    return NEWEST_RELEASED if release.status == "prerelease" else release


def _age(release: Release) -> int:
    return RELEASES.index(release)
