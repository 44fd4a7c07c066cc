"""Find the modules that a suite could not import during collection, and a hint for each."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from pytest_pyimages.containers import is_environment
from pytest_pyimages.project import (
    Ini,
    Project,
    find_distribution,
    find_member,
    find_plugin,
    find_provider,
    get_removal_version,
    get_table,
    is_in_standard_library,
    is_known,
    is_test_of_standard_library,
    parse_requirement,
    read_toml,
)

# The last line of a traceback, as Python 3, Python 2 and pytest's own refusals have it; pytest puts an "E" before it.
_MISSING = re.compile(r"(?:E +)?(?:[\w.]*Error|ERROR): (?:.*: )?No module named ['\"]?(?P<name>\w[\w.]*)")
_IMPORT = re.compile(r"[> ]*(?:from (?P<package>[\w.]+) import \(?(?P<part>\w+)|import (?P<module>[\w.]+))")
# The reason of pytest.importorskip.
_NOT_IMPORTED = re.compile(r"(?:Skipped: )?could not import '(?P<name>[\w.]+)'")
# Where packages and modules of a project lie, beside its own folder and those directly below it.
_NESTED = ("src", "lib", "python")


class MissingModule(NamedTuple):
    name: str  # what Python did not find
    imported: str  # as far as the traceback shows it: "google.protobuf" where "google" is missing


def parse_missing_module(text: str) -> MissingModule | None:
    """Return the module that an error of pytest or Python reports as missing; None for any other error."""
    lines = text.splitlines()
    for place in range(len(lines) - 1, -1, -1):
        match = _MISSING.match(lines[place])
        if match:
            name = match["name"].rstrip(".")
            return MissingModule(name, _find_imported(lines[max(place - 3, 0) : place], name))
    return None


def _find_imported(before: Sequence[str], name: str) -> str:
    for line in reversed(before):
        match = _IMPORT.match(line)
        if match:
            imported = match["module"] or f"{match['package']}.{match['part']}"
            return imported if f"{imported}.".startswith(f"{name}.") else name
    return name


class IniFile(NamedTuple):
    """The pytest configuration of a suite, and its file."""

    ini: Ini
    inipath: Path | None
    rootdir: Path

    @property
    def place(self) -> str:
        """The file and section to add a key to."""
        if self.inipath is None:
            has_toml = (self.rootdir / "pyproject.toml").is_file()
            return "pyproject.toml [tool.pytest.ini_options]" if has_toml else "pytest.ini [pytest]"
        name = self.inipath.name
        if name == "pyproject.toml":
            native = bool(set(get_table(read_toml(self.inipath), "tool", "pytest")) - {"ini_options"})
            return f"{name} [tool.pytest]" if native else f"{name} [tool.pytest.ini_options]"
        return f"{name} [tool:pytest]" if name.endswith(".cfg") else f"{name} [pytest]"

    def format_assignment(self, key: str, values: Sequence[str]) -> str:
        """Return a line that sets a key to a list, in the syntax of the file."""
        if self.place.partition(" ")[0].endswith(".toml"):
            return f"{key} = {format_toml_list(values)}"
        return f"{key} = {' '.join(_quoted(value) for value in values)}"


def format_toml_list(values: Iterable[str]) -> str:
    """Return a list of strings in TOML, whose syntax for it is that of JSON."""
    return json.dumps(list(values), ensure_ascii=False)


def _quoted(value: str) -> str:
    option, space, name = value.partition(" ")
    if option.startswith("-") and space and " " not in name:
        return value  # "--group test": two words
    return shlex.quote(value) if re.search(r"[\s'\";#]", value) else value


class MissingModules:
    """Collects the missing modules of each image, and makes hints.

    :param projects: whose requirements are installed, by label.
    :param source: the folder that is mounted into the containers.
    :param overridden: labels of images whose ``install`` is set by an override.
    """

    def __init__(
        self, projects: Mapping[str, Project], ini_file: IniFile, *, source: Path, overridden: Iterable[str] = ()
    ) -> None:
        self._projects = projects
        self._source = source
        self._ini_file = ini_file
        self._overridden = frozenset(overridden)
        self._found: dict[str, dict[str, MissingModule]] = {}
        self._skips: dict[str, Counter[tuple[str, str]]] = {}  # by label: kind ("module" or "test") and missing module

    def record_error(self, label: str, error: str) -> None:
        """Record the module that a collection error reports as missing, if any."""
        missing = parse_missing_module(error)
        if missing is not None:
            self._found.setdefault(label, {}).setdefault(missing.name, missing)

    def record_skip(self, label: str, kind: str, reason: str) -> None:
        """Record the module that pytest.importorskip did not find, if a skip has that reason.

        :param kind: "module" if it was skipped as a whole, else "test".
        """
        match = _NOT_IMPORTED.match(reason)
        if match is not None:
            self._skips.setdefault(label, Counter())[kind, match["name"]] += 1

    def list_notes(self) -> Iterator[str]:
        """Yield a line for each module that importorskip missed and the project can install; equal ones once."""
        notes: dict[str, list[str]] = {}
        for label in self._projects:  # in the order of the matrix
            skips = self._skips.get(label, Counter())
            for name in dict.fromkeys(name for _, name in skips):
                counts = {kind: skips[kind, name] for kind in ("module", "test")}
                note = self._describe_skip(label, name, counts)
                if note:
                    notes.setdefault(note, []).append(label)
        for note, labels in notes.items():
            yield f"{', '.join(labels)}: {note}"

    def _describe_skip(self, label: str, name: str, counts: Mapping[str, int]) -> str:
        """Return what would install a missing module; empty if the project has nothing that would."""
        project, requirement = self._projects.get(label), find_distribution(name)
        if project is None or not requirement or _is_listed(requirement, project):
            return ""
        provider = find_provider(project.root, requirement.partition("<")[0])
        if provider is None:
            return ""
        numbers = [f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items() if count]
        setting = self._format_setting(label, (*project.install, provider.entry))
        skipped = f"{' and '.join(numbers)} skipped because {name} is missing"
        return f"{skipped}; {provider.name} provides it · add it {setting}"

    def make_hint(self, label: str, *, python: str) -> str:
        """Return one line on the missing modules of an image, and how to add them; empty if there are none."""
        project = self._projects.get(label)
        found = self._found.get(label)
        if project is None or not found:
            return ""
        own, foreign = [], []
        members: dict[str, Path] = {}
        for missing in found.values():
            place = self._find_folder(missing.name.partition(".")[0], project)
            member = None if place == project.root else find_member(self._ini_file.rootdir, missing.imported)
            if member is not None and member != project.root:
                members[missing.name] = member
            elif place is None:
                foreign.append(missing)
            else:
                own.append(self._describe_own(missing.name, place, project))
        hints = [*self._describe_foreign(foreign, project, label, python=python), *own]
        return "; ".join([*self._describe_members(members, project, label), *hints])

    def make_plugin_hint(self, label: str, options: Iterable[str]) -> str:
        """Return one line on the plugins that have these options, and how to add them; empty if none is known."""
        project = self._projects.get(label)
        found = [plugin for plugin in map(find_plugin, options) if plugin]
        if project is None or not found:
            return ""
        plugins = tuple(dict.fromkeys(found))
        setting = self._format_setting(label, (*project.install, *plugins))
        them, verb = ("it", "is") if len(plugins) == 1 else ("them", "are")
        return f"{' and '.join(plugins)} {verb} not in the suite's requirements · add {them} {setting}"

    def _describe_foreign(
        self, missing: Sequence[MissingModule], project: Project, label: str, *, python: str
    ) -> Iterator[str]:
        """Yield a hint for each module of other distributions; one for all that can be added together."""
        added: dict[str, str] = {}
        for module in missing:
            no_module = _no_module([module.name])
            requirement = find_distribution(module.imported)
            name = requirement.partition("<")[0]
            if requirement and not _is_listed(requirement, project) and _can_recommend(name, project):
                added[module.name] = requirement
            elif requirement and _is_listed(requirement, project):
                yield f"{no_module} · {name} is installed, but does not provide it on this image"
            elif is_test_of_standard_library(module.name):
                yield f"{no_module} · the image lacks the standard library's own tests · use an image that has them"
            elif is_in_standard_library(module.name):
                since = get_removal_version(module.name)
                reason = f"removed from the standard library in Python {since}" if since else "not in this Python"
                yield f"{no_module} · {reason}{f' ({python})' if python and not since else ''}"
            else:
                yield f"{no_module} · add the distribution that provides it {self._format_setting(label)}"
        if added:
            them = "it" if len(added) == 1 else "them"
            values = (*project.install, *dict.fromkeys(added.values()))
            yield f"{_no_module(list(added))} · add {them} {self._format_setting(label, values)}"

    def _describe_members(self, members: Mapping[str, Path], project: Project, label: str) -> Iterator[str]:
        """Yield a hint for the modules of other projects below the rootdir.

        :param members: the folders of these projects, by module.
        """
        folders = [member.relative_to(self._ini_file.rootdir).as_posix() for member in members.values()]
        folders = list(dict.fromkeys(folders))
        if folders:
            entries = (*project.install, *(f"-e {folder}" for folder in folders))
            verb, them = ("provides", "it") if len(folders) == 1 else ("provide", "them")
            setting = self._format_setting(label, entries)
            yield f"{_no_module(list(members))}, which {' and '.join(folders)} {verb} · add {them} {setting}"

    def _format_setting(self, label: str, values: Sequence[str] = ()) -> str:
        """Return the file that sets an image's requirements, and the line to add."""
        if label in self._overridden:
            return f"in pyproject.toml [[tool.pyimages.overrides]]: install = {format_toml_list(values or ['...'])}"
        line = self._ini_file.format_assignment("py_images_install", values or ["..."])
        return f"in {self._ini_file.place}: {line}"

    def _find_folder(self, name: str, project: Project) -> Path | None:
        """Return the folder of the project that has a module or package of this name."""
        for root in dict.fromkeys((project.root, self._ini_file.rootdir)):
            entries = (path for path in root.iterdir() if not path.name.startswith("."))
            below = sorted(path for path in entries if path.is_dir() and os.access(path, os.X_OK))
            nested = [folder / name for folder in below for name in _NESTED if (folder / name).is_dir()]
            for folder in (root, *(path for path in below if not is_environment(path)), *nested):
                package = folder / name
                # os.path: of any text that a suite names
                if os.path.isfile(folder / f"{name}.py") or os.path.isfile(package / "__init__.py"):  # noqa: PTH113
                    return folder
                is_folder = folder == root and os.path.isdir(package)  # noqa: PTH112
                if is_folder and any(package.glob("*.py")):  # a package without __init__.py
                    return folder
        return None

    def _describe_own(self, name: str, place: Path, project: Project) -> str:
        """Return the hint for a module whose outermost package is in the project.

        :param place: the folder that contains the package.
        """
        path = place.joinpath(*name.split("."))
        missing = _no_module([name])
        is_folder, is_file = os.path.isdir(path), os.path.isfile(path.with_suffix(".py"))  # noqa: PTH112, PTH113
        if "." in name and not is_folder and not is_file:
            folder = os.path.relpath(path.parent, project.root)
            return f"{missing} · {folder} has no such file; if it is generated, do so in py_images_setup"
        file = path if is_folder else path.with_suffix(".py")
        if not file.resolve().is_relative_to(self._source.resolve()):
            link = os.path.relpath(file, project.root)
            return f"{missing} · {link} is a link to {file.resolve()}, but containers only see {self._source}"
        base = self._ini_file.rootdir if self._ini_file.inipath is None else self._ini_file.inipath.parent
        relative = Path(os.path.relpath(place, base)).as_posix()
        value = self._ini_file.ini.get("pythonpath", [])
        present = shlex.split(value) if isinstance(value, str) else list(value)
        why = "the project defines no package" if project.kind == "none" else "no installed package contains it"
        line = self._ini_file.format_assignment("pythonpath", [*present, relative])
        return f"{missing}, which is in {_folder(relative)}: {why} · add it in {self._ini_file.place}: {line}"


def _is_listed(requirement: str, project: Project) -> bool:
    """Return whether a distribution is among the project's requirements on all Pythons."""
    listed = map(parse_requirement, (*project.requirements, *project.dependencies))
    names = {canonicalize_name(found.name) for found in listed if found is not None and found.marker is None}
    return canonicalize_name(requirement.partition("<")[0]) in names


def _can_recommend(name: str, project: Project) -> bool:
    """Return whether a distribution is known, or in an extra, group or lock file of the project."""
    return is_known(name) or find_provider(project.root, name) is not None


def _no_module(names: Sequence[str]) -> str:
    return "no module named " + " or ".join(f'"{name}"' for name in names)


def _folder(relative: str) -> str:
    return "the folder of the configuration file" if relative == "." else relative
