"""Find the Python releases that a project supports."""

from __future__ import annotations

import re
from typing import NamedTuple

from pytest_pyimages.matrix.faults import EntryError, quote
from pytest_pyimages.matrix.releases import TESTED, Release

_CLASSIFIER = re.compile(r"Programming Language :: Python :: (?P<version>[0-9]+(?:\.[0-9]+)?)(?: :: Only)?")
_LOWER_BOUNDS = frozenset({">=", ">", "~=", "==", "==="})
# A minor's tag is its newest patch; no minor has had as many.
_NEWEST_PATCH = 99


class ProjectPythons(NamedTuple):
    """Python versions in the project's metadata."""

    requires_python: str = ""  # "Requires-Python" of the core metadata, PEP 440 specifiers; empty if unknown
    classifiers: tuple[str, ...] = ()  # all of them; only "Programming Language :: Python" count


def admitted_releases(project: ProjectPythons) -> tuple[Release, ...]:
    """Return the released minors that ``auto`` stands for, oldest first.

    A minor is included if ``requires-python`` admits its newest patch and, where classifiers name any minor, they name
    this one. A minor past its end of life is included only if the project names it: by a classifier, or, without such
    classifiers, by a lower bound that is old enough.

    :raises EntryError: ``requires-python`` is not a version specifier, or no release is left.
    """
    from packaging.specifiers import SpecifierSet  # slow to import, and only ``auto`` needs it

    minors, majors = _read_classifiers(project.classifiers)
    try:
        admitted = SpecifierSet(project.requires_python)
        has_lower_bound = any(specifier.operator in _LOWER_BOUNDS for specifier in admitted)
        released = [release for release in TESTED if release.status != "prerelease"]
        chosen = [release for release in released if admitted.contains(f"{release.name}.{_NEWEST_PATCH}")]
    except ValueError as error:  # InvalidSpecifier, and int() for thousands of digits
        problem = f"cannot be determined: requires-python, {quote(project.requires_python)}, is not a version specifier"
        raise EntryError(problem, hint="fix it, or name the images") from error
    if minors:
        chosen = [release for release in chosen if release.name in minors]
    else:
        chosen = [release for release in chosen if not majors or str(release.major) in majors]
        chosen = [release for release in chosen if has_lower_bound or release.status == "released"]
    if not chosen:
        raise EntryError(f"stands for no released Python: {_describe_limits(project, minors)}", hint="name the images")
    return tuple(chosen)


def _read_classifiers(classifiers: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the minors and the bare majors that are listed."""
    matches = [_CLASSIFIER.fullmatch(classifier.strip()) for classifier in classifiers]
    versions = frozenset(match["version"] for match in matches if match)
    minors = frozenset(version for version in versions if "." in version)
    return minors, versions - minors


def _describe_limits(project: ProjectPythons, minors: frozenset[str]) -> str:
    reasons = []
    if project.requires_python:
        reasons.append(f"requires-python is {quote(project.requires_python)}")
    if minors:
        reasons.append(f"the classifiers list {quote(', '.join(sorted(minors)))}")
    return " and ".join(reasons) or "the classifiers list no known major"
