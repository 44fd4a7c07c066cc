"""Read the variants of a project, a second axis beside its images: ``[[tool.pyimages.variants]]``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import Table, read_toml
from pytest_pyimages.project.requirements import parse_requirement
from pytest_pyimages.project.settings.checks import check_keys, read_strings, read_tables

VARIANTS_TABLE = "[[tool.pyimages.variants]]"
#: Keys that overrides do not have; their values are checked here.
VARIANT_KEYS = ("constraints", "resolution")
_NOT_OF_VARIANTS = ("select", "skip")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_RESOLUTIONS = ("lowest-direct", "lowest", "highest")  # "Resolution strategy" in uv's documentation


def read_variants_table(path: Path, *, others: Sequence[str]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the name of each variant, its other keys, and where it is, for messages.

    :param path: of the pyproject.toml.
    :param others: the keys of overrides, which variants may have, too.
    :raises ConfigurationError: for an unknown key, or an invalid value of a key that only variants have.
    """
    entries = read_tables(read_toml(path), "variants", path)
    known = ("name", *VARIANT_KEYS, *(key for key in others if key not in _NOT_OF_VARIANTS))
    seen: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        where = f"{path.name} {VARIANTS_TABLE} number {number}"
        check_keys(entry, known, where=where)
        name = entry.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(f"{where}: {name!r} is not a name", 'write one such as name = "lowest"')
        if name in seen:
            raise ConfigurationError(f'{where}: another variant is named "{name}"', "rename one of them")
        seen.add(name)
        keys = {key: value for key, value in entry.items() if key != "name"}
        yield name, {**keys, **_read_own_keys(entry, where)}, where


def _read_own_keys(entry: Table, where: str) -> dict[str, Any]:
    """Return the keys that only variants have, checked."""
    found: dict[str, Any] = {}
    if "resolution" in entry:
        found["resolution"] = entry["resolution"]
        if found["resolution"] not in _RESOLUTIONS:
            hint = f"choose from {', '.join(_RESOLUTIONS)}"
            raise ConfigurationError(f'{where}: resolution: invalid value "{entry["resolution"]}"', hint)
    if "constraints" in entry:
        found["constraints"] = read_strings(entry["constraints"], f"{where}: constraints")
        for text in found["constraints"]:
            if parse_requirement(text) is None:
                hint = "write one such as django==5.*"
                raise ConfigurationError(f'{where}: constraints: invalid requirement "{text}"', hint)
    return found
