"""What a project's own files say about how to install it and its suite, with no configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name

from pytest_pyimages.project.discovery import discovered_needs
from pytest_pyimages.project.files import (
    ProjectFiles,
    declares_project,
    distribution_names,
    expand_group,
    parsed,
    read_ini,
    read_project_files,
    read_toml,
    table,
)
from pytest_pyimages.project.install_setting import configured_needs, install_entries
from pytest_pyimages.project.kind import Kind, build_kind, build_scripts, source_files
from pytest_pyimages.project.lockfiles.locks import Lock, Wanted, locked_versions
from pytest_pyimages.project.metadata import Metadata, read_metadata
from pytest_pyimages.project.plugins import Demands, ini_demands, typed_demands
from pytest_pyimages.project.requirements import own_extras, read_requirements_file
from pytest_pyimages.project.scm.versioning import Versioning, find_versioning
from pytest_pyimages.project.suite_needs import Needs

_TEST_FOLDERS = ("tests", "test", "testing")
_BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "hatch.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """How to install a project and what its suite needs."""

    root: Path  # the folder with the build configuration; the given folder if there is none
    name: str  # distribution name, or else the folder's
    distribution: str = ""  # normalised name; empty if only a build can tell
    requires_python: str = ""  # empty: not known
    classifiers: tuple[str, ...] = ()
    kind: Kind = "none"  # pure Python, something to compile, or no package
    versioning: Versioning | None = None  # None: the version does not come from git
    extras: tuple[str, ...] = ()  # of the project, to install with it; never with kind "none"
    groups: tuple[str, ...] = ()  # dependency groups (PEP 735); what they hold is among the requirements
    requirements: tuple[str, ...] = ()  # PEP 508, beside the project; with kind "none" its own dependencies, too
    requirement_files: tuple[Path, ...] = ()  # for -r, read with the root as working folder
    brings_pytest: bool = False  # the requirements or these files ask for it in every environment
    dependencies_known: bool = False
    dependencies: tuple[str, ...] = ()  # PEP 508: the project's own and those of the extras; empty if not known
    lock: Lock | None = None  # versions to hold to, whatever is installed
    typed: tuple[str, ...] = ()  # those of pytest's options that brought a requirement more, as they were given
    origin: str = ""  # for people: ".[test] (pyproject.toml)"; empty: nothing was found
    install: tuple[str, ...] = ()  # the same as py_images_install would have it, the project itself left out
    notes: tuple[str, ...] = ()  # what people should know of its files
    # Files whose content decides what gets installed. What tox.ini, Pipfile and groups ask for stands above already.
    fingerprint_files: tuple[Path, ...] = ()


def find_project(start: Path, *, ini: Mapping[str, str | list[str]] = {}, options: Sequence[str] = ()) -> Project:
    """Return how to install the project that a folder belongs to, and what its suite needs.

    :param start: pytest's rootdir.
    :param ini: the suite's pytest configuration.
    :param options: pytest's that are typed, without their values; their plugins come in addition to all else.
    :raises ConfigurationError: for files that cannot be read or contradict themselves.
    """
    files = read_project_files(project_root(start))
    metadata = read_metadata(files)
    name = metadata.name or files.root.name
    kind = build_kind(files)
    configured = configured_needs(ini, files, metadata)
    needs = discovered_needs(files, metadata, is_installed=kind != "none") if configured is None else (configured,)
    installation = _Installation(files, metadata, canonicalize_name(metadata.name), is_installed=kind != "none")
    for one in needs:
        installation.add(one)
    origins = [one.origin for one in needs]
    if configured is None:
        origins += _in_words(installation.add_demands(ini_demands, ini))
    install = installation.entries(needs) if configured is None else install_entries(ini)
    if installation.extras and not any(one.extras for one in needs):
        origins.insert(0, f".[{','.join(installation.extras)}]")
    if not origins and kind != "none":
        origins = [f". ({files.main_file})"]
    typed = installation.add_demands(typed_demands, options)
    origins += _in_words(typed)
    own = installation.own_dependencies()
    lock, notes = locked_versions(files.root, installation.wanted(own), name=metadata.name, ini=ini)
    if lock is not None:
        origins.append(str(lock))
    return Project(
        root=files.root,
        name=name,
        distribution=files.declared_name,
        requires_python=metadata.requires_python,
        classifiers=metadata.classifiers,
        kind=kind,
        versioning=find_versioning(files, metadata.name) if kind != "none" else None,
        extras=tuple(installation.extras),
        groups=tuple(dict.fromkeys(group for one in needs for group in one.groups)),
        requirements=tuple(dict.fromkeys(installation.requirements)),
        requirement_files=tuple(dict.fromkeys(installation.requirement_files)),
        brings_pytest=installation.brings_pytest,
        dependencies_known=own is not None,
        dependencies=own or (),
        lock=lock,
        typed=tuple(option for _, option in typed),
        origin=", ".join(origins),
        install=install,
        notes=notes,
        fingerprint_files=_fingerprint_files(files, metadata, installation),
    )


def project_root(start: Path) -> Path:
    """Return the nearest folder, from the given one upwards, with a build configuration; the given one without any.

    The search ends with the checkout, and below the user's home folder: what lies above has nothing to do with it.
    A folder with requirements of its own is a project too, unless it is one for tests inside of another.
    """
    start = start.absolute()
    if start.name not in _TEST_FOLDERS and not _is_project(start) and any(start.glob("*requirements*.txt")):
        return start
    for folder in (start, *start.parents):
        if folder != start and folder == Path.home():
            break
        if _is_project(folder):
            return folder
        if (folder / ".git").exists():
            break
    return start


def build_sources(project: Project, *, with_tests: bool = True) -> tuple[Path, ...]:
    """Return the files whose change makes the project's wheel a new one, sorted; nothing for what is not built.

    :param with_tests: test modules inside of the package as well.
    """
    return source_files(project.root, with_tests=with_tests) if project.kind == "wheel" else ()


def _in_words(demands: Demands) -> list[str]:
    return [f"{requirement} ({reason})" for requirement, reason in demands]


def _is_project(folder: Path) -> bool:
    return (
        (folder / "setup.py").is_file()
        or declares_project(read_toml(folder / "pyproject.toml"))
        or "metadata" in read_ini(folder / "setup.cfg")
    )


@dataclass(slots=True)
class _Installation:
    """What all needs together come to."""

    files: ProjectFiles
    metadata: Metadata
    name: str  # normalised; empty if it has none
    is_installed: bool
    extras: list[str] = field(default_factory=list)
    requirements: list[str] = field(default_factory=list)
    requirement_files: list[Path] = field(default_factory=list)
    chains: list[Path] = field(default_factory=list)
    _in_files: list[str] = field(default_factory=list)
    _is_plain: bool = True  # the requirements say it all

    def add(self, needs: Needs) -> None:
        self._add_extras(needs.extras)
        for text in needs.requirements:
            own = own_extras(text, root=self.files.root.resolve(), name=self.name)
            if own is None:
                self.requirements.append(text)
            else:
                self._add_extras(own)
        for path in needs.requirement_files:
            self._add_file(path)

    def _add_extras(self, extras: Iterable[str]) -> None:
        if self.is_installed:
            self.extras += (extra for extra in extras if extra not in self.extras)
        else:
            self.requirements += self.metadata.with_extras(extras)

    def _add_file(self, path: Path) -> None:
        content = read_requirements_file(path, root=self.files.root, name=self.name)
        if content.problem is not None:
            raise content.problem
        self.chains += content.chain
        self._is_plain = self._is_plain and content.is_plain
        self._add_extras(content.own_extras)
        if self.is_installed and content.names_project and content.is_plain:
            # It would install the project a second time, and perhaps in another way.
            self.requirements += content.requirements
        else:
            self.requirement_files.append(path)
            self._in_files += content.requirements

    def add_demands(self, demanded: Callable[..., Demands], by: object) -> Demands:
        """Add the plugins that options or keys of pytest demand; return them with what demands them."""
        own = (*(self.metadata.dependencies or ()), *self.metadata.with_extras(self.extras))
        present = distribution_names((*self.requirements, *self._in_files, *own)) | {self.name}
        demands = demanded(by, root=self.files.root, present=present)
        self.requirements += (requirement for requirement, _ in demands)
        return demands

    def own_dependencies(self) -> tuple[str, ...] | None:
        """Return what the project itself brings in, with the extras; None if only a build can tell."""
        if not self.is_installed:
            return ()  # they are among the requirements
        known = {canonicalize_name(extra) for extra in self.metadata.extras or {}}
        if self.metadata.dependencies is None or not known.issuperset(map(canonicalize_name, self.extras)):
            return None
        return tuple(dict.fromkeys((*self.metadata.dependencies, *self.metadata.with_extras(self.extras))))

    @property
    def brings_pytest(self) -> bool:
        listed = (*self.requirements, *self._in_files)
        found = [requirement for requirement in map(parsed, listed) if requirement is not None]
        return any(one.marker is None and canonicalize_name(one.name) == "pytest" for one in found)

    def wanted(self, own: tuple[str, ...] | None) -> Wanted:
        """Return all that is to be installed by name, for a lock file to say in which version."""
        requirements = (*self.requirements, *self._in_files, *(own or ()))
        return Wanted(requirements=requirements, is_complete=own is not None and self._is_plain)

    def entries(self, needs: Iterable[Needs]) -> tuple[str, ...]:
        """Return what was found as a user would write it, with the groups and files that it stands in."""
        path = self.files.root / "pyproject.toml"
        groups = dict.fromkeys(group for one in needs for group in one.groups)
        tables = table(self.files.pyproject, "dependency-groups")
        listed = {text for group in groups for text in expand_group(tables, group, path=path)}
        return (
            *([f".[{','.join(self.extras)}]"] if self.extras else []),
            *(f"--group {group}" for group in groups),
            *(f"-r {os.path.relpath(file, self.files.root)}" for file in dict.fromkeys(self.requirement_files)),
            *dict.fromkeys(text for text in self.requirements if text not in listed),
        )


def _fingerprint_files(files: ProjectFiles, metadata: Metadata, installation: _Installation) -> tuple[Path, ...]:
    found = list(installation.chains)
    if installation.is_installed:
        found += (files.root / name for name in _BUILD_FILES if (files.root / name).is_file())
        found += (*metadata.files, *build_scripts(files))
    return tuple(sorted(set(found)))
