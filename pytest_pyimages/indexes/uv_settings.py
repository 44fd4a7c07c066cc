"""What this host tells uv: its variables and its configuration files of user and system, as uv reads them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_pyimages.indexes.locations import Index

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Table = Mapping[str, Any]

SYSTEM_FILE = Path("/etc/uv/uv.toml")
LOCATION_KEYS = ("index", "index-url", "extra-index-url", "find-links", "no-index")
# What else of uv.toml decides what is installed and how it is reached; the rest is about other commands, or about
# places of this host ("Settings" in uv's reference).
KEYS = (
    *LOCATION_KEYS,
    *("index-strategy", "allow-insecure-host", "http-proxy", "https-proxy", "no-proxy"),
    *("prerelease", "prerelease-package", "resolution", "exclude-newer", "exclude-newer-package", "no-sources"),
    *("no-binary", "no-binary-package", "no-build", "no-build-package", "torch-backend", "dependency-metadata"),
    *("constraint-dependencies", "override-dependencies", "exclude-dependencies", "build-constraint-dependencies"),
)
CONTENT_KEYS = frozenset(KEYS) - {*LOCATION_KEYS, "allow-insecure-host", "http-proxy", "https-proxy", "no-proxy"}
LOCATION_VARIABLES = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS")
# "Environment variables" in uv's reference.
CONTENT_VARIABLES = (
    *("UV_NO_INDEX", "UV_INDEX_STRATEGY", "UV_PRERELEASE", "UV_RESOLUTION", "UV_EXCLUDE_NEWER", "UV_NO_SOURCES"),
    *("UV_EXCLUDE_NEWER_PACKAGE", "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE", "UV_NO_BUILD", "UV_NO_BUILD_PACKAGE"),
    *("UV_NO_SOURCES_PACKAGE", "UV_TORCH_BACKEND"),
)
WAY_VARIABLES = (
    *("UV_INSECURE_HOST", "UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT", "UV_HTTP_CONNECT_TIMEOUT"),
    *("UV_HTTP_RETRIES", "UV_CONCURRENT_DOWNLOADS"),
)
FILE_VARIABLES = ("UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE", "UV_BUILD_CONSTRAINT")  # files, separated by spaces
CREDENTIAL_VARIABLE = re.compile(r"UV_INDEX_\w+_(USERNAME|PASSWORD)")
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)=(?P<url>.+)")
_TRUE = ("1", "true", "yes", "on", "y", "t")


def uv_table(environ: Mapping[str, str], home: Path) -> tuple[Table, str, tuple[str, ...]]:
    """Return what uv.toml says of user and system together, the file that said it, and notes on what cannot be read.

    Only what has to do with what is installed and where it comes from.
    """
    merged: dict[str, Any] = {}
    origins, notes = [], []
    for path in _files(environ, home):
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            notes.append(f"{path} is left out: it cannot be read ({type(error).__name__})")
            continue
        found = _relevant(document, path.parent)
        if found:
            _merge(merged, found)
            origins.append(str(path))
    return merged, " and ".join(origins), tuple(notes)


def named(text: str) -> tuple[str, str]:
    """Return name and URL of an index as uv's variables have it, "name=URL" or a URL alone."""
    found = _NAMED.fullmatch(text)
    return (found["name"], found["url"]) if found else ("", text)


def indexes(environ: Mapping[str, str], table: Table, origin: str) -> tuple[Index | None, tuple[Index, ...]]:
    """Return the default index, if one is set, and the further ones, in the order in which uv asks them."""
    defaults, further = [], []
    for variable in ("UV_INDEX", "UV_EXTRA_INDEX_URL"):
        further += [_index(environ, *named(text), variable) for text in environ.get(variable, "").split()]
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        defaults += [_index(environ, *named(text), variable) for text in environ.get(variable, "").split()]
    for part in (_subtable(table, "pip"), table):
        for entry in _tables(part.get("index")):
            index = _index(environ, str(entry.get("name", "")), str(entry.get("url", "")), origin)
            if entry.get("default") is True:
                defaults.append(index)
            elif entry.get("explicit") is not True and index.url:
                further.append(index)
        further += [_index(environ, "", url, origin) for url in texts(part.get("extra-index-url"))]
        defaults += [_index(environ, "", url, origin) for url in texts(part.get("index-url"))]
    return (defaults[0] if defaults else None), tuple(further)


def find_links(environ: Mapping[str, str], table: Table) -> tuple[str, ...]:
    """Return uv's further places to look for packages in; commas separate them in the variable."""
    links = [text.strip() for text in environ.get("UV_FIND_LINKS", "").split(",") if text.strip()]
    for part in (_subtable(table, "pip"), table):
        links += texts(part.get("find-links"))
    return tuple(links)


def has_locations(environ: Mapping[str, str], table: Table) -> bool:
    """Whether uv is told where packages come from."""
    return any(environ.get(variable, "").strip() for variable in LOCATION_VARIABLES) or any(
        key in part for part in (table, _subtable(table, "pip")) for key in LOCATION_KEYS
    )


def says(table: Table, key: str) -> Any:
    """Return a value of uv.toml, from the table for ``uv pip`` first; None if there is none."""
    return _subtable(table, "pip").get(key, table.get(key))


def with_locations(table: Table, index: Callable[[str], str | None], links: Callable[[str], str | None]) -> Table:
    """Return the table with all locations replaced by what the two functions return, or left out for None."""
    changed: dict[str, Any] = {}
    for key, value in table.items():
        if key == "pip":
            changed[key] = with_locations(value, index, links)
        elif key == "index":
            placed = [{**entry, "url": index(str(entry.get("url", "")))} for entry in _tables(value)]
            changed[key] = [entry for entry in placed if entry["url"] is not None]
        elif key == "index-url":
            url = index(str(value))
            changed.update({} if url is None else {key: url})
        elif key in ("extra-index-url", "find-links"):
            place = index if key == "extra-index-url" else links
            changed[key] = [text for text in map(place, texts(value)) if text is not None]
        else:
            changed[key] = value
    return changed


def toml_text(table: Table) -> str:
    """Return a table as TOML, one key per line."""
    return "".join(f"{json.dumps(key)} = {_toml(value)}\n" for key, value in table.items())


def is_true(value: str) -> bool:
    """Whether a variable or option says yes."""
    return value.strip().lower() in _TRUE


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return str(value)  # dates and times


def _files(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Yield the files of user and system in the order of their weight (uv, "Configuration files")."""
    if environ.get("UV_CONFIG_FILE"):  # instead of all others
        yield Path(environ["UV_CONFIG_FILE"])
        return
    if environ.get("UV_NO_CONFIG", "").lower() in _TRUE:
        return
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"
    folders = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    system = [*(Path(folder) / "uv" / "uv.toml" for folder in folders), SYSTEM_FILE]
    yield from [path for path in system if path.is_file()][:1]


def _relevant(document: Table, folder: Path) -> dict[str, Any]:
    found = {key: document[key] for key in KEYS if key in document}
    below = {key: value for key, value in _subtable(document, "pip").items() if key in KEYS}
    if below:
        found["pip"] = below

    def absolute(location: str) -> str:
        is_path = "://" not in location and not location.lower().startswith("file:")
        return os.path.normpath(folder / location) if is_path and location else location

    return dict(with_locations(found, absolute, absolute))


def _merge(into: dict[str, Any], other: Table) -> None:
    """Add what a file of less weight says: lists are joined, of single values the first stands."""
    for key, value in other.items():
        if key not in into:
            into[key] = value
        elif isinstance(value, list) and isinstance(into[key], list):
            into[key] = [*into[key], *value]
        elif isinstance(value, Mapping) and isinstance(into[key], Mapping):
            inner = dict(into[key])
            _merge(inner, value)
            into[key] = inner


def _index(environ: Mapping[str, str], name: str, url: str, origin: str) -> Index:
    # uv, "Package indexes": the name in upper case, and an underscore for whatever is no letter or digit.
    variable = f"UV_INDEX_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"
    user, password = (environ.get(f"{variable}_{what}", "") if name else "" for what in ("USERNAME", "PASSWORD"))
    return Index(url=url, origin=origin, name=name, user=user, password=password)


def _subtable(table: Table, key: str) -> Table:
    value = table.get(key)
    return value if isinstance(value, Mapping) else {}


def _tables(value: object) -> list[Table]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """Return the texts of a list, or the one text that stands in its place."""
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, str)]
