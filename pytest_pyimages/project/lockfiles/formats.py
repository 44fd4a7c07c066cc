"""Read lock files of several tools into one form.

``pylock.toml`` has a specification (PEP 751), which packaging implements. The others are read as uv, Poetry, PDM and
Pipenv write them. Each format has a version; a file of an unknown version is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from packaging.pylock import Pylock, PylockValidationError
from packaging.specifiers import InvalidSpecifier
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion

from pytest_pyimages.errors import ConfigurationError, make_read_error
from pytest_pyimages.project.files import Table, get_strings, get_table, read_toml
from pytest_pyimages.project.poetry import convert_constraint, convert_python
from pytest_pyimages.project.requirements import parse_requirement
from pytest_pyimages.text import flatten

# Lines of a file's address and hash: nine tenths of a lock file, and of the time that it takes to read one.
_ARTIFACTS = re.compile(r"^(?:sdist = \{.*\}|[ \t]+\{ ?(?:url|file) = .*\},?)$", re.MULTILINE)
# Where a locked distribution comes from instead of an index: Pipenv's and PDM's keys.
_ELSEWHERE = frozenset("path file url editable git hg svn bzr ref revision".split())
_PDM_SYSTEMS = {"manylinux": "linux", "musllinux": "linux", "linux": "linux", "macos": "darwin", "windows": "win32"}


class Edge(NamedTuple):
    """A dependency of a locked package."""

    name: NormalizedName
    version: str = ""  # where the distribution is locked in several
    marker: str = ""  # of uv; it may name extras and groups, see ``forks``


class LockedPackage(NamedTuple):
    """One version of a distribution."""

    name: NormalizedName
    version: str  # empty: not from an index, so it cannot be requested by version
    markers: tuple[str, ...] = ()  # the environments that it is for: one of these; all, if there is none
    edges: tuple[Edge, ...] = ()  # with those of its extras
    # Its own, those of "extra NAME" and of "group NAME"; only uv has them.
    selections: tuple[tuple[str, tuple[Edge, ...]], ...] = ()


class LockFile(NamedTuple):
    """The content of a lock file."""

    path: Path
    problem: str = ""  # why nothing of it can be used
    requires_python: str = ""  # a specifier set
    environments: tuple[str, ...] = ()  # markers, one of which must admit the environment; any, if there is none
    packages: tuple[LockedPackage, ...] = ()
    has_edges: bool = True  # whether it contains dependencies


def read_lock_file(path: Path) -> LockFile:
    """Read a lock file; its name tells the format.

    :raises ConfigurationError: if it cannot be read, or is not even TOML or JSON.
    """
    keys, versions, read = _FORMATS.get(path.name, _PYLOCK)
    if path.suffix == ".lock":
        document = _read_json(path) if path.name == "Pipfile.lock" else read_toml(path, without=_ARTIFACTS)
    else:
        document = read_toml(path)
    version = str(get_table(document, *keys[:-1]).get(keys[-1], ""))
    if version.partition(".")[0] not in versions:
        return LockFile(path=path, problem=f"format version {version or '(none)'} is not known")
    return read(path, document)


def _read_pylock(path: Path, document: Table) -> LockFile:
    try:
        lock = Pylock.from_dict(document)
    except PylockValidationError as error:
        return LockFile(path=path, problem=f"not valid ({flatten(error)})")
    return LockFile(
        path=path,
        requires_python=str(lock.requires_python or ""),
        environments=tuple(map(str, lock.environments or ())),
        packages=tuple(
            _make_package(
                package.name,
                "" if package.is_direct else str(package.version or ""),
                marker=_join_markers(str(package.marker or ""), _convert_python(str(package.requires_python or ""))),
                edges=_read_edges(package.dependencies),
            )
            for package in lock.packages
        ),
        # The specification leaves dependencies to the tool.
        has_edges=any(package.dependencies is not None for package in lock.packages),
    )


def _read_uv(path: Path, document: Table) -> LockFile:
    # Revisions are compatible with each other, versions are not ("Lockfile versioning" in uv's documentation).
    return LockFile(
        path=path,
        requires_python=_get_text(document, "requires-python"),
        environments=get_strings(document.get("supported-markers")),
        packages=tuple(map(_read_uv_package, _get_tables(document.get("package")))),
    )


def _read_uv_package(entry: Table) -> LockedPackage:
    tables = (("extra", "optional-dependencies"), ("group", "dev-dependencies"))
    lists = {f"{kind} {name}": edges for kind, key in tables for name, edges in get_table(entry, key).items()}
    selections = {"": tuple(_read_edges(entry.get("dependencies")))}
    selections |= {key: tuple(_read_edges(edges)) for key, edges in lists.items()}
    return LockedPackage(
        name=canonicalize_name(_get_text(entry, "name")),
        version=_get_text(entry, "version") if "registry" in get_table(entry, "source") else "",
        markers=get_strings(entry.get("resolution-markers")),
        edges=tuple(edge for key, edges in selections.items() if not key.startswith("group ") for edge in edges),
        selections=tuple(selections.items()),
    )


def _read_poetry(path: Path, document: Table) -> LockFile:
    packages = []
    for entry in _get_tables(document.get("package")):
        is_indexed = _get_text(get_table(entry, "source"), "type") in {"", "legacy", "pypi"}
        extras = (name for listed in get_table(entry, "extras").values() for name in _find_names(listed))
        packages.append(
            LockedPackage(
                name=canonicalize_name(_get_text(entry, "name")),
                version=_get_text(entry, "version") if is_indexed else "",
                markers=_read_poetry_markers(entry),
                edges=tuple(Edge(canonicalize_name(name)) for name in (*get_table(entry, "dependencies"), *extras)),
            )
        )
    try:
        requires_python = convert_constraint(_get_text(get_table(document, "metadata"), "python-versions"))
    except (InvalidSpecifier, InvalidVersion):
        requires_python = ""
    return LockFile(path=path, requires_python=requires_python, packages=tuple(packages))


def _read_poetry_markers(entry: Table) -> tuple[str, ...]:
    """Return the markers of a package: one text, or one per group; a group without any has it always."""
    markers = entry.get("markers", entry.get("marker"))  # the latter up to lock version 1.0
    if isinstance(markers, Mapping):
        found = [_get_text(markers, group) for group in get_strings(entry.get("groups")) or markers]
        return tuple(dict.fromkeys(found)) if all(found) else ()
    return (markers,) if isinstance(markers, str) and markers else ()


def _read_pdm(path: Path, document: Table) -> LockFile:
    targets = []
    for target in _get_tables(get_table(document, "metadata").get("targets")):
        platform = _get_text(target, "platform")
        system = next((name for prefix, name in _PDM_SYSTEMS.items() if platform.startswith(prefix)), "")
        python = _convert_python(_get_text(target, "requires_python"))
        targets.append(_join_markers(python, f"sys_platform == '{system}'" if system else ""))
    return LockFile(
        path=path,
        environments=tuple(targets) if all(targets) else (),
        packages=tuple(
            _make_package(
                _get_text(entry, "name"),
                "" if _ELSEWHERE & set(entry) else _get_text(entry, "version"),
                marker=_get_text(entry, "marker"),
                edges=(Edge(canonicalize_name(name)) for name in _find_names(entry.get("dependencies"))),
            )
            for entry in _get_tables(document.get("package"))
        ),
    )


def _read_pipfile(path: Path, document: Table) -> LockFile:
    packages = []
    for group in (key for key in document if key != "_meta"):
        for name, entry in get_table(document, group).items():
            version = _get_text(entry, "version")
            is_exact = version.startswith("==") and not _ELSEWHERE & set(entry)
            version = version.removeprefix("==") if is_exact else ""
            packages.append(_make_package(name, version, marker=_get_text(entry, "markers")))
    requires = get_table(document, "_meta", "requires")
    python = _get_text(requires, "python_version") or _get_text(requires, "python_full_version")
    minor = ".".join(python.split(".")[:2])
    requires_python = f"=={minor}.*" if "." in minor else ""
    return LockFile(path=path, requires_python=requires_python, packages=tuple(packages), has_edges=False)


# Where the format version is, the major versions that can be read, and the function that reads them.
_Format = tuple[tuple[str, ...], frozenset[str], Callable[[Path, Table], LockFile]]
_PYLOCK: _Format = (("lock-version",), frozenset({"1"}), _read_pylock)
_FORMATS: Mapping[str, _Format] = {
    "uv.lock": (("version",), frozenset({"1"}), _read_uv),
    "poetry.lock": (("metadata", "lock-version"), frozenset({"1", "2"}), _read_poetry),
    "pdm.lock": (("metadata", "lock_version"), frozenset({"4"}), _read_pdm),
    "Pipfile.lock": (("_meta", "pipfile-spec"), frozenset({"6"}), _read_pipfile),
}


def _make_package(name: str, version: str, *, marker: str, edges: Iterable[Edge] = ()) -> LockedPackage:
    markers = (marker,) if marker else ()
    return LockedPackage(name=canonicalize_name(name), version=version, markers=markers, edges=tuple(edges))


def _read_edges(value: object) -> Iterator[Edge]:
    for entry in _get_tables(value):
        name = canonicalize_name(_get_text(entry, "name"))
        yield Edge(name, _get_text(entry, "version"), _get_text(entry, "marker"))


def _read_json(path: Path) -> Table:
    try:
        document: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise make_read_error(path, error) from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not valid JSON: {error}", "fix it") from error
    return document if isinstance(document, Mapping) else {}


def _get_tables(value: object) -> Iterator[Table]:
    if isinstance(value, list | tuple):
        yield from (entry for entry in value if isinstance(entry, Mapping))


def _get_text(entry: object, key: str) -> str:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    return value if isinstance(value, str) else ""


def _find_names(value: object) -> Iterator[str]:
    """Yield the names in a list of requirements; in Poetry's, versions are in parentheses, which PEP 508 allows."""
    for requirement in map(parse_requirement, get_strings(value)):
        if requirement is not None:
            yield requirement.name


def _convert_python(specifier: str) -> str:
    """Return a requires-python as a marker; empty if it is invalid."""
    try:
        return convert_python(specifier)
    except (InvalidSpecifier, InvalidVersion):
        return ""


def _join_markers(*markers: str) -> str:
    used = [marker for marker in markers if marker]
    return used[0] if len(used) == 1 else " and ".join(f"({marker})" for marker in used)
