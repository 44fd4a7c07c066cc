"""Dependency groups of a pyproject.toml (PEP 735)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import Table


def expanded_group(groups: Table, name: str, *, path: Path) -> tuple[str, ...]:
    """Return the PEP 508 strings of a group, with those of the groups that it includes.

    :param groups: the table [dependency-groups].
    :param path: the file that it stands in.
    :raises ConfigurationError: for a group that is not there, includes itself, or is malformed.
    """
    return tuple(dict.fromkeys(_expanded(groups, name, (), path)))


def _expanded(groups: Table, name: str, within: tuple[str, ...], path: Path) -> list[str]:
    where = f"{path} [dependency-groups]"
    by_name = {canonicalize_name(key): key for key in groups}
    key = by_name.get(canonicalize_name(name))
    if key is None:
        near = difflib.get_close_matches(canonicalize_name(name), list(by_name), n=1)
        said = f", which {within[-1]} includes" if within else ""
        hint = f"did you mean {by_name[canonicalize_name(near[0])]}?" if near else "add it"
        raise ConfigurationError(f'{where}: there is no group "{name}"{said}', hint)
    if key in within:
        circle = " -> ".join((*within[within.index(key) :], key))
        raise ConfigurationError(f"{where}: {circle} includes itself", "take out one of these include-group entries")
    if not isinstance(groups[key], list):
        raise ConfigurationError(f"{where}: {key} is not a list", 'write a list such as ["pytest", "hypothesis"]')
    found: list[str] = []
    for entry in groups[key]:
        if isinstance(entry, str):
            found.append(entry)
        elif isinstance(entry, Mapping) and isinstance(entry.get("include-group"), str):
            found += _expanded(groups, entry["include-group"], (*within, key), path)
        else:
            raise ConfigurationError(
                f"{where}: {key} holds {entry!r}", 'an entry is a requirement or {include-group = "name"}'
            )
    return found
