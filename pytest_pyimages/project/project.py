"""Describe how to install a project and its test requirements, from its own files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes import PackageSources
from pytest_pyimages.project.files import ProjectFiles, declares_project, read_ini, read_project_files, read_toml
from pytest_pyimages.project.kind import (
    BUILD_FILES,
    Kind,
    decide_kind,
    list_build_scripts,
    list_package_files,
    list_source_files,
)
from pytest_pyimages.project.lockfiles.locks import Lock, RequirementsToPin, find_configured_lock
from pytest_pyimages.project.metadata import Metadata, read_metadata
from pytest_pyimages.project.package_sources import FoundSources, find_package_sources
from pytest_pyimages.project.plugins import RequiredPlugins, find_ini_plugins, find_option_plugins
from pytest_pyimages.project.requirements import (
    TEST_NAMES,
    LocalPackage,
    RequirementSource,
    find_distributions,
    find_local_package,
    find_own_extras,
    parse_requirement,
    read_requirements_file,
    split_option,
)
from pytest_pyimages.project.settings.configuration import read_install_entries, read_install_source
from pytest_pyimages.project.sources import find_sources

if TYPE_CHECKING:
    from pytest_pyimages.project.scm.versioning import Versioning

_TEST_FOLDERS = ("tests", "test", "testing")


class Project(Immutable):
    """How to install a project and its test requirements."""

    root: Path  #: the folder with the build configuration; the given folder if there is none
    name: str  #: distribution name, or else the folder's
    distribution: str = ""  #: normalised name; empty if only a build knows it
    requires_python: str = ""  #: empty: not known
    classifiers: tuple[str, ...] = ()
    kind: Kind = "none"  #: pure Python, something to compile, or no package
    versioning: Versioning | None = None  #: None: the version does not come from git
    extras: tuple[str, ...] = ()  #: of the project, to install with it; never with kind "none"
    built_extras: tuple[str, ...] = ()  #: only a build knows the extras; the first of these is installed, if it has one
    groups: tuple[str, ...] = ()  #: dependency groups (PEP 735); their entries are among the requirements
    # PEP 508, or "-e PATH", beside the project; with kind "none" its own dependencies, too
    requirements: tuple[str, ...] = ()
    requirement_files: tuple[Path, ...] = ()  #: for -r, read with the root as working folder
    options: tuple[str, ...] = ()  #: of the installer, which these files have for all requirements
    needs_pip: bool = False  #: they have what uv does not know
    requires_pytest: bool = False  #: pytest is required by name in every environment
    dependencies: tuple[str, ...] = ()  #: PEP 508: the project's own and those of the extras; empty if not known
    sources: PackageSources = field(default_factory=PackageSources)  #: where packages come from
    packages: tuple[LocalPackage, ...] = ()  #: packages of this host that the requirements name
    folders: tuple[Path, ...] = ()  #: outside of the root, too, which the installation reads
    lock: Lock | None = None  #: pinned versions
    option_plugins: tuple[str, ...] = ()  #: command line options whose plugin was added to the requirements
    origin: str = ""  #: for messages: ".[test] (pyproject.toml)"; empty: nothing was found
    install: tuple[str, ...] = ()  #: the same as entries of py_images_install, without the project itself
    notes: tuple[str, ...] = ()  #: what the user should know about its files
    # Files whose content decides what gets installed, unless the fields above hold it (tox.ini, Pipfile, groups).
    fingerprint_files: tuple[Path, ...] = ()


def find_project(start: Path, *, ini: Mapping[str, str | list[str]] = {}, options: Sequence[str] = ()) -> Project:
    """Return how to install the project that a folder belongs to, and its test requirements.

    :param start: pytest's rootdir.
    :param ini: the suite's pytest configuration.
    :param options: pytest's options on the command line, without values; their plugins are added to the requirements.
    :raises ConfigurationError: for files that cannot be read or contradict themselves.
    """
    files = read_project_files(find_project_root(start))
    metadata = read_metadata(files)
    kind = decide_kind(files)
    is_installed = kind != "none"
    configured = read_install_source(ini, files, metadata)
    sources = find_sources(files, metadata, is_installed=is_installed) if configured is None else (configured,)
    installation = _Installation(files, metadata, canonicalize_name(metadata.name), is_installed=is_installed)
    for source in sources:
        installation.add(source)
    origins = [source.origin for source in sources]
    if configured is None:
        origins += _describe(installation.add_plugins(find_ini_plugins, ini))
    install = installation.list_entries() if configured is None else read_install_entries(ini)
    if installation.extras and not any(source.extras for source in sources):
        origins.insert(0, f".[{','.join(installation.extras)}]")
    if not origins and is_installed:
        origins = [f". ({files.main_file})"]
    typed = installation.add_plugins(find_option_plugins, options)
    own = installation.list_own_dependencies()
    packages = installation.find_packages(own)
    lock, notes = find_configured_lock(files.root, installation.list_to_pin(own), name=metadata.name, ini=ini)
    return Project(
        root=files.root,
        name=metadata.name or files.root.name,
        distribution=files.declared_name,
        requires_python=metadata.requires_python,
        classifiers=metadata.classifiers,
        kind=kind,
        versioning=_find_versioning(files, metadata.name) if is_installed else None,
        extras=tuple(installation.extras),
        built_extras=() if sources or not is_installed or metadata.are_extras_known else TEST_NAMES,
        groups=tuple(dict.fromkeys(installation.groups)),
        requirements=tuple(dict.fromkeys(installation.requirements)),
        requirement_files=tuple(dict.fromkeys(installation.requirement_files)),
        options=tuple(dict.fromkeys(installation.options)),
        needs_pip=bool(installation.pip_only),
        requires_pytest=installation.requires_pytest,
        dependencies=own or (),
        sources=packages.sources,
        packages=packages.packages,
        folders=packages.folders,
        lock=lock,
        option_plugins=tuple(option for _, option in typed),
        origin=", ".join([*origins, *_describe(typed), *([str(lock)] if lock else [])]),
        install=install,
        notes=(*notes, *installation.describe_pip()),
        fingerprint_files=installation.list_fingerprint_files(packages.packages),
    )


def _find_versioning(files: ProjectFiles, name: str) -> Versioning | None:
    from pytest_pyimages.project.scm.versioning import find_versioning  # only an installed project has a version

    return find_versioning(files, name)


def find_project_root(start: Path) -> Path:
    """Return the nearest folder, from the given one upwards, with a build configuration; the given one without any.

    The search ends with the checkout, and below the user's home folder: what lies above has nothing to do with it.
    A folder with requirements of its own is a project too, unless it is one for tests inside of another.
    """
    start = start.absolute()
    if start.name not in _TEST_FOLDERS and not is_project(start) and any(start.glob("*requirements*.txt")):
        return start
    for folder in (start, *start.parents):
        if folder != start and folder == Path.home():
            break
        if is_project(folder):
            return folder
        if (folder / ".git").exists():
            break
    return start


def find_project_folder(rootdir: Path, near: Path) -> Path:
    """Return the folder from which ``find_project`` finds the project that is tested: pytest's rootdir, if it has one.

    An ini file elsewhere (``-c``), or above several projects, makes its folder the rootdir and says nothing about what
    is installed.

    :param near: the working folder, or the folder of the paths on the command line.
    """
    root = find_project_root(rootdir)
    if near.is_relative_to(root) and _has_requirements(root):
        return rootdir
    nearest = find_project_root(near)
    return nearest if _has_requirements(nearest) else rootdir


def _has_requirements(folder: Path) -> bool:
    return (
        is_project(folder)
        or "dependency-groups" in read_toml(folder / "pyproject.toml")
        or any(folder.glob("*requirements*.txt"))
    )


def is_project(folder: Path) -> bool:
    """Return whether a folder has the build configuration of a project."""
    return (
        (folder / "setup.py").is_file()
        or declares_project(read_toml(folder / "pyproject.toml"))
        or "metadata" in read_ini(folder / "setup.cfg")
    )


def list_build_sources(project: Project, *, with_tests: bool = True) -> tuple[Path, ...]:
    """Return the files whose change makes the project's wheel a new one, sorted; empty for what is not built.

    :param with_tests: test modules inside of the package as well.
    """
    return list_source_files(project.root, with_tests=with_tests) if project.kind == "wheel" else ()


def _describe(plugins: RequiredPlugins) -> list[str]:
    return [f"{requirement} ({reason})" for requirement, reason in plugins]


@dataclass(slots=True)
class _Installation:
    """The sum of all sources."""

    files: ProjectFiles
    metadata: Metadata
    name: str  # normalised; empty if it has none
    is_installed: bool
    extras: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    requirements: list[str] = field(default_factory=list)
    requirement_files: list[Path] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    pip_only: list[str] = field(default_factory=list)  # see RequirementsFile
    _all_extras: list[str] = field(default_factory=list)  # those of a project that is not installed as well
    _packages: list[LocalPackage] = field(default_factory=list)
    _chains: list[Path] = field(default_factory=list)
    _in_files: list[str] = field(default_factory=list)
    _is_plain: bool = True  # the requirements are complete

    def add(self, source: RequirementSource) -> None:
        self.groups += source.groups
        self._add_extras(source.extras)
        for text in source.requirements:
            own = find_own_extras(split_option(text)[1], root=self.files.root.resolve(), name=self.name)
            if own is not None:
                self._add_extras(own)
                continue
            self.requirements.append(text)
            package = find_local_package(text, root=self.files.root)
            self._packages += () if package is None else (package,)
        for path in source.requirement_files:
            self._add_file(path)

    def _add_extras(self, extras: Iterable[str]) -> None:
        extras = tuple(extras)
        self._all_extras += extras
        if self.is_installed:
            self.extras += (extra for extra in extras if extra not in self.extras)
        else:
            self.requirements += self.metadata.expand_extras(extras)

    def _add_file(self, path: Path) -> None:
        content = read_requirements_file(path, root=self.files.root, name=self.name)
        if content.problem is not None:
            raise content.problem
        self._chains += content.chain
        self._packages += content.packages
        self._is_plain = self._is_plain and content.is_plain
        self._add_extras(content.own_extras)
        if self.is_installed and content.names_project and content.is_plain:
            # It would install the project a second time, and perhaps in another way.
            self.requirements += content.requirements
        else:
            self.requirement_files.append(path)
            self.options += content.options
            self.pip_only += content.pip_only
            self._in_files += content.requirements

    def add_plugins(self, find: Callable[..., RequiredPlugins], required_by: object) -> RequiredPlugins:
        """Add the plugins that options or ini keys of pytest require; return them with what requires them."""
        own = (*(self.metadata.dependencies or ()), *self.metadata.expand_extras(self.extras))
        present = find_distributions((*self.requirements, *self._in_files, *own)) | {self.name}
        plugins = find(required_by, root=self.files.root, present=present)
        self.requirements += (requirement for requirement, _ in plugins)
        return plugins

    def list_own_dependencies(self) -> tuple[str, ...] | None:
        """Return the project's own dependencies, with those of the extras; None if only a build knows them."""
        if not self.is_installed:
            return ()  # they are among the requirements
        known = {canonicalize_name(extra) for extra in self.metadata.extras or {}}
        if self.metadata.dependencies is None or not known.issuperset(map(canonicalize_name, self.extras)):
            return None
        return tuple(dict.fromkeys((*self.metadata.dependencies, *self.metadata.expand_extras(self.extras))))

    def describe_pip(self) -> tuple[str, ...]:
        """Return a note if pip installs; as a rule, uv does."""
        if not self.pip_only:
            return ()
        return (f"pip installs, which is slower: uv does not support {', '.join(dict.fromkeys(self.pip_only))}",)

    def find_packages(self, own: tuple[str, ...] | None) -> FoundSources:
        """Return where the packages come from, with those of this host that requirements name.

        :param own: the project's own dependencies.
        """
        known = own or (*(self.metadata.dependencies or ()), *self.metadata.expand_extras(self.extras))
        found = find_package_sources(
            self.files,
            (*self.requirements, *self._in_files, *known),
            name=self.name,
            extras=self._all_extras,
            groups=self.groups,
        )
        packages = tuple(dict.fromkeys((*found.packages, *self._packages)))
        folders = (*found.folders, *(path.parent for path in self._chains), *(package.path for package in packages))
        existing = tuple(folder for folder in dict.fromkeys(folders) if folder.exists())
        return found._replace(packages=packages, folders=existing)

    @property
    def requires_pytest(self) -> bool:
        found = map(parse_requirement, (*self.requirements, *self._in_files))
        return any(each and each.marker is None and canonicalize_name(each.name) == "pytest" for each in found)

    def list_to_pin(self, own: tuple[str, ...] | None) -> RequirementsToPin:
        """Return all requirements, for a lock file to pin."""
        requirements = (*self.requirements, *self._in_files, *(own or ()))
        return RequirementsToPin(
            requirements=requirements,
            is_complete=own is not None and self._is_plain,
            extras=tuple(self.extras),
            groups=tuple(self.groups),
        )

    def list_entries(self) -> tuple[str, ...]:
        """Return the entries of py_images_install that request the same."""
        listed = {text for group in dict.fromkeys(self.groups) for text in self.files.expand_group(group)}
        return (
            *([f".[{','.join(self.extras)}]"] if self.extras else []),
            *(f"--group {group}" for group in dict.fromkeys(self.groups)),
            *(f"-r {os.path.relpath(file, self.files.root)}" for file in dict.fromkeys(self.requirement_files)),
            *dict.fromkeys(text for text in self.requirements if text not in listed),
        )

    def list_fingerprint_files(self, packages: Iterable[LocalPackage]) -> tuple[Path, ...]:
        found = list(self._chains)
        for package in packages:
            found += list_package_files(package.path, is_editable=package.is_editable)
        if self.is_installed:
            found += (self.files.root / name for name in BUILD_FILES if (self.files.root / name).is_file())
            found += (*self.metadata.files, *list_build_scripts(self.files))
        return tuple(sorted(set(found)))
