"""What a tox configuration installs for its test environments (tox's documentation, "Configuration")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from pytest_pyimages.project.files import (
    ProjectFiles,
    Sections,
    Table,
    expand_group,
    lines,
    parse_ini,
    parsed,
    read_ini,
    read_toml,
    table,
    texts,
)
from pytest_pyimages.project.requirements import own_extras
from pytest_pyimages.project.suite_needs import Needs, closeness

_FACTORS = re.compile(r"(?P<factors>[\w{},.!-]+):\s+(?P<rest>.*)|[\w{},.!-]+:")
_SUBSTITUTION = re.compile(r"\{(?P<key>[^{}]*)\}")
_REFERENCE = re.compile(r"\[(?P<section>[^\]]+)\](?P<key>.+)")
_REQUIREMENTS = re.compile(r"(?:-r|--requirement(?=[\s=]))[\s=]*(?P<file>.+)")
_EDITABLE = re.compile(r"(?:-e|--editable(?=[\s=]))[\s=]*")
_ROOTS = frozenset({"toxinidir", "tox_root", "tox_dir", "config_dir", "/"})


@dataclass(frozen=True, slots=True)
class _Environment:
    """What one environment lists, with all that could be resolved of it."""

    name: str
    dependencies: tuple[str, ...]
    extras: tuple[str, ...]
    groups: tuple[str, ...]


def tox_needs(files: ProjectFiles, *, name: str) -> list[Needs]:
    """Return what the test environments install, nearest to "test" first; nothing where there is no tox configuration.

    :param name: the project's own distribution name; empty if it has none.
    """
    for file, environments in _configurations(files):
        if environments:
            return [_needs(files, environment, file, name) for environment in environments]
    return []


def _configurations(files: ProjectFiles) -> Iterator[tuple[str, list[_Environment]]]:
    """Yield the places in which tox looks, in its order."""
    root = files.root
    tox_ini = read_ini(root / "tox.ini")
    yield "tox.ini", _from_ini(tox_ini, root)
    if "tox:tox" in files.setup_cfg:
        yield "setup.cfg", _from_ini(files.setup_cfg, root)
    tool = table(files.tool, "tox")
    legacy = tool.get("legacy_tox_ini")
    if isinstance(legacy, str):
        path = root / "pyproject.toml"
        yield "pyproject.toml", _from_ini(parse_ini(legacy, path), root)
    yield "pyproject.toml", _from_toml(tool, root)
    yield "tox.toml", _from_toml(read_toml(root / "tox.toml"), root)


def _needs(files: ProjectFiles, environment: _Environment, file: str, name: str) -> Needs:
    extras, requirements, paths = list(environment.extras), [], list[Path]()
    for line in environment.dependencies:
        reference = _REQUIREMENTS.fullmatch(line)
        own = own_extras(_EDITABLE.sub("", line), root=files.root.resolve(), name=canonicalize_name(name))
        if reference is not None:
            paths.append(files.root / reference["file"].strip())
        elif own is not None:
            extras += own
        elif parsed(line) is not None:
            requirements.append(line)
    known = table(files.pyproject, "dependency-groups")
    for group in environment.groups:
        requirements += expand_group(known, group, path=files.root / "pyproject.toml")
    return Needs(
        origin=f"tox environment {environment.name} ({file})",
        extras=tuple(dict.fromkeys(extras)),
        groups=environment.groups,
        requirements=tuple(dict.fromkeys(requirements)),
        requirement_files=tuple(dict.fromkeys(paths)),
    )


def _nearest_first(names: Mapping[str, str]) -> list[str]:
    """Return the keys of the base environment and of those named after tests: the base first, which the others extend.

    :param names: key and name of each environment; the base's name is empty.
    """
    places = {key: -1 if name == "" else closeness(name) for key, name in names.items()}
    known = {key: place for key, place in places.items() if place is not None}
    return sorted(known, key=lambda key: known[key])


def _from_ini(sections: Sections, root: Path) -> list[_Environment]:
    names = {section: section.removeprefix("testenv").removeprefix(":") for section in sections}
    found = []
    for section in _nearest_first({key: name for key, name in names.items() if key.startswith("testenv")}):
        keys = sections[section]
        environment = _Environment(
            section.removeprefix("testenv:"),
            tuple(_ini_lines(sections, keys.get("deps", ""), root)),
            tuple(_words(_ini_lines(sections, keys.get("extras", ""), root))),
            tuple(_words(_ini_lines(sections, keys.get("dependency_groups", ""), root))),
        )
        if environment.dependencies or environment.extras or environment.groups:
            found.append(environment)
    return found


def _words(entries: Iterator[str]) -> Iterator[str]:
    for entry in entries:
        yield from filter(None, re.split(r"[,\s]+", entry))


def _ini_lines(sections: Sections, value: str, root: Path, depth: int = 0) -> Iterator[str]:
    """Yield a value's lines: those of other factors and those that only a run of tox could resolve left out."""
    for line in lines(value):
        factors = _FACTORS.fullmatch(line)
        if factors is not None and not any(
            closeness(name) is not None for name in (factors["factors"] or "").split(",")
        ):
            continue
        text = factors["rest"] if factors else line
        whole = _SUBSTITUTION.fullmatch(text)
        reference = _REFERENCE.fullmatch(whole["key"]) if whole else None
        if reference is not None and depth < 10:
            other = sections.get(reference["section"], {}).get(reference["key"], "")
            yield from _ini_lines(sections, other, root, depth + 1)
        else:
            resolved = _resolved(text, root)
            if resolved is not None:
                yield resolved


def _resolved(text: str, root: Path) -> str | None:
    """Return a text with its substitutions; None for one that only a run of tox could resolve."""
    for match in _SUBSTITUTION.finditer(text):
        key, default = match["key"], re.fullmatch(r"env:[^:]*:(.*)", match["key"])
        if key in _ROOTS:
            text = text.replace(match[0], str(root))
        elif default is not None:
            text = text.replace(match[0], default[1])
        else:
            return None
    return text


def _from_toml(document: Table, root: Path) -> list[_Environment]:
    environments: dict[str, Table] = {"env_run_base": table(document, "env_run_base")}
    environments |= {name: table(document, "env", name) for name in table(document, "env")}
    names = {key: "" if key == "env_run_base" else key for key in environments}
    found = []
    for key in _nearest_first(names):
        values = environments[key]
        deps = values.get("deps")
        listed = lines(deps) if isinstance(deps, str) else texts(deps)
        dependencies = tuple(text for text in (_resolved(entry, root) for entry in listed) if text is not None)
        environment = _Environment(
            key, dependencies, texts(values.get("extras")), texts(values.get("dependency_groups"))
        )
        if environment.dependencies or environment.extras or environment.groups:
            found.append(environment)
    return found
