"""Whether a plain tag can be one of the official image, and what is wrong with it if not."""

from __future__ import annotations

import re

from pytest_pyimages.matrix.faults import EntryError, quoted
from pytest_pyimages.matrix.nearest import similar_tags
from pytest_pyimages.matrix.references import LONGEST_TAG, PATH_COMPONENT
from pytest_pyimages.matrix.releases import (
    NEWEST_RELEASED,
    RELEASE_OF,
    is_tag,
    is_variant,
    split_tag,
)

_EXAMPLE = f"tags look like {NEWEST_RELEASED.name} or {NEWEST_RELEASED.name}-slim"
_OTHER_PYTHON = re.compile(r"(?P<repository>pypy|graalpy)[-:]?(?P<tag>[0-9][a-z0-9.-]*)?")
_BETWEEN = re.compile(r"[;|&+]+|[.](?=[23]\.[0-9])")
_FREE_THREADED = re.compile(r"(?P<version>[0-9]+\.[0-9.]+)(?:t|-nogil|-freethreaded|-free-threaded)(?:-.*)?")


def check_tag(tag: str) -> None:
    """Return if the tag can be one of the official image.

    :raises EntryError: it cannot; with the tag that may have been meant.
    """
    if is_tag(tag):
        return
    if len(tag) > LONGEST_TAG:
        raise EntryError(f"is longer than a tag can be ({LONGEST_TAG} characters)")
    nearest = _run_together(tag) or similar_tags(tag)[:1]
    if tag.startswith("-"):
        raise EntryError("starts with a dash", nearest=nearest, hint="" if nearest else _EXAMPLE)
    parts = split_tag(tag)
    if parts is None or not parts.minor or f"{parts.minor}0" in RELEASE_OF:
        raise _no_tag(tag, nearest)
    as_it_is = f"a full reference is taken as it is: python:{tag}"
    if parts.minor not in RELEASE_OF:
        raise EntryError("names no Python release that is known here", nearest=nearest, hint=as_it_is)
    if parts.variant and not is_variant(parts.variant):
        raise EntryError(f"has an unknown variant, {quoted(parts.variant)}", nearest=nearest, hint=as_it_is)
    raise EntryError("is not released yet", nearest=nearest, hint=as_it_is)


def _run_together(tag: str) -> tuple[str, ...]:
    """Return the list that was meant where something else than commas stands between tags: ``3.12;3.14``."""
    parts = _BETWEEN.split(tag)
    if len(parts) > 1 and all(is_tag(part) and "." in part for part in parts):
        return (",".join(parts),)
    return ()


def _no_tag(tag: str, nearest: tuple[str, ...]) -> EntryError:
    parts = split_tag(tag)
    if parts is not None and f"{parts.minor}0" in RELEASE_OF:
        hint = f"in TOML an unquoted {parts.minor}0 is the number {parts.minor}: quote it"
        return EntryError("is not a Python tag", nearest=nearest, hint=hint)
    if _FREE_THREADED.fullmatch(tag):
        return EntryError(
            "is not a Python tag", nearest=nearest, hint="there are no official images of free-threaded Python"
        )
    other = _OTHER_PYTHON.fullmatch(tag)
    if other is not None:
        return EntryError("is not a Python tag", nearest=(f"{other['repository']}:{other['tag'] or 'latest'}",))
    if nearest:
        return EntryError("is not a Python tag", nearest=nearest)
    if re.fullmatch(PATH_COMPONENT, tag) and not tag.isdigit():
        return EntryError(
            "is not a Python tag", hint=f"{_EXAMPLE}; another image is written with its tag, as in {tag}:latest"
        )
    return EntryError("is not a Python tag", hint=_EXAMPLE)
