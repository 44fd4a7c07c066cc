"""Read what a tox configuration installs for its test environments (tox's documentation, "Configuration")."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from pytest_pyimages.project.environments.tox_factors import applies, expand_names, find_factors, is_free
from pytest_pyimages.project.files import (
    ProjectFiles,
    Sections,
    Table,
    get_strings,
    get_table,
    parse_ini,
    read_ini,
    read_toml,
    split_lines,
)
from pytest_pyimages.project.requirements import (
    RequirementSource,
    find_own_extras,
    parse_requirement,
    rank_name,
    split_option,
)

_FACTORS = re.compile(r"(?P<factors>[\w{},.!-]+):\s+(?P<rest>.*)|[\w{},.!-]+:")
_SUBSTITUTION = re.compile(r"\{(?P<key>[^{}]*)\}")
_REFERENCE = re.compile(r"\[(?P<section>[^\]]+)\](?P<key>.+)")
_TEST_RUNNER = re.compile(
    r"\b(pytest|py\.test|unittest|nose2?|stestr|trial|zope-testrunner|manage\.py test|runtests)\b"
)
_ROOTS = frozenset({"toxinidir", "tox_root", "tox_dir", "config_dir", "/"})


class _Environment(NamedTuple):
    """One environment, with all values that could be resolved."""

    name: str
    dependencies: tuple[str, ...]
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    commands: str  # all of them in one text

    @property
    def rank(self) -> int:
        """The rank of its name; that of tests for the base environment, and for one that runs tests."""
        return 0 if _TEST_RUNNER.search(self.commands) else rank_name(self.name) or 0


def find_tox_sources(files: ProjectFiles, *, name: str) -> list[RequirementSource]:
    """Return the test environments, nearest to "test" first; empty where there is no tox configuration.

    :param name: the project's own distribution name; empty if it has none.
    """
    for file, environments in _read_configurations(files):
        found = [_make_source(files, each, file, name) for each in environments if any(each[1:4])]
        if found:
            return found
    return []


def _read_configurations(files: ProjectFiles) -> Iterator[tuple[str, Iterator[_Environment]]]:
    """Yield the files in which tox looks, in its order."""
    root = files.root
    yield "tox.ini", _read_ini_environments(read_ini(root / "tox.ini"), root)
    if "tox:tox" in files.setup_cfg:
        yield "setup.cfg", _read_ini_environments(files.setup_cfg, root)
    tool = get_table(files.tool, "tox")
    legacy = tool.get("legacy_tox_ini")
    if isinstance(legacy, str):
        yield "pyproject.toml", _read_ini_environments(parse_ini(legacy, root / "pyproject.toml"), root)
    yield "pyproject.toml", _read_toml_environments(tool, root)
    yield "tox.toml", _read_toml_environments(read_toml(root / "tox.toml"), root)


def _make_source(files: ProjectFiles, environment: _Environment, file: str, name: str) -> RequirementSource:
    extras, requirements, paths = list(environment.extras), [], list[Path]()
    for line in environment.dependencies:
        option, value = split_option(line)
        own = find_own_extras(value, root=files.root.resolve(), name=canonicalize_name(name))
        if option == "-r":
            paths.append(files.root / value.strip())
        elif own is not None and option != "-c":
            extras += own
        elif parse_requirement(line) is not None:
            requirements.append(line)
    for group in environment.groups:
        requirements += files.expand_group(group)
    return RequirementSource(
        origin=f"tox environment {environment.name} ({file})",
        rank=environment.rank,
        extras=tuple(dict.fromkeys(extras)),
        groups=environment.groups,
        requirements=tuple(dict.fromkeys(requirements)),
        requirement_files=tuple(dict.fromkeys(paths)),
    )


def _sort_names(names: Mapping[str, str]) -> list[str]:
    """Return the keys of the base environment and of those named after tests: the base first, which the others extend.

    :param names: key and name of each environment; the base's name is empty.
    """
    ranks = {key: -1 if name == "" else rank_name(name) for key, name in names.items()}
    known = {key: rank for key, rank in ranks.items() if rank is not None}
    return sorted(known, key=lambda key: known[key])


def _read_ini_environments(sections: Sections, root: Path) -> Iterator[_Environment]:
    tox = sections.get("tox") or sections.get("tox:tox") or {}
    factors = find_factors(expand_names(tox.get("env_list") or tox.get("envlist") or ""))
    names = {section: section.removeprefix("testenv").removeprefix(":") for section in sections}
    for section in _sort_names({key: name for key, name in names.items() if key.startswith("testenv")}):
        keys = sections[section]
        dependencies = _resolve_lines(
            sections, keys.get("deps", ""), root, lambda condition, text: applies(condition, factors) and is_free(text)
        )
        extras, groups = (
            _split_words(
                _resolve_lines(sections, keys.get(key, ""), root, lambda condition, _: applies(condition, factors))
            )
            for key in ("extras", "dependency_groups")
        )
        commands = keys.get("commands", sections.get("testenv", {}).get("commands", ""))
        name = section.removeprefix("testenv:")
        yield _Environment(name, tuple(dependencies), tuple(extras), tuple(groups), commands)


def _split_words(entries: Iterator[str]) -> Iterator[str]:
    for entry in entries:
        yield from filter(None, re.split(r"[,\s]+", entry))


def _resolve_lines(
    sections: Sections, value: str, root: Path, takes: Callable[[str, str], bool], depth: int = 0
) -> Iterator[str]:
    """Yield a value's lines, without those of other factors and those that only a run of tox could resolve.

    :param takes: whether to take a line, by its condition and its rest; one of a factor named after tests always is.
    """
    for line in split_lines(value):
        match = _FACTORS.fullmatch(line)
        condition, text = (match["factors"] or "", match["rest"] or "") if match else ("", line)
        is_of_tests = not match or any(rank_name(name) is not None for name in condition.split(","))
        if not is_of_tests and not takes(condition, text):
            continue
        whole = _SUBSTITUTION.fullmatch(text)
        reference = _REFERENCE.fullmatch(whole["key"]) if whole else None
        if reference is not None and depth < 10:
            other = sections.get(reference["section"], {}).get(reference["key"], "")
            yield from _resolve_lines(sections, other, root, takes, depth + 1)
        else:
            resolved = _resolve(text, root)
            if resolved is not None:
                yield resolved


def _resolve(text: str, root: Path) -> str | None:
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


def _read_toml_environments(document: Table, root: Path) -> Iterator[_Environment]:
    environments: dict[str, Table] = {"env_run_base": get_table(document, "env_run_base")}
    environments |= {name: get_table(document, "env", name) for name in get_table(document, "env")}
    for key in _sort_names({key: "" if key == "env_run_base" else key for key in environments}):
        values = environments[key]
        deps = values.get("deps")
        listed = split_lines(deps) if isinstance(deps, str) else get_strings(deps)
        dependencies = tuple(text for text in (_resolve(entry, root) for entry in listed) if text is not None)
        extras, groups = get_strings(values.get("extras")), get_strings(values.get("dependency_groups"))
        commands = values.get("commands", environments["env_run_base"].get("commands", ""))
        yield _Environment(key, dependencies, extras, groups, str(commands))
