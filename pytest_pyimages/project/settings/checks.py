"""Check the keys and the types of configured values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import Table, get_table, split_lines
from pytest_pyimages.text import suggest

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_keys(found: Iterable[str], known: tuple[str, ...], *, where: str) -> None:
    """Check that all keys are known.

    :param where: what the user wrote them in.
    :raises ConfigurationError: for an unknown key; suggests a similar one.
    """
    for key in found:
        if key not in known:
            raise ConfigurationError(f'{where}: unknown key "{key}"', suggest(key, known))


def read_tables(document: Table, name: str, path: Path) -> list[Table]:
    """Return the tables ``[[tool.pyimages.NAME]]`` of a pyproject.toml; none if it has none.

    :param document: the contents of the file.
    :raises ConfigurationError: if the key is something else.
    """
    entries = get_table(document, "tool", "pyimages").get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        problem = f"{path.name}: tool.pyimages.{name} is not a list of tables"
        raise ConfigurationError(problem, f"write [[tool.pyimages.{name}]]")
    return entries


def read_strings(value: object, where: str) -> tuple[str, ...]:
    """Return the lines of a string, or the strings of a list.

    :raises ConfigurationError: for a value of another type.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        return split_lines(value)
    if isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value):
        return tuple(entry.strip() for entry in value if entry.strip())
    raise ConfigurationError(f"{where}: {value!r} must be a string or a list of strings", "quote each one")


def resolve_variables(variables: Mapping[str, str | None], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with their values, without those of the host that the host does not have."""
    found = {name: environ.get(name) if value is None else value for name, value in variables.items()}
    return {name: value for name, value in found.items() if value is not None}


def read_variables(value: object, where: str) -> dict[str, str | None]:
    """Return variables of a table, or of ``NAME=VALUE`` and ``NAME`` (None: the host's value).

    :raises ConfigurationError: for an invalid name, or a value that is not a string.
    """
    if isinstance(value, Mapping):
        pairs: list[tuple[str, object]] = list(value.items())
    else:
        pairs = []
        for text in read_strings(value, where):
            name, equals, rest = text.partition("=")
            pairs.append((name.strip(), rest.strip() if equals else None))
    for name, given in pairs:
        if not _VARIABLE.fullmatch(name):
            raise ConfigurationError(f'{where}: invalid variable name "{name}"', "write NAME=VALUE, or NAME")
        if given is not None and not isinstance(given, str):
            raise ConfigurationError(f"{where}: {name} is {given!r}, not a string", f'quote it: {name} = "{given}"')
    return {name: None if given is None else str(given) for name, given in pairs}
