"""The settings of pip and uv as they have to be inside a build: variables, and a configuration file for uv."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_pyimages.indexes import uv_settings
from pytest_pyimages.indexes.host_settings import HostSettings
from pytest_pyimages.indexes.places import Places

# pip's options ("pip install" in its documentation) by what they decide.
CONTENT_OPTIONS = ("pre", "no-binary", "only-binary", "prefer-binary", "uploaded-prior-to")
WAY_OPTIONS = ("trusted-host", "retries", "timeout", "default-timeout", "proxy")
# The variables with the same meaning for uv.
FILE_OPTIONS = {"constraint": "UV_CONSTRAINT", "build-constraint": "UV_BUILD_CONSTRAINT"}
_SAME = {"timeout": "UV_HTTP_TIMEOUT", "default-timeout": "UV_HTTP_TIMEOUT", "retries": "UV_HTTP_RETRIES"}


def pip_environment(settings: HostSettings, places: Places) -> dict[str, str]:
    """Return pip's variables; they come before any configuration file of the image."""
    found = _pip_locations(settings, places)
    for name in (*CONTENT_OPTIONS, *WAY_OPTIONS):
        if settings.of_pip(name):
            found[_variable(name)] = settings.of_pip(name)
    hosts = [
        *settings.environ.get("UV_INSECURE_HOST", "").split(),
        *uv_settings.texts(settings.uv.get("allow-insecure-host")),
    ]
    if hosts:
        # A URL is good enough for uv, pip wants host and port.
        found.setdefault("PIP_TRUSTED_HOST", " ".join(host.partition("://")[2] or host for host in hosts))
    prerelease = settings.environ.get("UV_PRERELEASE") or uv_settings.says(settings.uv, "prerelease")
    if prerelease == "allow":
        found.setdefault("PIP_PRE", "1")
    for option, variable in FILE_OPTIONS.items():
        names = settings.of_pip(option) or settings.environ.get(variable, "")
        if names:
            found[_variable(option)] = _files(names, option, places)
    return found


def uv_environment(settings: HostSettings, places: Places) -> dict[str, str]:
    """Return uv's variables, the credentials of named indexes among them."""
    environ = settings.environ
    names = (*uv_settings.CONTENT_VARIABLES, *uv_settings.WAY_VARIABLES)
    found = {name: environ[name] for name in names if environ.get(name)}
    found |= {name: value for name, value in environ.items() if uv_settings.CREDENTIAL_VARIABLE.fullmatch(name)}
    for variable in uv_settings.LOCATION_VARIABLES:
        placed = list(_placed(variable, environ.get(variable, ""), places))
        if placed:
            found[variable] = ("," if variable == "UV_FIND_LINKS" else " ").join(placed)
    for variable in uv_settings.FILE_VARIABLES:
        if environ.get(variable):
            found[variable] = _files(environ[variable], variable.lower(), places)
    for option, variable in FILE_OPTIONS.items():
        if settings.of_pip(option) and variable not in found:
            found[variable] = _files(settings.of_pip(option), option, places)
    for option, variable in _SAME.items():
        if settings.of_pip(option):
            found.setdefault(variable, settings.of_pip(option))
    return found


def uv_table(settings: HostSettings, places: Places) -> dict[str, Any]:
    """Return uv's configuration file: this host's, and what only pip is told. Variables come before it."""
    table = dict(uv_settings.with_locations(settings.uv, places.index, places.links))
    if not settings.uv_has_locations:
        table |= _as_pip_has_them(settings, places)
    told = {
        "allow-insecure-host": settings.of_pip("trusted-host").split(),
        "prerelease": "allow" if uv_settings.is_true(settings.of_pip("pre")) else "",
        "exclude-newer": settings.of_pip("uploaded-prior-to"),
        **_formats(settings.of_pip("no-binary"), "no-binary"),
        **_formats(settings.of_pip("only-binary"), "no-build"),
    }
    return {key: value for key, value in told.items() if value} | table


def _as_pip_has_them(settings: HostSettings, places: Places) -> dict[str, Any]:
    locations = settings.for_uv
    default = places.index(locations.default.url) if locations.default else None
    table: dict[str, Any] = {
        "index-url": default,
        "extra-index-url": [url for index in locations.further if (url := places.index(index.url))],
        "find-links": [place for link in locations.links if (place := places.links(link))],
        "no-index": locations.no_index,
    }
    if table["extra-index-url"]:
        # pip compares what all indexes have. uv stops at the first that has the package, be it for another Python.
        table["index-strategy"] = "unsafe-best-match"
    return {key: value for key, value in table.items() if value}


def _pip_locations(settings: HostSettings, places: Places) -> dict[str, str]:
    locations = settings.for_pip
    default = places.index(locations.default.address) if locations.default else None
    further = [url for index in locations.further if (url := places.index(index.address))]
    links = [place for link in locations.links if (place := places.links(link))]
    found = {
        "PIP_INDEX_URL": default or "",
        "PIP_EXTRA_INDEX_URL": " ".join(further),
        "PIP_FIND_LINKS": " ".join(links),
        "PIP_NO_INDEX": "1" if locations.no_index else "",
    }
    return {name: value for name, value in found.items() if value}


def _placed(variable: str, value: str, places: Places) -> Iterator[str]:
    if variable == "UV_FIND_LINKS":
        for link in value.split(","):
            place = places.links(link.strip()) if link.strip() else None
            if place is not None:
                yield place
        return
    for text in value.split():
        name, url = uv_settings.named(text)
        place = places.index(url)
        if place is not None:
            yield f"{name}={place}" if name else place


def _files(names: str, kind: str, places: Places) -> str:
    return " ".join(places.file(name, f"{kind}-{place}.txt") for place, name in enumerate(names.split()))


def _formats(value: str, key: str) -> dict[str, Any]:
    """Return what pip says of wheels and source distributions in uv's words; pip reads ":none:" as a new beginning."""
    everything = False
    names: list[str] = []
    for name in value.split(","):
        if name.strip() == ":none:":
            everything, names = False, []
        elif name.strip() == ":all:":
            everything = True
        elif name.strip():
            names.append(name.strip())
    return {key: everything, f"{key}-package": names}


def _variable(option: str) -> str:
    return f"PIP_{option.upper().replace('-', '_')}"
