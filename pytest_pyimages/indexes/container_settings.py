"""Translate the host's settings of pip and uv for the container of a build: variables, and uv's configuration file."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from pytest_pyimages.indexes import uv_settings
from pytest_pyimages.indexes.host_settings import HostSettings
from pytest_pyimages.indexes.places import Places
from pytest_pyimages.toml import format_toml

# Options of "pip install".
PIP_OPTIONS = (
    *("pre", "no-binary", "only-binary", "prefer-binary", "uploaded-prior-to"),
    *("trusted-host", "retries", "timeout", "default-timeout", "proxy"),
)
# uv's variables with the same meaning.
_FILE_OPTIONS = {"constraint": "UV_CONSTRAINT", "build-constraint": "UV_BUILD_CONSTRAINT"}
_HTTP_OPTIONS = {"default-timeout": "UV_HTTP_TIMEOUT", "timeout": "UV_HTTP_TIMEOUT", "retries": "UV_HTTP_RETRIES"}


def make_pip_environment(settings: HostSettings, places: Places) -> dict[str, str]:
    """Return pip's variables; they override the configuration files of the image."""
    locations = settings.for_pip
    default = places.map_index(locations.default.address) if locations.default else None
    further = [url for index in locations.further if (url := places.map_index(index.address))]
    hosts = [
        *settings.environ.get("UV_INSECURE_HOST", "").split(),
        *uv_settings.list_texts(settings.uv.get("allow-insecure-host")),
    ]
    prerelease = settings.environ.get("UV_PRERELEASE") or uv_settings.get_value(settings.uv, "prerelease")
    found = {
        # uv accepts a URL, pip wants host and port.
        "PIP_TRUSTED_HOST": " ".join(host.partition("://")[2] or host for host in hosts),
        "PIP_PRE": "1" if prerelease == "allow" else "",
        "PIP_INDEX_URL": default or "",
        "PIP_EXTRA_INDEX_URL": " ".join(further),
        "PIP_FIND_LINKS": " ".join(place for link in locations.links if (place := places.map_links(link))),
        "PIP_NO_INDEX": "1" if locations.no_index else "",
    }
    found |= {_to_variable(name): settings.get_pip(name) for name in PIP_OPTIONS if settings.get_pip(name)}
    for option, variable in _FILE_OPTIONS.items():
        names = settings.get_pip(option) or settings.environ.get(variable, "")
        found[_to_variable(option)] = places.map_files(names, option)
    return {name: value for name, value in found.items() if value}


def make_uv_environment(settings: HostSettings, places: Places, names: Collection[str] | None) -> dict[str, str]:
    """Return uv's variables, with the credentials of named indexes.

    :param names: only these indexes'; None for all.
    """
    environ = settings.environ
    found = {variable: settings.get_pip(name) for name, variable in _HTTP_OPTIONS.items() if settings.get_pip(name)}
    found |= {name: environ[name] for name in uv_settings.VARIABLES if environ.get(name)}
    for variable in uv_settings.LOCATION_VARIABLES:
        separator = "," if variable == "UV_FIND_LINKS" else " "
        found[variable] = separator.join(_map_locations(variable, environ.get(variable, ""), places))
    for option, variable in _FILE_OPTIONS.items():
        found[variable] = places.map_files(settings.get_pip(option), option)
    for variable in uv_settings.FILE_VARIABLES:
        if environ.get(variable):
            found[variable] = places.map_files(environ[variable], variable.lower())
    credentials = {name: value for name, value in environ.items() if uv_settings.CREDENTIAL_VARIABLE.fullmatch(name)}
    if names is not None:
        kept = tuple(map(uv_settings.name_variable, names))
        credentials = {name: value for name, value in credentials.items() if name.startswith(kept)}
    return {name: value for name, value in found.items() if value} | credentials


def make_uv_toml(settings: HostSettings, places: Places) -> str:
    """Return uv's configuration file: the host's, with pip's settings where uv has none; variables override it."""
    table = dict(uv_settings.replace_locations(settings.uv, places.map_index, places.map_links))
    of_pip = {
        "allow-insecure-host": settings.get_pip("trusted-host").split(),
        "prerelease": "allow" if uv_settings.is_true(settings.get_pip("pre")) else "",
        "exclude-newer": settings.get_pip("uploaded-prior-to"),
        **_convert_formats(settings.get_pip("no-binary"), "no-binary"),
        **_convert_formats(settings.get_pip("only-binary"), "no-build"),
    }
    table = {key: value for key, value in of_pip.items() if value} | table
    for key in ("http-proxy", "https-proxy", "no-proxy"):  # variables have them
        table.pop(key, None)
    return "".join(f"{json.dumps(key)} = {format_toml(value)}\n" for key, value in table.items())


def _map_locations(variable: str, value: str, places: Places) -> Iterator[str]:
    if variable == "UV_FIND_LINKS":
        for link in filter(None, map(str.strip, value.split(","))):
            place = places.map_links(link)
            if place is not None:
                yield place
        return
    for text in value.split():
        name, url = uv_settings.split_name(text)
        place = places.map_index(url)
        if place is not None:
            yield f"{name}={place}" if name else place


def _convert_formats(value: str, key: str) -> dict[str, Any]:
    """Return pip's choice of wheels and source distributions as uv's keys; pip's ":none:" empties the list."""
    everything = False
    names: list[str] = []
    for name in map(str.strip, value.split(",")):
        if name == ":none:":
            everything, names = False, []
        elif name == ":all:":
            everything = True
        elif name:
            names.append(name)
    return {key: everything, f"{key}-package": names}


def _to_variable(option: str) -> str:
    return f"PIP_{option.upper().replace('-', '_')}"
