"""Suggest existing tags for one that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_pyimages.matrix.releases import (
    MAJORS,
    NEWEST_RELEASED,
    RELEASE_OF,
    RELEASES,
    VARIANTS,
    Release,
    is_tag,
    is_variant,
)
from pytest_pyimages.text import find_similar

# The work is quadratic in the length, and a longer tag resembles nothing.
_COMPARED_CHARACTERS = 48
_ROUGH = re.compile(
    r"(?:c?python|py|cp|v)?[-_.:=]*"
    r"(?P<version>[0-9][0-9oil]*(?:[._][0-9oil]+)*)?"
    r"(?P<stage>[-._]?(?:rc|alpha|beta|dev|a|b)(?![a-z])[.0-9]*)?"
    r"[-_.:]*(?P<variant>.*)",
    re.DOTALL,
)
# Letters that are mistaken for digits.
_DIGITS = str.maketrans({"o": "0", "i": "1", "l": "1", "_": "."})
_FAR = 3  # releases; a version that much later than a prerelease does not mean it


def nearest_tags(tag: str) -> tuple[str, ...]:
    """Return the two tags of the official image that were most probably meant, best first."""
    found = [*similar_tags(tag), NEWEST_RELEASED.name, f"{NEWEST_RELEASED.name}-slim", "latest"]
    return tuple(candidate for candidate in dict.fromkeys(found) if candidate != tag)[:2]


def similar_tags(tag: str) -> tuple[str, ...]:
    """Return the tags that resemble this one, best first; none if it resembles nothing."""
    found = _candidates(tag.strip().lower()[:_COMPARED_CHARACTERS])
    return tuple(candidate for candidate in dict.fromkeys(found) if candidate != tag and is_tag(candidate))


def nearest_release(version: str) -> Release:
    """Return the known release that is nearest to a dotted number."""
    return _nearest_releases(_minor(version))[0]


def _candidates(text: str) -> Iterator[str]:
    match = _ROUGH.fullmatch(text)
    if match is None or match["version"] is None:
        yield find_similar(text.removeprefix("latest-"), ("latest", *VARIANTS))
        return
    version = match["version"].translate(_DIGITS)
    variant = _variant(match["variant"])
    yield _join(version + (match["stage"] or ""), variant)
    yield _join(version, variant)
    if version in MAJORS:
        return
    minor = _minor(version)
    first, second = _nearest_releases(minor)[:2]
    if minor == first.name:  # so something else is wrong: patch number, base or spelling
        base = "alpine" if variant.startswith("alpine") else variant.split("-")[0]
        for simpler in (variant, base, "", "slim" if variant else ""):
            yield _join(first.tag, simpler)
    for release in (first, second):
        yield _join(release.tag, variant)


def _variant(text: str) -> str:
    """Return the known variant that the text is, or resembles; empty if there is none."""
    text = text.replace("_", "-").rstrip("-.")
    swapped = "-".join(reversed(text.split("-", 1)))  # other official images have "bookworm-slim"
    known = next((variant for variant in (text, swapped) if is_variant(variant)), "")
    return known or ("alpine" if text.startswith("alpine") else find_similar(text, VARIANTS))


def _minor(version: str) -> str:
    """Return the minor release that the digits name: ``3.12`` for ``3.12.4``, ``3.012``, ``312`` and ``12``."""
    parts = [part.lstrip("0") or "0" for part in version.split(".")]
    if len(parts) > 1:
        return ".".join(parts[:2])
    digits = parts[0]
    return next((name for name in (f"{digits[0]}.{digits[1:]}", f"3.{digits}") if name in RELEASE_OF), digits)


def _nearest_releases(minor: str) -> list[Release]:
    """Return all known releases, the nearest first; 3.10 is the nearest to 3.1, which is how TOML reads it."""
    place = _place(minor)

    def rank(release: Release) -> tuple[bool, bool, int, int]:
        difference = place - _place(release.name)
        is_far = release.status == "prerelease" and abs(difference) > _FAR
        return release.name != f"{minor}0", is_far, abs(difference), -_place(release.name)

    return sorted(RELEASES, key=rank)


def _place(version: str) -> int:
    """Return a number that is greater for the later release; majors are far apart."""
    major, _, minor = version.partition(".")
    return int(major) * 1000 + int(minor or 0)


def _join(version: str, variant: str) -> str:
    return f"{version}-{variant}" if variant else version
