"""Read the files that configure a project's build; nothing is judged here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from packaging.utils import canonicalize_name

from pytest_pyimages.errors import ConfigurationError, make_read_error
from pytest_pyimages.project.setup_py import SetupScript, read_setup_script
from pytest_pyimages.text import flatten, suggest
from pytest_pyimages.toml import parse_toml

Table = Mapping[str, Any]
Sections = Mapping[str, Mapping[str, str]]


class ProjectFiles(NamedTuple):
    """The build configuration of one project; empty for files that do not exist."""

    root: Path
    pyproject: Table
    hatch: Table  # hatch.toml, which replaces [tool.hatch]
    setup_cfg: Sections
    setup_script: SetupScript

    @property
    def tool(self) -> Table:
        """The tables of tools in pyproject.toml."""
        return get_table(self.pyproject, "tool")

    @property
    def backend(self) -> str:
        """The module that builds the project, without its attribute; empty if none is named."""
        return str(get_table(self.pyproject, "build-system").get("build-backend", "")).partition(":")[0]

    @property
    def uses_setuptools(self) -> bool:
        """Whether the build reads setup.py and setup.cfg.

        setuptools builds what names no backend (PEP 517); a backend in the project's own tree mostly wraps it.
        """
        return (
            self.backend == ""
            or self.backend.partition(".")[0] in {"setuptools", "skbuild", "pbr"}
            or "backend-path" in get_table(self.pyproject, "build-system")
        )

    @property
    def is_packaged(self) -> bool:
        """Whether the files configure a build at all."""
        return declares_project(self.pyproject) or self.setup_script.is_present or "metadata" in self.setup_cfg

    @property
    def declared_name(self) -> str:
        """The distribution's normalised name where installers can read it without a build; else empty."""
        setup_cfg = self.setup_cfg.get("metadata", {})
        for found in (get_table(self.pyproject, "project"), get_table(self.tool, "poetry"), setup_cfg):
            if isinstance(found.get("name"), str):
                return canonicalize_name(found["name"])
        return ""

    @property
    def main_file(self) -> str:
        """The name of the file that configures the build."""
        if declares_project(self.pyproject):
            return "pyproject.toml"
        return "setup.py" if self.setup_script.is_present else "setup.cfg"

    def expand_group(self, name: str) -> tuple[str, ...]:
        """Return the PEP 508 strings of a dependency group of pyproject.toml."""
        return expand_group(self.pyproject, name, path=self.root / "pyproject.toml")


def read_project_files(root: Path) -> ProjectFiles:
    """Read the build configuration in a project's folder.

    :raises ConfigurationError: for a file that cannot be read.
    """
    pyproject = read_toml(root / "pyproject.toml")
    return ProjectFiles(
        root=root,
        pyproject=pyproject,
        hatch=read_toml(root / "hatch.toml") or get_table(pyproject, "tool", "hatch"),
        setup_cfg=read_ini(root / "setup.cfg"),
        setup_script=read_setup_script(root / "setup.py"),
    )


def declares_project(pyproject: Table) -> bool:
    """Whether a pyproject.toml is a project's, and not only a place for the settings of tools."""
    return "project" in pyproject or "build-system" in pyproject or bool(get_table(pyproject, "tool", "poetry"))


def read_toml(path: Path, *, without: re.Pattern[str] | None = None) -> Table:
    """Return the document; empty if the file does not exist.

    :param without: text to remove first: a large part of a large file may be of no interest.
    """
    text = _read_text(path)
    try:
        return _parse_once(without.sub("", text) if without else text)
    except ValueError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}", "fix it") from error


@lru_cache(maxsize=8)  # a run asks for the same file at several places, and parsing a large one takes long
def _parse_once(text: str) -> Table:
    return parse_toml(text)


def read_ini(path: Path) -> Sections:
    """Return section, key and value of an ini file; empty if the file does not exist."""
    return parse_ini(_read_text(path), path)


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    except OSError as error:
        raise make_read_error(path, error) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8: {error}", "save it as UTF-8") from error


def parse_ini(text: str, path: Path) -> Sections:
    """Return section, key and value of a text in the syntax of an ini file.

    :param path: the file that holds the text.
    """
    if not text:
        return {}
    import configparser  # few projects have such files

    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # documented way to keep the case of keys
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ConfigurationError(f"{path} is not a valid ini file: {flatten(error)}", "fix it") from error
    return {name: dict(parser.items(name)) for name in parser.sections()}


def get_table(document: Table, *keys: str) -> Table:
    """Return the table below these keys; empty if there is none, or something else."""
    found: object = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def get_strings(value: object) -> tuple[str, ...]:
    """Return the strings of a list, or the one string; other values are skipped."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return tuple(entry for entry in value if isinstance(entry, str))
    return ()


def split_lines(value: str) -> tuple[str, ...]:
    """Return the lines of a value in an ini file, without comments and empty lines."""
    cut = (f" {line}".split(" #", 1)[0].strip() for line in value.splitlines())
    return tuple(line for line in cut if line)


def expand_group(pyproject: Table, name: str, *, path: Path) -> tuple[str, ...]:
    """Return the PEP 508 strings of a dependency group and of the groups that it includes (PEP 735).

    :param path: the pyproject.toml.
    :raises ConfigurationError: for a group that does not exist, includes itself, or is malformed.
    """
    from packaging.dependency_groups import CyclicDependencyGroup, resolve_dependency_groups
    from packaging.errors import ExceptionGroup
    from packaging.requirements import InvalidRequirement

    groups = get_table(pyproject, "dependency-groups")
    try:
        return tuple(dict.fromkeys(resolve_dependency_groups(groups, name)))
    except (ExceptionGroup, InvalidRequirement, TypeError) as errors:  # packaging 26.1 does not group all of them
        error = errors.exceptions[0] if isinstance(errors, ExceptionGroup) else errors
        if isinstance(error, LookupError):
            unknown = str(error).split("'")[1]
            hint = suggest(unknown, map(canonicalize_name, groups), otherwise="add it")
        elif isinstance(error, CyclicDependencyGroup):
            hint = "remove one of these include-group entries"
        else:
            hint = 'write a list of requirements and {include-group = "name"} entries'
        raise ConfigurationError(f"{path} [dependency-groups] {name}: {flatten(error)}", hint) from errors
