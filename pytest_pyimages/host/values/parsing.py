"""Check the values of options and turn them into what a session works with."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.invocation import Invocation
from pytest_pyimages.host.option import Option
from pytest_pyimages.host.option_table import OPTIONS, TRUE
from pytest_pyimages.host.values.reading import Value, Values
from pytest_pyimages.images import Registries
from pytest_pyimages.matrix import parse_repository
from pytest_pyimages.project import OPTION_KEYS, check_project_option, read_container_option
from pytest_pyimages.project import parse_user as parse_user_name
from pytest_pyimages.results import check_writable

REPORT_SUFFIXES = (".json", ".html", ".md")
_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


def parse_report_file(origin: str, name: str, cwd: Path) -> Path:
    """Return the report file of this name.

    :raises ConfigurationError: if it cannot be one.
    """
    path = cwd / name
    if path.suffix not in REPORT_SUFFIXES:
        *others, last = REPORT_SUFFIXES
        raise ConfigurationError(f'{origin}: unknown format "{name}"', f"must end in {', '.join(others)} or {last}")
    if os.path.isdir(path):  # noqa: PTH112 - any text
        raise ConfigurationError(f"{origin}: {name} is a directory", "name a file")
    return path


def parse_reports(value: Value, cwd: Path) -> tuple[Path, ...]:
    """Return the files to write; an empty name on the command line discards those before it."""
    names = [name.strip() for text in value.texts for name in text.split("\n")]
    if value.origin == value.option.name and "" in names:
        names = names[len(names) - names[::-1].index("") :]
    paths = dict.fromkeys(parse_report_file(value.origin, name, cwd) for name in names if name)
    for path in paths:
        check_writable(value.origin, path)
    return tuple(paths)


def split_lines(value: Value) -> tuple[str, ...]:
    """Return the lines of all values, each once."""
    lines = "\n".join(value.texts).split("\n")
    return tuple(dict.fromkeys(filter(None, map(str.strip, lines))))


def check_trusted(value: Value, invocation: Invocation, problem: str) -> None:
    """Check that the command line or the variable sets an option, and not a file of the project.

    :raises ConfigurationError: with the problem, if a file does.
    """
    name, variable = value.option.name, value.option.environment
    origin = f"{name} in addopts" if invocation.addopts.has(name) else value.origin
    if value.text and origin not in (name, variable):
        raise ConfigurationError(f"{origin}: {problem}", f"only the command line ({name}) or {variable} may")


def read_cluster(values: Values) -> str:
    """Return the address of a cluster's scheduler; this host runs what comes from it."""
    value = values.read("py_images_cluster")
    check_trusted(value, values.invocation, "a project may not choose a cluster, which this host has to trust")
    engines = values.read("py_images_engine")
    if value.text and split_lines(engines):
        problem = f"{value.origin}: a session uses a cluster or engines, not both"
        raise ConfigurationError(problem, f"remove {value.origin} or {engines.origin}")
    return value.text


def read_registries(values: Values) -> Registries:
    """Return the repositories of environment images; the project's files may not name any.

    Who names one trusts it with what other projects on the engine run, and with what this host's logins installed.
    """
    found = {}
    for ini in ("py_images_cache_from", "py_images_cache_to"):
        value = values.read(ini)
        check_trusted(value, values.invocation, "a project may not name a registry for the images of this host")
        found[ini] = tuple(parse_repository(value.origin, line) for line in split_lines(value))
    sources, target = found.values()
    return Registries(sources, "".join(target[-1:]), is_offline=values.read("py_images_pull").text == "never")


def read_container_options(values: Values) -> dict[str, Any]:
    """Return what the command line and variables set, which overrides take no part in."""
    found = {}
    for key in OPTION_KEYS:
        option = OPTIONS[f"py_images_{key}"]
        if not option.ini_only:
            value = values.read(option.ini)
            if value.origin in (option.name, option.environment):
                found[key] = read_container_option(key, _list_lines(value.texts), value.origin)
            _check_addopts(option, values.invocation)
    return found


def _check_addopts(option: Option, invocation: Invocation) -> None:
    """Check that an option in the ini file's addopts grants tests no more than the project's other settings may."""
    line = invocation.addopts
    if not line.has(option.name):
        return
    key, texts = option.ini.removeprefix("py_images_"), line.values(option.name)
    where = f"{option.name} in addopts"
    granted = TRUE[:1] if option.kind == "flag" else _list_lines(texts)
    check_project_option(key, read_container_option(key, granted, where), where, invocation.rootdir)


def _list_lines(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in text.split("\n")]


def parse_count(value: Value) -> int | None:
    """Return a number of at least 1; None if none is set.

    :raises ConfigurationError: for anything else.
    """
    if not value.text:
        return None
    if not value.text.isdecimal() or int(value.text) < 1:
        raise value.error("must be 1 or more")
    return int(value.text)


def parse_seconds(value: Value) -> float | None:
    """Return a number of seconds; None if none is set.

    :raises ConfigurationError: for anything else.
    """
    if not value.text:
        return None
    try:
        seconds = float(value.text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise value.error("must be a number of seconds")
    return seconds


def parse_user(value: Value) -> str:
    """Return the user of the command line or the variable; empty if a file names it, which counts per image.

    :raises ConfigurationError: if it cannot be one.
    """
    user = parse_user_name(value.text, value.origin)
    return user if value.origin in (value.option.name, value.option.environment) else ""


def parse_shard(value: Value) -> tuple[int, int] | None:
    """Return the number of a shard and how many there are; None for all tests.

    :raises ConfigurationError: for anything else.
    """
    if not value.text:
        return None
    match = _SHARD.fullmatch(value.text)
    if match is None:
        raise value.error("must be K/N, such as 1/3 for the first of three parts")
    index, parts = int(match[1]), int(match[2])
    if parts < 1:
        raise value.error("the number of parts must be 1 or more")
    if not 1 <= index <= parts:
        raise value.error(f"must be from 1/{parts} to {parts}/{parts}")
    return index, parts
