"""Expand the words that stand for Python releases: ``auto``, ``supported``, ``oldest``, ``latest``, ``next``, ``rc``.

All of them take a suffix, which is added to each release: ``rc-slim``, ``supported-alpine``.
"""

from __future__ import annotations

from pytest_pyimages.matrix.faults import EntryError
from pytest_pyimages.matrix.project import ProjectPythons, admitted_releases
from pytest_pyimages.matrix.releases import PRERELEASE, TESTED

WORDS = ("auto", "supported", "oldest", "latest", "next", "rc")


def expand_word(text: str, project: ProjectPythons) -> tuple[str, ...] | None:
    """Return the tags of a word, oldest first; None if the text is no word. The suffix is not checked.

    :raises EntryError: for a word that is not in lower case, one with the suffix ``-rc``, or if no release is left.
    """
    word, dash, suffix = text.partition("-")
    if word.lower() not in WORDS:
        return None
    if word not in WORDS:
        raise EntryError("is not a Python tag", nearest=(f"{word.lower()}{dash}{suffix}",))
    if dash and not suffix:
        raise EntryError("ends with a dash", nearest=(word,))
    if word in ("next", "rc"):
        return (f"{PRERELEASE.tag}{dash}{suffix}",)
    if suffix == "rc" or suffix.startswith("rc-"):
        raise EntryError(f"adds -rc to {word}", nearest=(f"rc{suffix[2:]}",))
    if word == "latest":  # the official image has such tags itself: latest, slim, alpine
        return (suffix or word,)
    if word == "supported":
        releases = tuple(release for release in TESTED if release.status == "released")
    else:
        releases = admitted_releases(project)
    chosen = releases[:1] if word == "oldest" else releases
    return tuple(f"{release.name}{dash}{suffix}" for release in chosen)
