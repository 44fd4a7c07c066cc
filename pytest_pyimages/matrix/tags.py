"""Check whether a plain tag can be one of the official image."""

from __future__ import annotations

import re

from pytest_pyimages.matrix.faults import EntryError, quote
from pytest_pyimages.matrix.nearest import similar_tags
from pytest_pyimages.matrix.references import LONGEST_TAG, PATH_COMPONENT
from pytest_pyimages.matrix.releases import (
    FIRST_FREE_THREADED,
    NEWEST_RELEASED,
    RELEASE_OF,
    is_tag,
    is_variant,
    split_free_threaded,
    split_tag,
)
from pytest_pyimages.matrix.words import WORDS
from pytest_pyimages.text import find_similar

_EXAMPLE = f"tags look like {NEWEST_RELEASED.name} or {NEWEST_RELEASED.name}-slim"
_SEPARATORS = re.compile("[;|&+]+")  # instead of commas
_OTHER_PYTHON = re.compile(r"(?P<repository>pypy|graalpy)[-:]?(?P<tag>[0-9][a-z0-9.-]*)?")
_FREE_THREADED = re.compile(r"(?P<minor>[0-9]+\.[0-9]+)(?:\.[0-9]+)?(?:t|-?nogil|-?free-?threaded|-?ft)(?P<rest>-.*)?")


def check_tag(tag: str) -> None:
    """Return if the tag can be one of the official image.

    :raises EntryError: if it cannot; with the tag that may have been meant.
    """
    if is_tag(tag):
        return
    if len(tag) > LONGEST_TAG:
        raise EntryError(f"is longer than a tag can be ({LONGEST_TAG} characters)")
    if found := _FREE_THREADED.fullmatch(tag):
        free_threaded = f"{found['minor']}t{found['rest'] or ''}"
        hint = f"free-threaded Python begins with 3.{FIRST_FREE_THREADED}t, without a patch number"
        if is_tag(split_free_threaded(free_threaded)[0]):
            raise EntryError("is not a Python tag", nearest=(free_threaded,))
        raise EntryError("is not a Python tag", hint=hint)
    separated = _SEPARATORS.split(tag)
    nearest = (",".join(separated),) if len(separated) > 1 and all(map(is_tag, separated)) else similar_tags(tag)[:1]
    if tag.startswith("-"):
        raise EntryError("starts with a dash", nearest=nearest, hint="" if nearest else _EXAMPLE)
    parts = split_tag(tag)
    if parts is None or not parts.minor or f"{parts.minor}0" in RELEASE_OF:
        raise _invalid_tag(tag, nearest)
    full_reference = f"to use it anyway, write python:{tag}"
    if parts.minor not in RELEASE_OF:
        raise EntryError("is not a known Python release", nearest=nearest, hint=full_reference)
    if parts.variant and not is_variant(parts.variant):
        raise EntryError(f"has an unknown variant, {quote(parts.variant)}", nearest=nearest, hint=full_reference)
    raise EntryError("is not released yet", nearest=nearest, hint=full_reference)


def has_tag_form(text: str) -> bool:
    """Return whether a text is meant as a tag of the official image, even if there is no such tag."""
    plain = split_free_threaded(text)[0]
    return is_tag(plain) or split_tag(plain) is not None


def _invalid_tag(tag: str, nearest: tuple[str, ...]) -> EntryError:
    hint = ""
    parts = split_tag(tag)
    other = _OTHER_PYTHON.fullmatch(tag)
    if parts is not None and f"{parts.minor}0" in RELEASE_OF:
        hint = f"in TOML an unquoted {parts.minor}0 is the number {parts.minor}: quote it"
    elif other is not None:
        nearest = (f"{other['repository']}:{other['tag'] or 'latest'}",)
    elif near := find_similar(tag, WORDS):
        nearest = (near, *nearest)
    elif not nearest:
        hint = _EXAMPLE
        if re.fullmatch(PATH_COMPONENT, tag) and not tag.isdigit():
            hint += f"; another image needs its tag, as in {tag}:latest"
    return EntryError("is not a Python tag", nearest=nearest, hint=hint)
