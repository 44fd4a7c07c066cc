"""Which Python releases a project says it supports."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_pyimages.matrix.faults import EntryError, quoted
from pytest_pyimages.matrix.releases import RELEASES, Release

_CLASSIFIER = re.compile(r"Programming Language :: Python :: (?P<version>[0-9]+(?:\.[0-9]+)?)(?: :: Only)?")
_LOWER_BOUNDS = frozenset({">=", ">", "~=", "==", "==="})
# The tag of a minor has the newest patch; no minor has had as many.
_NEWEST_PATCH = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPythons:
    """What the project's own metadata says about Python versions."""

    requires_python: str = ""  # "Requires-Python" of the core metadata, PEP 440 specifiers; empty if unknown
    classifiers: tuple[str, ...] = ()  # all of them; others than "Programming Language :: Python" are passed over


def admitted_releases(project: ProjectPythons) -> tuple[Release, ...]:
    """The released minors that ``auto`` stands for, oldest first.

    A minor is in if ``requires-python`` admits its newest patch and, where classifiers name any minor, they name this
    one. One past its end of life is in only if the project speaks of it: by a classifier, or, without such classifiers,
    by a lower bound that is old enough.

    :raises EntryError: ``requires-python`` is not a version specifier, or no release is left.
    """
    from packaging.specifiers import SpecifierSet  # some 50 ms that only ``auto`` has to wait for

    minors, majors = _classified(project.classifiers)
    try:
        admitted = SpecifierSet(project.requires_python)
        has_lower_bound = any(specifier.operator in _LOWER_BOUNDS for specifier in admitted)
        released = [release for release in RELEASES if release.status != "prerelease"]
        chosen = [release for release in released if admitted.contains(f"{release.name}.{_NEWEST_PATCH}")]
    except ValueError as error:  # InvalidSpecifier, and int() for thousands of digits
        problem = (
            f"cannot be worked out: requires-python, {quoted(project.requires_python)}, is not a version specifier"
        )
        raise EntryError(problem, hint="correct it, or name the images") from error
    if minors:
        chosen = [release for release in chosen if release.name in minors]
    else:
        chosen = [release for release in chosen if not majors or str(release.major) in majors]
        chosen = [release for release in chosen if has_lower_bound or release.status == "released"]
    if not chosen:
        raise EntryError(f"stands for no released Python: {_reasons(project, minors)}", hint="name the images")
    return tuple(chosen)


def _classified(classifiers: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """The minors and the bare majors that are listed."""
    matches = [_CLASSIFIER.fullmatch(classifier.strip()) for classifier in classifiers]
    versions = frozenset(match["version"] for match in matches if match)
    minors = frozenset(version for version in versions if "." in version)
    return minors, versions - minors


def _reasons(project: ProjectPythons, minors: frozenset[str]) -> str:
    reasons = []
    if project.requires_python:
        reasons.append(f"requires-python is {quoted(project.requires_python)}")
    if minors:
        reasons.append(f"the classifiers list {quoted(', '.join(sorted(minors)))}")
    return " and ".join(reasons) or "the classifiers list no major that is known"
