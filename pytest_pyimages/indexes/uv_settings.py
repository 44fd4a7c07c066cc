"""Read the host's settings of uv: its variables, and uv.toml of user and system, as uv reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_pyimages.indexes.locations import Index
from pytest_pyimages.toml import parse_toml

Table = Mapping[str, Any]

SYSTEM_FILE = Path("/etc/uv/uv.toml")
LOCATION_KEYS = ("index", "index-url", "extra-index-url", "find-links", "no-index")
# The keys of uv.toml that decide what is installed and how it is reached; the others concern other commands, or paths
# of the host ("Settings" in uv's reference).
KEYS = (
    *LOCATION_KEYS,
    *("index-strategy", "allow-insecure-host", "http-proxy", "https-proxy", "no-proxy"),
    *("prerelease", "prerelease-package", "resolution", "exclude-newer", "exclude-newer-package", "no-sources"),
    *("no-binary", "no-binary-package", "no-build", "no-build-package", "torch-backend", "dependency-metadata"),
    *("constraint-dependencies", "override-dependencies", "exclude-dependencies", "build-constraint-dependencies"),
    *("config-settings", "config-settings-package", "extra-build-dependencies"),
)
LOCATION_VARIABLES = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS")
# "Environment variables" in uv's reference.
VARIABLES = (
    *("UV_NO_INDEX", "UV_INDEX_STRATEGY", "UV_PRERELEASE", "UV_RESOLUTION", "UV_EXCLUDE_NEWER", "UV_NO_SOURCES"),
    *("UV_EXCLUDE_NEWER_PACKAGE", "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE", "UV_NO_BUILD", "UV_NO_BUILD_PACKAGE"),
    *("UV_NO_SOURCES_PACKAGE", "UV_TORCH_BACKEND"),
    *("UV_INSECURE_HOST", "UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT", "UV_HTTP_CONNECT_TIMEOUT"),
    *("UV_HTTP_RETRIES", "UV_CONCURRENT_DOWNLOADS", "UV_PYTHON_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS_JSON_URL"),
)
FILE_VARIABLES = ("UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE", "UV_BUILD_CONSTRAINT")  # files, separated by spaces
CREDENTIAL_VARIABLE = re.compile(r"UV_INDEX_\w+_(USERNAME|PASSWORD)")
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)=(?P<url>.+)")
_LOGIN = ("USERNAME", "PASSWORD")
_TRUE = ("1", "true", "yes", "on", "y", "t")


class Locations(NamedTuple):
    """Where packages come from."""

    default: Index | None = None  # None: the public index
    further: tuple[Index, ...] = ()
    links: tuple[str, ...] = ()
    no_index: bool = False

    @property
    def indexes(self) -> tuple[Index, ...]:
        return (*((self.default,) if self.default else ()), *self.further)


def read_uv_table(environ: Mapping[str, str], home: Path) -> tuple[Table, str, tuple[str, ...]]:
    """Return the relevant keys of uv.toml of user and system, the files that set them, and a note for each unreadable.

    :return: the merged table, its origin for messages, and the notes.
    """
    merged: dict[str, Any] = {}
    origins, notes = [], []
    for path in _list_files(environ, home):
        try:
            document = parse_toml(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            notes.append(f"{path} is ignored: it cannot be read ({type(error).__name__})")
            continue
        found = select_settings(document, path.parent)
        if found:
            merge(merged, found)
            origins.append(str(path))
    return merged, " and ".join(origins), tuple(notes)


def split_name(text: str) -> tuple[str, str]:
    """Split an index of uv's variables, "name=URL" or "URL", into name and URL."""
    found = _NAMED.fullmatch(text)
    return (found["name"], found["url"]) if found else ("", text)


def read_locations(environ: Mapping[str, str], table: Table, origin: str) -> Locations:
    """Return the default index and the further ones in the order in which uv asks them, and the links.

    :param origin: the files that the table is from.
    """
    default, further = (
        [
            make_index(environ, *split_name(text), variable)
            for variable in variables
            for text in environ.get(variable, "").split()
        ]
        for variables in (("UV_DEFAULT_INDEX", "UV_INDEX_URL"), ("UV_INDEX", "UV_EXTRA_INDEX_URL"))
    )
    links = [text.strip() for text in environ.get("UV_FIND_LINKS", "").split(",") if text.strip()]
    for part in (_get_table(table, "pip"), table):
        for entry in list_tables(part.get("index")):
            index = make_index(environ, str(entry.get("name", "")), str(entry.get("url", "")), origin)
            if entry.get("default") is True:
                default.append(index)
            elif entry.get("explicit") is not True and index.url:
                further.append(index)
        further += [Index(url=url, origin=origin) for url in list_texts(part.get("extra-index-url"))]
        default += [Index(url=url, origin=origin) for url in list_texts(part.get("index-url"))]
        links += list_texts(part.get("find-links"))
    return Locations(
        default=next(iter(default), None),
        further=tuple(further),
        links=tuple(links),
        no_index=get_value(table, "no-index") is True,
    )


def make_index(environ: Mapping[str, str], name: str, url: str, origin: str) -> Index:
    """Return an index with the login that variables have for its name, if it has one."""
    user, password = (environ.get(f"{name_variable(name)}{part}", "") if name else "" for part in _LOGIN)
    return Index(url=url, origin=origin, user=user, password=password)


def name_variable(name: str) -> str:
    """Return how the variables with the login of a named index begin ("Package indexes" in uv's documentation)."""
    return f"UV_INDEX_{re.sub(r'[^A-Z0-9]', '_', name.upper())}_"


def has_locations(environ: Mapping[str, str], table: Table) -> bool:
    """Return whether uv's settings name any location of packages."""
    return any(environ.get(variable, "").strip() for variable in LOCATION_VARIABLES) or any(
        key in part for part in (table, _get_table(table, "pip")) for key in LOCATION_KEYS
    )


def get_value(table: Table, key: str) -> Any:
    """Return a value of uv.toml, from the table for ``uv pip`` first; None if there is none."""
    return _get_table(table, "pip").get(key, table.get(key))


def replace_locations(table: Table, index: Callable[[str], str | None], links: Callable[[str], str | None]) -> Table:
    """Return the table with each location replaced by the function's result, or removed if that is None."""
    changed: dict[str, Any] = {}
    for key, value in table.items():
        if key == "pip":
            changed[key] = replace_locations(value, index, links)
        elif key == "index":
            # What stands in for an index needs no login, which "authenticate" would demand.
            replaced = [
                {key: value for key, value in entry.items() if key != "authenticate" or url == entry.get("url")}
                | {"url": url}
                for entry in list_tables(value)
                for url in (index(str(entry.get("url", ""))),)
            ]
            changed[key] = [entry for entry in replaced if entry["url"] is not None]
        elif key == "index-url":
            url = index(str(value))
            changed.update({} if url is None else {key: url})
        elif key in ("extra-index-url", "find-links"):
            replace = index if key == "extra-index-url" else links
            changed[key] = [text for text in map(replace, list_texts(value)) if text is not None]
        else:
            changed[key] = value
    return changed


def make_absolute(location: str, folder: Path) -> str:
    """Return a location with the absolute path of a file or folder; URLs are left as they are."""
    is_path = "://" not in location and not location.lower().startswith("file:")
    return os.path.normpath(folder / location) if is_path and location else location


def list_strings(value: object) -> Iterator[str]:
    """Yield all strings in nested tables and lists, without the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from list_strings(inner)


def is_true(value: str) -> bool:
    """Return whether the value of a variable or option means yes."""
    return value.strip().lower() in _TRUE


def list_texts(value: object) -> list[str]:
    """Return the strings of a list, or a single string as a list."""
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, str)]


def ignores_projects(environ: Mapping[str, str]) -> bool:
    """Return whether the user has uv ignore the settings of projects."""
    return bool(environ.get("UV_CONFIG_FILE")) or is_true(environ.get("UV_NO_CONFIG", ""))


def _list_files(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Yield the files of user and system, the strongest first (uv, "Configuration files")."""
    if environ.get("UV_CONFIG_FILE"):  # instead of all others
        yield Path(environ["UV_CONFIG_FILE"])
        return
    if is_true(environ.get("UV_NO_CONFIG", "")):
        return
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"
    folders = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    system = [*(Path(folder) / "uv" / "uv.toml" for folder in folders), SYSTEM_FILE]
    yield from [path for path in system if path.is_file()][:1]


def select_settings(document: Table, folder: Path) -> dict[str, Any]:
    """Return the relevant keys, with absolute paths.

    :param folder: the file's.
    """
    found = {key: document[key] for key in KEYS if key in document}
    below = {key: value for key, value in _get_table(document, "pip").items() if key in KEYS}
    if below:
        found["pip"] = below

    def resolve(location: str) -> str:
        return make_absolute(location, folder)

    return dict(replace_locations(found, resolve, resolve))


def merge(into: dict[str, Any], weaker: Table) -> None:
    """Add the values of a weaker file: lists are joined, a single value is not overridden."""
    for key, value in weaker.items():
        if key not in into:
            into[key] = value
        elif isinstance(value, list) and isinstance(into[key], list):
            into[key] = [*into[key], *value]
        elif isinstance(value, Mapping) and isinstance(into[key], Mapping):
            inner = dict(into[key])
            merge(inner, value)
            into[key] = inner


def _get_table(table: Table, key: str) -> Table:
    value = table.get(key)
    return value if isinstance(value, Mapping) else {}


def list_tables(value: object) -> list[Table]:
    """Return the tables of a list."""
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
