"""The tags nearest to one that does not exist."""

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

# The work is quadratic in the length, and a longer tag resembles nothing.
_COMPARED_CHARACTERS = 48
_ROUGH = re.compile(
    r"(?:python|py|cp|v)?[-_.:=]*"
    r"(?P<version>[0-9][0-9oil]*(?:[._][0-9oil]+)*)?"
    r"(?P<stage>[-._]?(?:rc|alpha|beta|dev|a|b)(?![a-z])[.0-9]*)?"
    r"[-_.:]*(?P<variant>.*)",
    re.DOTALL,
)
# From two slips on, spelling says nothing any more.
_UNLIKE = 2
_TWO_DIGITS = 10
_FUTURE = re.compile(r"3\.[1-9][0-9]")
# Letters that are taken for digits.
_DIGITS = str.maketrans({"o": "0", "i": "1", "l": "1", "_": "."})
_OTHER_NAMES = {
    "python": "latest",
    "rc": next(release.tag for release in RELEASES if release.status == "prerelease"),
}


def nearest_tags(tag: str, *, count: int = 2) -> tuple[str, ...]:
    """Up to ``count`` tags of the official image that may have been meant, best first, never the tag itself."""
    found = [*similar_tags(tag), NEWEST_RELEASED.name, f"{NEWEST_RELEASED.name}-slim", "latest"]
    return tuple(candidate for candidate in dict.fromkeys(found) if candidate != tag)[:count]


def similar_tags(tag: str) -> tuple[str, ...]:
    """Tags that resemble this one, best first; none where it resembles nothing."""
    found = _candidates(tag.strip().lower()[:_COMPARED_CHARACTERS])
    return tuple(candidate for candidate in dict.fromkeys(found) if candidate != tag and is_tag(candidate))


def nearest_release(version: str) -> Release:
    """The known release whose name is nearest to a dotted number."""
    return _ranked(_minor(version))[0]


def _candidates(text: str) -> Iterator[str]:
    match = _ROUGH.fullmatch(text)
    if match is None or match["version"] is None:
        yield from _words(text.removeprefix("latest-"))
        return
    version = match["version"].translate(_DIGITS)
    wanted = _variant(match["variant"])
    yield _joined(version + (match["stage"] or ""), wanted)
    yield _joined(version, wanted)
    if version in MAJORS:
        yield version
        return
    minor = _minor(version)
    first, second = _ranked(minor)[:2]
    if minor == first.name:
        # The release is right, so something else is wrong: patch number, base or spelling.
        for variant in _simpler(wanted):
            yield _joined(first.tag, variant)
        yield _joined(second.tag, wanted)
    else:
        for release in (first, second):
            yield _joined(release.tag, wanted)
        yield first.tag


def _words(text: str) -> Iterator[str]:
    if text in _OTHER_NAMES:
        yield _OTHER_NAMES[text]
    known = ("latest", *VARIANTS)
    distance, word = min(((_distance(text, word), word) for word in known), key=lambda pair: pair[0])
    if distance <= _tolerance(text):
        yield word


def _variant(text: str) -> str:
    """The known variant that the text is, or nearly is; empty if there is none."""
    text = text.replace("_", "-").rstrip("-.")
    if is_variant(text):
        return text
    swapped = "-".join(reversed(text.split("-", 1)))  # other official images have "bookworm-slim"
    if is_variant(swapped):
        return swapped
    if text.startswith("alpine"):
        return "alpine"
    distance, variant = min(((_distance(text, known), known) for known in VARIANTS), key=lambda pair: pair[0])
    return variant if distance <= _tolerance(text) else ""


def _simpler(variant: str) -> Iterator[str]:
    """The variant, then what may exist where it does not."""
    yield variant
    if variant.startswith("alpine"):
        yield "alpine"
    elif "-" in variant:
        yield variant.split("-", 1)[0]
    yield ""
    if variant:
        yield "slim"


def _minor(version: str) -> str:
    """The minor release that the digits name: ``3.12`` of ``3.12.4``, ``3.012``, ``312`` and ``12``."""
    parts = [part.lstrip("0") or "0" for part in version.split(".")]
    if len(parts) > 1:
        return ".".join(parts[:2])
    digits = parts[0]
    for name in (f"{digits[0]}.{digits[1:]}", f"3.{digits}"):
        if name in RELEASE_OF:
            return name
    return digits


def _ranked(minor: str) -> list[Release]:
    """All known releases, the nearest to the text first: by spelling, then by number."""
    wanted = _place(minor)
    # 3.99 means the newest, as a number and for those who write it; it is not 3.9 with a digit too many.
    is_future = bool(_FUTURE.fullmatch(minor)) and minor not in RELEASE_OF

    def cost(release: Release) -> tuple[int, int, int]:
        if release.name == f"{minor}0":  # 3.10 written as a number is 3.1
            return 0, 0, 0
        distance = _UNLIKE if is_future and release.minor < _TWO_DIGITS else _distance(minor, release.name)
        distance = min(distance, _UNLIKE)
        if release.status == "prerelease" and distance == _UNLIKE:  # only a near miss can mean a prerelease
            distance += 1
        place = _place(release.name)
        return distance, abs(place - wanted), -place

    return sorted(RELEASES, key=cost)


def _place(version: str) -> int:
    """A number that is larger for the later release; majors are far apart."""
    major, _, minor = version.partition(".")
    return int(major) * 1000 + int(minor or 0)


def _joined(version: str, variant: str) -> str:
    return f"{version}-{variant}" if variant else version


def _tolerance(text: str) -> int:
    return min(2, len(text) // 2)


def _distance(one: str, other: str) -> int:
    """How many single characters must be put in, taken out, replaced or swapped with their neighbour."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        current = [row]
        for column, right in enumerate(other, 1):
            best = min(last[column] + 1, current[-1] + 1, last[column - 1] + (left != right))
            if row > 1 and column > 1 and left == other[column - 2] and one[row - 2] == right:
                best = min(best, before[column - 2] + 1)
            current.append(best)
        before, last = last, current
    return last[-1]
