"""The versions that a project's lock file gives, as constraints for an installer.

What is to be installed is not a lock file's business here: the project's own requirements say that, or the user does.
The lock file says in which versions, as ``pip install -c`` takes them. Whether it is for the Python of an image at all
is decided inside of that image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import get_table, read_toml
from pytest_pyimages.project.requirements import parse_requirement, rank_name

if TYPE_CHECKING:
    from pytest_pyimages.project.lockfiles.formats import LockedPackage, LockFile

KEY = "py_images_versions"
CHOICES = ("", "locked", "free")
# In the order of trust, after those named after tests: the standard's own, then that of the tool in use. Who moved from
# one tool to another has moved in this direction.
_NAMES = ("pylock.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
_PYTEST = canonicalize_name("pytest")  # is installed in any case
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
# What a marker in a constraint cannot ask: there, no extra and no group is being installed.
_SELECTION = re.compile(r"\b(extras?|dependency_groups)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Versions that an installer is to hold to, where they are for its Python."""

    origin: str  # the file, for people: "uv.lock"
    constraints: tuple[str, ...]  # lines of a constraints file, sorted: "numpy==2.2.6 ; python_version < '3.12'"
    requires_python: str = ""  # a specifier set that the image's Python has to be in
    environments: tuple[str, ...] = ()  # markers, one of which has to admit the image; any image, if there is none
    outdated: tuple[str, ...] = ()  # names left out, since the project's requirements exclude their locked versions
    is_required: bool = False  # whether the installer is to fail where it cannot hold to it

    @property
    def content(self) -> dict[str, object]:
        """What an installer has to know of it, and all that decides what it installs."""
        return {
            "constraints": self.constraints,
            "requires_python": self.requires_python,
            "environments": self.environments,
            "is_required": self.is_required,
        }

    def __str__(self) -> str:
        late = f" (out of date for {', '.join(self.outdated)})" if self.outdated else ""
        return f"versions of {self.origin}{late}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be installed beside the project itself."""

    requirements: tuple[str, ...]  # PEP 508; the project's own dependencies among them
    is_complete: bool  # whether they are all, so that what nothing of them leads to can be left out


def find_configured_lock(
    root: Path, wanted: Wanted, *, name: str, ini: Mapping[str, str | list[str]]
) -> tuple[Lock | None, tuple[str, ...]]:
    """Return what ``find_lock`` does, as the ini key has it.

    :raises ConfigurationError: also for a value that makes no sense, or a lock file that is required and not there.
    """
    value: object = ini.get(KEY, "")  # a TOML file may hold anything
    if value not in CHOICES:
        raise ConfigurationError(f"{KEY}: {value!r} is neither locked nor free", "leave it out for whatever works")
    if value == "free":
        return None, ()
    lock, notes = find_lock(root, wanted, name=name)
    if value != "locked":
        return lock, notes
    if lock is None:
        raise ConfigurationError(f"{KEY}: {root} has no lock file that holds what is installed", "; ".join(notes))
    return replace(lock, is_required=True), notes


def find_lock(root: Path, wanted: Wanted, *, name: str) -> tuple[Lock | None, tuple[str, ...]]:
    """Return what a project's lock files say of what is wanted, and what people should know of them.

    Of several, the one that holds most of what is asked for by name; of equal ones the most trusted.

    :param root: the project's folder.
    :param name: the project's own distribution name; empty if it has none.
    :raises ConfigurationError: for a lock file that cannot be read.
    """
    own = canonicalize_name(name)
    requirements = _by_name(wanted.requirements, but=own)
    asked = set(requirements) or {_PYTEST}
    notes: list[str] = []
    best, most = None, 0
    for file in _files(root, own):
        if file.problem:
            notes.append(f"{file.path.name}: {file.problem}; versions are chosen without it")
        covered = len(asked & {package.name for package in file.packages if package.version})
        if covered > most:
            best, most = file, covered
        if covered == len(asked):
            break
    lock = None if best is None else _lock(best, requirements, own=own, is_complete=wanted.is_complete)
    return lock, tuple(notes)


def _read(path: Path) -> LockFile:
    from pytest_pyimages.project.lockfiles.formats import read_lock_file  # few projects have one

    return read_lock_file(path)


def _files(root: Path, own: str) -> Iterator[LockFile]:
    named = [(rank_name(path.name.split(".")[1]), path) for path in root.glob("pylock.*.toml")]
    for _, path in sorted((place, path) for place, path in named if place is not None):
        yield _read(path)
    for name in _NAMES:
        if (root / name).is_file():
            yield _read(root / name)
        elif name == "uv.lock":
            yield from _workspace_lock(root, own)


def _workspace_lock(root: Path, own: str) -> Iterator[LockFile]:
    """Yield the lock of the uv workspace that a project is a member of: it lies with the workspace's own project."""
    folder = root
    while not (folder / ".git").exists() and folder.parent not in {folder, Path.home()}:
        folder = folder.parent
        path = folder / "uv.lock"
        if path.is_file() and "workspace" in get_table(read_toml(folder / "pyproject.toml"), "tool", "uv"):
            file = _read(path)
            if any(package.name == own for package in file.packages):
                yield file
            return


def _by_name(requirements: Iterable[str], *, but: str) -> dict[NormalizedName, list[Requirement]]:
    found: dict[NormalizedName, list[Requirement]] = {}
    for requirement in map(parse_requirement, requirements):
        if requirement is not None and canonicalize_name(requirement.name) != but:
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def _lock(
    file: LockFile, requirements: Mapping[NormalizedName, Sequence[Requirement]], *, own: str, is_complete: bool
) -> Lock:
    groups: dict[NormalizedName, list[LockedPackage]] = {}
    for package in file.packages:
        if package.name and package.name != own:
            groups.setdefault(package.name, []).append(package)
    admitted = {
        name: [package for package in group if _is_admitted(package, requirements.get(name, ()))]
        for name, group in groups.items()
    }
    everything = {name: admitted[name] or group for name, group in groups.items()}
    if is_complete and file.has_edges:
        reached = _reached(everything, (_PYTEST, *requirements))
    else:
        reached = {package for group in everything.values() for package in group}
    lines: list[str] = []
    outdated: list[str] = []
    for name, group in everything.items():
        asked = requirements.get(name, ())
        taken = [package for package in group if package in reached]
        if admitted[name]:
            lines += _lines(taken, asked)
        elif taken and not any(requirement.url for requirement in asked):
            outdated.append(name)
    return Lock(
        origin=file.path.name,
        constraints=tuple(sorted(lines)),
        requires_python=file.requires_python,
        environments=file.environments,
        outdated=tuple(sorted(outdated)),
    )


def _is_admitted(package: LockedPackage, asked: Sequence[Requirement]) -> bool:
    """Whether what is asked for by name leaves room for a version; of requirements with markers, one has to."""
    if not package.version:
        return True
    always = [requirement for requirement in asked if requirement.marker is None]
    sometimes = [requirement for requirement in asked if requirement.marker is not None]
    return all(_admits(requirement, package) for requirement in always) and (
        bool(always) or not sometimes or any(_admits(requirement, package) for requirement in sometimes)
    )


def _admits(requirement: Requirement, package: LockedPackage) -> bool:
    try:
        return requirement.url is None and requirement.specifier.contains(Version(package.version), prereleases=True)
    except InvalidVersion:
        return False


def _reached(
    groups: Mapping[NormalizedName, Sequence[LockedPackage]], names: Iterable[NormalizedName]
) -> set[LockedPackage]:
    """Return what these names lead to. A newer version of anything else builds no image anew."""
    from pytest_pyimages.project.lockfiles.formats import Edge  # read anyway, if there is a package

    waiting = [Edge(name) for name in names]
    seen: set[LockedPackage] = set()
    while waiting:
        edge = waiting.pop()
        for package in groups.get(edge.name, ()):
            if package not in seen and edge.version in {"", package.version}:
                seen.add(package)
                waiting += package.edges
    return seen


def _lines(packages: Sequence[LockedPackage], asked: Sequence[Requirement]) -> Iterator[str]:
    """Yield the constraints for one distribution; nothing where several versions cannot be told apart."""
    markers: dict[str, set[str]] = {}  # by version; an empty text: for every environment
    for package in packages:
        version = _public(package.version)
        markers.setdefault(version, set()).update(package.markers or _markers_asked(package, asked) or [""])
    if len(markers) == 1:
        yield from (f"{packages[0].name}=={version}" for version in markers if version)
    elif all(_is_decidable(marker) for found in markers.values() for marker in found):
        for version, found in markers.items():
            if version:
                marker = " or ".join(f"({one})" if len(found) > 1 else one for one in sorted(found))
                yield f"{packages[0].name}=={version} ; {marker}"


def _public(version: str) -> str:
    """Return a version without its local label, which says where it was built: an index has it without."""
    try:
        return Version(version).public if version else ""
    except InvalidVersion:
        return ""


def _markers_asked(package: LockedPackage, asked: Sequence[Requirement]) -> list[str]:
    """Return when the project itself asks for a version: up to lock version 2.0, Poetry says it nowhere else."""
    return [str(found.marker) for found in asked if found.marker is not None and _admits(found, package)]


def _is_decidable(marker: str) -> bool:
    try:
        Marker(marker)
    except InvalidMarker:
        return False
    return not _SELECTION.search(_QUOTED.sub("", marker))


def describe_fate(lock: Lock | None, fate: str, *, label: str, python: str) -> str:
    """Return what the user should know of a lock file that was not fully held to; empty if it was.

    The installer reports it, and a label of the image keeps it, since each session shows it.

    :param fate: "held"; "excluded", if the file is not for the image's Python; "partly", with the versions that are not
        installable; "unmet", with the versions that conflicted before the file was left alone altogether.
    """
    word, *pins = fate.split() or ["held"]
    if lock is None or word == "held":
        return ""
    if word == "excluded":
        meant = f" ({lock.requires_python})" if lock.requires_python else ""
        return f"{label}: {lock.origin} is not for Python {python}{meant}; versions were chosen without it"
    named = ", ".join(pin.replace("==", " ") for pin in pins)
    if word == "partly":
        return f"{label}: not as in {lock.origin}, since it does not work here: {named}"
    culprits = f" ({named})" if named else ""
    return f"{label}: {lock.origin} does not work here{culprits}; versions were chosen without it"
