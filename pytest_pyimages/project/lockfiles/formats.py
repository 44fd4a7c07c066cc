"""Lock files as their tools write them, in one form.

``pylock.toml`` has a specification (PEP 751). The others are what their tools write: uv, Poetry, PDM and Pipenv. Each
format has a version; of one that is not known nothing is believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.pylock import Pylock, PylockValidationError
from packaging.specifiers import InvalidSpecifier
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import Table, get_strings, get_table, make_read_error, read_toml
from pytest_pyimages.project.poetry import convert_constraint, convert_python
from pytest_pyimages.project.requirements import parse_requirement
from pytest_pyimages.text import one_line

# Lines of a file's address and hash: nine tenths of a lock file, and of the time that it takes to read one.
_ARTIFACTS = re.compile(r"^(?:sdist = \{.*\}|[ \t]+\{ ?(?:url|file) = .*\},?)$", re.MULTILINE)
# Where a locked distribution comes from instead of an index: Pipenv's and PDM's keys.
_ELSEWHERE = frozenset("path file url editable git hg svn bzr ref revision".split())


@dataclass(frozen=True, slots=True)
class Edge:
    """A dependency, as a lock file writes it."""

    name: NormalizedName
    version: str = ""  # where the distribution is locked in several


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One version of a distribution."""

    name: NormalizedName
    version: str  # empty: not from an index, so that nobody can ask for it by its version
    markers: tuple[str, ...] = ()  # it is for environments that one of these admits; for all, if there is none
    edges: tuple[Edge, ...] = ()  # with those of its extras


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """What a lock file says."""

    path: Path
    problem: str = ""  # why nothing of it can be used
    requires_python: str = ""  # a specifier set
    environments: tuple[str, ...] = ()  # markers, one of which is to admit the environment; for all, if there is none
    packages: tuple[LockedPackage, ...] = ()
    has_edges: bool = True  # whether it says what depends on what


def read_lock_file(path: Path) -> LockFile:
    """Return what a lock file says.

    :raises ConfigurationError: if it cannot be read, or is not even TOML or JSON.
    """
    if path.name == "Pipfile.lock":
        return _read_pipfile(path, _read_json(path))
    readers = {"uv.lock": _read_uv, "poetry.lock": _read_poetry, "pdm.lock": _read_pdm}
    if path.name in readers:
        return readers[path.name](path, read_toml(path, without=_ARTIFACTS))
    return _read_pylock(path, read_toml(path))


def _unknown_version(path: Path, version: str) -> LockFile:
    return LockFile(path=path, problem=f"format version {version or '(none)'} is not known")


def _read_uv(path: Path, document: Table) -> LockFile:
    # Revisions are compatible with each other, versions are not ("Lockfile versioning" in uv's documentation).
    version = str(document.get("version", ""))
    if version != "1":
        return _unknown_version(path, version)
    packages = []
    for entry in _tables(document.get("package")):
        nested = (*get_table(entry, "optional-dependencies").values(), entry.get("dependencies"))
        packages.append(
            LockedPackage(
                name=_name(entry),
                version=_text(entry, "version") if "registry" in get_table(entry, "source") else "",
                markers=get_strings(entry.get("resolution-markers")),
                edges=tuple(Edge(_name(edge), _text(edge, "version")) for listed in nested for edge in _tables(listed)),
            )
        )
    return LockFile(
        path=path,
        requires_python=_text(document, "requires-python"),
        environments=get_strings(document.get("supported-markers")),
        packages=tuple(packages),
    )


def _read_pylock(path: Path, document: Table) -> LockFile:
    version = str(document.get("lock-version", ""))
    if version.partition(".")[0] != "1":
        return _unknown_version(path, version)
    try:
        lock = Pylock.from_dict(document)
    except PylockValidationError as error:
        return LockFile(path=path, problem=f"not valid ({one_line(error)})")
    packages = []
    for package in lock.packages:
        marker = _all_of([str(package.marker or ""), _python(str(package.requires_python or ""))])
        packages.append(
            LockedPackage(
                name=package.name,
                version="" if package.is_direct else str(package.version or ""),
                markers=(marker,) if marker else (),
                edges=tuple(Edge(_name(edge), _text(edge, "version")) for edge in package.dependencies or ()),
            )
        )
    return LockFile(
        path=path,
        requires_python=str(lock.requires_python or ""),
        environments=tuple(map(str, lock.environments or ())),
        packages=tuple(packages),
        # which the specification leaves to the tool
        has_edges=any(package.dependencies is not None for package in lock.packages),
    )


def _read_poetry(path: Path, document: Table) -> LockFile:
    metadata = get_table(document, "metadata")
    version = str(metadata.get("lock-version", ""))
    if version.partition(".")[0] not in {"1", "2"}:
        return _unknown_version(path, version)
    packages = []
    for entry in _tables(document.get("package")):
        source = _text(get_table(entry, "source"), "type")
        names = [*get_table(entry, "dependencies"), *_names(get_table(entry, "extras").values())]
        packages.append(
            LockedPackage(
                name=_name(entry),
                version=_text(entry, "version") if source in {"", "legacy", "pypi"} else "",
                markers=_poetry_markers(entry),
                edges=tuple(Edge(canonicalize_name(name)) for name in names),
            )
        )
    return LockFile(
        path=path,
        requires_python=_poetry_python(_text(metadata, "python-versions")),
        packages=tuple(packages),
    )


def _poetry_markers(entry: Table) -> tuple[str, ...]:
    """Return the markers of a package: one text, or one per group, where a group without any has it always."""
    markers = entry.get("markers", entry.get("marker"))  # the latter up to lock version 1.0
    if isinstance(markers, Mapping):
        found = [_text(markers, group) for group in get_strings(entry.get("groups")) or markers]
        return tuple(dict.fromkeys(found)) if all(found) else ()
    return (markers,) if isinstance(markers, str) and markers else ()


def _poetry_python(constraint: str) -> str:
    try:
        return convert_constraint(constraint)
    except (InvalidSpecifier, InvalidVersion):
        return ""


def _read_pdm(path: Path, document: Table) -> LockFile:
    metadata = get_table(document, "metadata")
    version = str(metadata.get("lock_version", ""))
    if version.partition(".")[0] != "4":
        return _unknown_version(path, version)
    packages = []
    for entry in _tables(document.get("package")):
        marker = _text(entry, "marker")
        packages.append(
            LockedPackage(
                name=_name(entry),
                version="" if _ELSEWHERE & set(entry) else _text(entry, "version"),
                markers=(marker,) if marker else (),
                edges=tuple(Edge(canonicalize_name(name)) for name in _names([entry.get("dependencies")])),
            )
        )
    targets = [_pdm_target(target) for target in _tables(metadata.get("targets"))]
    return LockFile(
        path=path,
        environments=tuple(targets) if all(targets) else (),
        packages=tuple(packages),
    )


def _pdm_target(target: Table) -> str:
    """Return the marker for one of the environments that a lock is for; empty if it is for all."""
    platform = _text(target, "platform")
    systems = {"manylinux": "linux", "musllinux": "linux", "linux": "linux", "macos": "darwin", "windows": "win32"}
    system = next((name for prefix, name in systems.items() if platform.startswith(prefix)), "")
    return _all_of([_python(_text(target, "requires_python")), f"sys_platform == '{system}'" if system else ""])


def _read_pipfile(path: Path, document: Table) -> LockFile:
    version = str(get_table(document, "_meta").get("pipfile-spec", ""))
    if version != "6":
        return _unknown_version(path, version)
    packages = []
    for group in document:
        for name, entry in get_table(document, group).items() if group != "_meta" else ():
            marker = _text(entry, "markers")
            version_text = _text(entry, "version")
            is_exact = version_text.startswith("==") and not _ELSEWHERE & set(entry)
            packages.append(
                LockedPackage(
                    name=canonicalize_name(name),
                    version=version_text.removeprefix("==") if is_exact else "",
                    markers=(marker,) if marker else (),
                )
            )
    requires = get_table(document, "_meta", "requires")
    python = _text(requires, "python_version") or _text(requires, "python_full_version")
    minor = ".".join(python.split(".")[:2])
    return LockFile(
        path=path,
        requires_python=f"=={minor}.*" if "." in minor else "",
        packages=tuple(packages),
        has_edges=False,
    )


def _read_json(path: Path) -> Table:
    try:
        document: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise make_read_error(path, error) from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not valid JSON: {error}", "fix it") from error
    return document if isinstance(document, Mapping) else {}


def _tables(value: object) -> Iterator[Table]:
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, Mapping))


def _text(entry: object, key: str) -> str:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    return value if isinstance(value, str) else ""


def _name(entry: Table) -> NormalizedName:
    return canonicalize_name(_text(entry, "name"))


def _names(lists: Iterable[object]) -> Iterator[str]:
    """Yield the names in lists of requirements; in Poetry's, versions stand in parentheses, which PEP 508 allows."""
    for listed in lists:
        for requirement in map(parse_requirement, get_strings(listed)):
            if requirement is not None:
                yield requirement.name


def _python(specifier: str) -> str:
    """Return a requires-python as a marker; empty for what is none."""
    try:
        return convert_python(specifier)
    except (InvalidSpecifier, InvalidVersion):
        return ""


def _all_of(markers: Iterable[str]) -> str:
    used = [marker for marker in markers if marker]
    return used[0] if len(used) == 1 else " and ".join(f"({marker})" for marker in used)
