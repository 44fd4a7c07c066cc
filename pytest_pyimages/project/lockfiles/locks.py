"""Turn a project's lock file into constraints for an installer.

The project's requirements or the user decide what is installed; the lock file decides in which versions, as
``pip install -c`` takes them. Whether the file is for an image's Python is decided in the container.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import get_table, read_toml
from pytest_pyimages.project.requirements import parse_requirement, rank_name

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from pytest_pyimages.project.lockfiles.forks import Reached
    from pytest_pyimages.project.lockfiles.formats import LockedPackage, LockFile

KEY = "py_images_versions"
# In the order of trust, after those named after tests: the standard's own first, then in the order in which projects
# tend to move from one tool to the next.
_NAMES = ("pylock.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
_PYTEST = canonicalize_name("pytest")  # always installed
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
# Not allowed in a constraint's marker: no extra and no group is installed there.
_SELECTION = re.compile(r"\b(extras?|dependency_groups)\b")


class Lock(NamedTuple):
    """Pinned versions for the Pythons that they are for."""

    origin: str  # the file: "uv.lock"
    constraints: tuple[str, ...]  # lines of a constraints file, sorted: "numpy==2.2.6 ; python_version < '3.12'"
    requires_python: str = ""  # a specifier set for the image's Python
    environments: tuple[str, ...] = ()  # markers, one of which must admit the image; any image, if there is none
    outdated: tuple[str, ...] = ()  # names left out, since the project's requirements exclude their locked versions
    is_required: bool = False  # whether the installer must fail if a pinned version is not installable

    @property
    def content(self) -> dict[str, object]:
        """The part that the installer gets, and that affects the installation."""
        return {
            "constraints": self.constraints,
            "requires_python": self.requires_python,
            "environments": self.environments,
            "is_required": self.is_required,
        }

    def __str__(self) -> str:
        late = f" (out of date for {', '.join(self.outdated)})" if self.outdated else ""
        return f"versions of {self.origin}{late}"


class RequirementsToPin(NamedTuple):
    """The requirements to pin, beside the project itself."""

    requirements: tuple[str, ...]  # PEP 508; the project's own dependencies among them
    is_complete: bool  # whether there are no others, so that packages that they do not need can be left out
    extras: tuple[str, ...] = ()  # of the project, whose requirements are among them
    groups: tuple[str, ...] = ()  # likewise


def find_configured_lock(
    root: Path, to_pin: RequirementsToPin, *, name: str, ini: Mapping[str, str | list[str]]
) -> tuple[Lock | None, tuple[str, ...]]:
    """Return the lock that the ini key py_images_versions selects, as ``find_lock`` does.

    :raises ConfigurationError: also for an invalid value, or if there is no lock file and the key requires one.
    """
    value: object = ini.get(KEY, "")  # a TOML file may hold anything
    if value not in ("", "locked", "free"):  # a list is not hashable
        hint = "remove it to pin the versions that are installable"
        raise ConfigurationError(f"{KEY}: {value!r} must be locked or free", hint)
    if value == "free":
        return None, ()
    lock, notes = find_lock(root, to_pin, name=name)
    if value != "locked":
        return lock, notes
    if lock is None:
        raise ConfigurationError(f"{KEY}: no lock file in {root} pins the requirements", "; ".join(notes))
    return lock._replace(is_required=True), notes


def find_lock(root: Path, to_pin: RequirementsToPin, *, name: str) -> tuple[Lock | None, tuple[str, ...]]:
    """Return the lock file that pins most of the requirements, and notes for the user; of equal ones the most trusted.

    :param root: the project's folder.
    :param name: the project's own distribution name; empty if it has none.
    :raises ConfigurationError: for a lock file that cannot be read.
    """
    own = canonicalize_name(name)
    requirements = _group_by_name(to_pin.requirements, but=own)
    names = set(requirements) or {_PYTEST}
    notes: list[str] = []
    best, most = None, 0
    for file in read_lock_files(root, own):
        if file.problem:
            notes.append(f"{file.path.name}: {file.problem}; versions are chosen without it")
        covered = len(names & {package.name for package in file.packages if package.version})
        if covered > most:
            best, most = file, covered
        if covered == len(names):
            break
    lock = None if best is None else _make_lock(best, requirements, to_pin, own=own)
    return lock, tuple(notes)


def _read_lock_file(path: Path) -> LockFile:
    from pytest_pyimages.project.lockfiles.formats import read_lock_file  # few projects have one

    return read_lock_file(path)


def read_lock_files(root: Path, own: str) -> Iterator[LockFile]:
    """Yield a project's lock files, the most trusted first.

    :param own: the project's normalised name.
    """
    named = [(rank_name(path.name.split(".")[1]), path) for path in root.glob("pylock.*.toml")]
    for _, path in sorted((rank, path) for rank, path in named if rank is not None):
        yield _read_lock_file(path)
    for name in _NAMES:
        if (root / name).is_file():
            yield _read_lock_file(root / name)
        elif name == "uv.lock":
            yield from _read_workspace_lock(root, own)


def _read_workspace_lock(root: Path, own: str) -> Iterator[LockFile]:
    """Yield the lock of the uv workspace that a project is a member of: it lies with the workspace's own project."""
    folder = root
    while not (folder / ".git").exists() and folder.parent not in {folder, Path.home()}:
        folder = folder.parent
        path = folder / "uv.lock"
        if path.is_file() and "workspace" in get_table(read_toml(folder / "pyproject.toml"), "tool", "uv"):
            file = _read_lock_file(path)
            if any(package.name == own for package in file.packages):
                yield file
            return


def _group_by_name(requirements: Iterable[str], *, but: NormalizedName) -> dict[NormalizedName, list[Requirement]]:
    found: dict[NormalizedName, list[Requirement]] = {}
    for requirement in map(parse_requirement, requirements):
        if requirement is not None and canonicalize_name(requirement.name) != but:
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def _make_lock(
    file: LockFile,
    requirements: Mapping[NormalizedName, Sequence[Requirement]],
    to_pin: RequirementsToPin,
    *,
    own: NormalizedName,
) -> Lock:
    from pytest_pyimages.project.lockfiles.forks import Selection, find_reached, list_own_markers  # as above

    extras, groups = (frozenset(map(canonicalize_name, names)) for names in (to_pin.extras, to_pin.groups))
    selection = Selection(name=own, extras=extras, groups=groups)
    named: dict[NormalizedName, list[LockedPackage]] = {}
    for package in file.packages:
        if package.name and package.name != own:
            named.setdefault(package.name, []).append(package)
    for name, group in named.items():  # the versions of this selection, if there are any
        named[name] = [package for package in group if list_own_markers(package, selection)] or group
    admitted = {
        name: [package for package in group if _is_admitted(package, requirements.get(name, ()))]
        for name, group in named.items()
    }
    everything = {name: admitted[name] or group for name, group in named.items()}
    itself = next((package for package in file.packages if package.name == own), None)
    reached = dict(find_reached(everything, (_PYTEST, *requirements), itself, selection)) if file.has_edges else {}
    if not to_pin.is_complete or not file.has_edges:
        names = {package.name for package in reached}
        rest = (package for name, group in everything.items() if name not in names for package in group)
        reached |= {package: tuple(list_own_markers(package, selection)) for package in rest}
    lines: list[str] = []
    outdated: list[str] = []
    for name, group in everything.items():
        requested = requirements.get(name, ())
        taken = {package: reached[package] for package in group if package in reached}
        if admitted[name]:
            lines += _make_lines(taken, requested)
        elif taken and not any(requirement.url for requirement in requested):
            outdated.append(name)
    return Lock(
        origin=file.path.name,
        constraints=tuple(sorted(lines)),
        requires_python=file.requires_python,
        environments=file.environments,
        outdated=tuple(sorted(outdated)),
    )


def _is_admitted(package: LockedPackage, requested: Sequence[Requirement]) -> bool:
    """Whether the requirements by this name admit a version; if all have markers, one has to."""
    if not package.version:
        return True
    always = [requirement for requirement in requested if requirement.marker is None]
    if always:
        return all(_admits(requirement, package) for requirement in always)
    return not requested or any(_admits(requirement, package) for requirement in requested)


def _admits(requirement: Requirement, package: LockedPackage) -> bool:
    try:
        return requirement.url is None and requirement.specifier.contains(Version(package.version), prereleases=True)
    except InvalidVersion:
        return False


def _make_lines(packages: Reached, requested: Sequence[Requirement]) -> Iterator[str]:
    """Yield the constraints for one distribution; none where markers do not separate its versions."""
    markers: dict[str, set[str]] = {}  # by version; an empty text: for every environment
    for package, found in packages.items():
        version = _strip_local(package.version)
        known = found if found and "" not in found else _list_markers(package, requested) or [""]
        markers.setdefault(version, set()).update(known)
    if len(markers) == 1:
        yield from (f"{next(iter(packages)).name}=={version}" for version in markers if version)
    elif all(_is_allowed(marker) for found in markers.values() for marker in found):
        name = next(iter(packages)).name if packages else ""
        for version, alternatives in markers.items():
            if version:
                marker = " or ".join(f"({one})" if len(alternatives) > 1 else one for one in sorted(alternatives))
                yield f"{name}=={version} ; {marker}"


def _strip_local(version: str) -> str:
    """Return a version without its local label, which an index does not have."""
    try:
        return Version(version).public if version else ""
    except InvalidVersion:
        return ""


def _list_markers(package: LockedPackage, requested: Sequence[Requirement]) -> list[str]:
    """Return the markers of the project's own requirements: up to lock version 2.0, Poetry has them nowhere else."""
    return [str(found.marker) for found in requested if found.marker is not None and _admits(found, package)]


def _is_allowed(marker: str) -> bool:
    from packaging.markers import InvalidMarker, Marker  # slow to import, and few projects have lock files

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
