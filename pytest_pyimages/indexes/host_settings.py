"""What this host tells pip and uv: where packages come from, and the way there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_pyimages.indexes import uv_settings
from pytest_pyimages.indexes.locations import Index
from pytest_pyimages.indexes.pip_settings import Setting, pip_settings
from pytest_pyimages.indexes.uv_settings import Table, uv_table

PROXIES = ("http_proxy", "https_proxy", "all_proxy")  # in either case
NO_PROXY = "no_proxy"
_PIP_LOCATIONS = ("index-url", "pypi-url", "extra-index-url", "find-links", "no-index")
_TRUE = ("1", "true", "yes", "on", "y", "t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """Where packages come from."""

    default: Index | None = None  # None: the public index
    further: tuple[Index, ...] = ()
    links: tuple[str, ...] = ()
    no_index: bool = False

    @property
    def indexes(self) -> tuple[Index, ...]:
        return (*((self.default,) if self.default else ()), *self.further)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """The settings of both tools. May hold credentials, so it never shows itself."""

    environ: Mapping[str, str] = field(repr=False)
    pip: Mapping[str, Setting] = field(repr=False)  # by pip's long option
    uv: Table = field(repr=False)  # uv.toml of user and system
    for_pip: Locations = field(repr=False)
    for_uv: Locations = field(repr=False)
    uv_has_locations: bool  # of its own
    notes: tuple[str, ...]  # on what of this host's settings cannot be read

    def of_pip(self, name: str) -> str:
        """Return the value of an option of pip's; empty if it is not set."""
        return self.pip[name].value if name in self.pip else ""

    @property
    def proxies(self) -> Mapping[str, str]:
        """The proxies by the variables that name them: those that are set, or else what the tools are told."""
        found = {
            name: value
            for name, value in self.environ.items()
            if name in (name.lower(), name.upper()) and name.lower() in (*PROXIES, NO_PROXY) and value
        }
        names = {name.lower() for name in found}
        exceptions = self.uv.get("no-proxy", "")
        configured = {
            "http_proxy": self.of_pip("proxy") or self.uv.get("http-proxy", ""),
            "https_proxy": self.of_pip("proxy") or self.uv.get("https-proxy", ""),
            NO_PROXY: ",".join(exceptions) if isinstance(exceptions, list) else exceptions,
        }
        return found | {name: value for name, value in configured.items() if value and name not in names}


def host_settings(environ: Mapping[str, str], home: Path) -> HostSettings:
    """Return this host's settings.

    uv is told of pip's indexes only where it has none of its own: it takes a package from the first that has it, so one
    more would change its mind. pip compares all there are, and gets uv's besides its own: what is found on a new Python
    is to be found on an old one.
    """
    pip, pip_notes = pip_settings(environ, home)
    table, origin, uv_notes = uv_table(environ, home)
    of_uv = uv_settings.has_locations(environ, table)
    of_pip = any(name in pip for name in _PIP_LOCATIONS)
    default, further = uv_settings.indexes(environ, table, origin)
    told_uv = Locations(
        default=default,
        further=further,
        links=uv_settings.find_links(environ, table),
        no_index=uv_settings.says(table, "no-index") is True,
    )
    told_pip = _of_pip(pip)
    return HostSettings(
        environ=environ,
        pip=pip,
        uv=table,
        for_pip=_together(told_pip, told_uv) if of_pip else told_uv,
        for_uv=told_uv if of_uv else told_pip,
        uv_has_locations=of_uv,
        notes=(*pip_notes, *uv_notes),
    )


def _together(pip: Locations, uv: Locations) -> Locations:
    further = {index.url: index for index in (*uv.further, *pip.further)}
    return Locations(
        default=pip.default or uv.default,
        further=tuple(further.values()),
        links=tuple(dict.fromkeys((*pip.links, *uv.links))),
        no_index=pip.no_index,
    )


def _of_pip(pip: Mapping[str, Setting]) -> Locations:
    def indexes(name: str) -> list[Index]:
        setting = pip.get(name)
        return [Index(url=url, origin=setting.origin) for url in setting.value.split()] if setting else []

    defaults = [*indexes("index-url"), *indexes("pypi-url")]
    links = pip["find-links"].value if "find-links" in pip else ""
    return Locations(
        default=defaults[0] if defaults else None,
        further=tuple(indexes("extra-index-url")),
        links=tuple(links.split()),
        no_index="no-index" in pip and pip["no-index"].value.lower() in _TRUE,
    )
