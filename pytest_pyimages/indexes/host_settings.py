"""Read the host's settings of pip and uv: where packages come from, and how to reach it."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes import uv_settings
from pytest_pyimages.indexes.locations import Index
from pytest_pyimages.indexes.package_sources import PackageSources
from pytest_pyimages.indexes.uv_settings import Locations, Table

PROXIES = ("http_proxy", "https_proxy", "all_proxy")  # in either case
NO_PROXY = "no_proxy"
SYSTEM_FILE = Path("/etc/pip.conf")
MAC_FILE = Path("/Library/Application Support/pip/pip.conf")
_PIP_LOCATIONS = ("index-url", "pypi-url", "extra-index-url", "find-links", "no-index")
# Sections that count for ``pip install``; the later one overrides (pip, "Configuration": per-command section).
_SECTIONS = ("global", "install")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and the variable or file that sets it."""

    value: str
    origin: str


class HostSettings(Immutable):
    """The settings of both tools. They may contain credentials, so the repr does not show them."""

    environ: Mapping[str, str] = field(repr=False)
    pip: Mapping[str, Setting] = field(repr=False)  # by pip's long option
    uv: Table = field(repr=False)  # uv.toml of user and system
    for_pip: Locations = field(repr=False)
    for_uv: Locations = field(repr=False)
    notes: tuple[str, ...]  # files that cannot be read

    def get_pip(self, name: str) -> str:
        """Return the value of an option of pip; empty if it is not set."""
        return self.pip[name].value if name in self.pip else ""

    @property
    def proxies(self) -> Mapping[str, str]:
        """The proxies by variable: those of the environment, then those of the tools' settings."""
        found = {
            name: value
            for name, value in self.environ.items()
            if name in (name.lower(), name.upper()) and name.lower() in (*PROXIES, NO_PROXY) and value
        }
        names = {name.lower() for name in found}
        exceptions = self.uv.get("no-proxy", "")
        configured = {
            "http_proxy": self.get_pip("proxy") or self.uv.get("http-proxy", ""),
            "https_proxy": self.get_pip("proxy") or self.uv.get("https-proxy", ""),
            NO_PROXY: ",".join(exceptions) if isinstance(exceptions, list) else exceptions,
        }
        return found | {name: value for name, value in configured.items() if value and name not in names}


def read_host_settings(environ: Mapping[str, str], home: Path, project: PackageSources) -> HostSettings:
    """Read the settings of both tools.

    uv gets pip's indexes only if it has none of its own: it takes a package from the first index that has it, so one
    more could change the result. pip compares all indexes and gets uv's beside its own, so that old Pythons find the
    same packages as new ones.

    :param project: the project's own settings, which override files of user and system, but not variables.
    """
    pip, pip_notes = read_pip_settings(environ, home)
    table, origin, uv_notes = uv_settings.read_uv_table(environ, home)
    own_uv, own_pip = uv_settings.read_locations(environ, table, origin), _read_pip_locations(pip)
    uv_has_locations = uv_settings.has_locations(environ, table)
    for_pip = _merge(own_pip, own_uv) if any(name in pip for name in _PIP_LOCATIONS) else own_uv
    for_uv = own_uv if uv_has_locations else own_pip
    configured = {} if uv_settings.ignores_projects(environ) else dict(project.settings)
    credentials = {name: text for name, text in environ.items() if uv_settings.CREDENTIAL_VARIABLE.fullmatch(name)}
    of_project = uv_settings.read_locations(credentials, configured, project.origin)
    if not uv_has_locations:
        table = {**table, **_convert_locations(own_pip, is_alone=not of_project.further)}
    uv_settings.merge(configured, table)
    return HostSettings(
        environ=environ,
        pip=pip,
        uv=configured,
        for_pip=_put_first(of_project, for_pip),
        for_uv=_put_first(of_project, for_uv),
        notes=(*pip_notes, *uv_notes),
    )


def _put_first(first: Locations, then: Locations) -> Locations:
    return Locations(
        default=first.default or then.default,
        further=(*first.further, *then.further),
        links=tuple(dict.fromkeys((*first.links, *then.links))),
        no_index=first.no_index or then.no_index,
    )


def _convert_locations(pip: Locations, *, is_alone: bool) -> Table:
    """Return pip's locations as keys of uv.toml.

    :param is_alone: whether there are no other indexes.
    """
    further = [index.url for index in pip.further]
    table = {
        "index-url": pip.default.url if pip.default else "",
        "extra-index-url": further,
        "find-links": list(pip.links),
        "no-index": pip.no_index,
        # pip compares all indexes; uv stops at the first that has the package, even for another Python only. A project
        # that names an index relies on that: nobody else's package of the same name is to be newer.
        "index-strategy": "unsafe-best-match" if further and is_alone else "",
    }
    return {key: value for key, value in table.items() if value}


def _merge(pip: Locations, uv: Locations) -> Locations:
    further = {index.url: index for index in (*uv.further, *pip.further)}
    return Locations(
        default=pip.default or uv.default,
        further=tuple(further.values()),
        links=tuple(dict.fromkeys((*pip.links, *uv.links))),
        no_index=pip.no_index,
    )


def _read_pip_locations(pip: Mapping[str, Setting]) -> Locations:
    def read(name: str) -> list[Index]:
        setting = pip.get(name)
        return [Index(url=url, origin=setting.origin) for url in setting.value.split()] if setting else []

    return Locations(
        default=next(iter([*read("index-url"), *read("pypi-url")]), None),
        further=tuple(read("extra-index-url")),
        links=tuple(index.url for index in read("find-links")),
        no_index="no-index" in pip and uv_settings.is_true(pip["no-index"].value),
    )


def read_pip_settings(environ: Mapping[str, str], home: Path) -> tuple[Mapping[str, Setting], tuple[str, ...]]:
    """Return pip's settings by the names of its long options, and a note for each file that cannot be read.

    Variables override files, and an empty value counts as not set, as in pip.
    """
    found: dict[tuple[int, str], Setting] = {}
    notes = []
    for path in _list_pip_files(environ, home):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, configparser.Error, UnicodeDecodeError) as error:
            # The parser's message quotes the file, passwords included.
            notes.append(f"{path} is ignored: it cannot be read ({type(error).__name__})")
            continue
        found.update(_read_sections(parser, str(path)))
    result = {key[1]: found[key] for key in sorted(found)}
    for variable, value in environ.items():
        if variable.startswith("PIP_") and value.strip():
            result[_normalize_option(variable[4:])] = Setting(value, variable)
    return result, tuple(notes)


def _read_sections(parser: configparser.RawConfigParser, origin: str) -> Iterator[tuple[tuple[int, str], Setting]]:
    """Yield settings by rank of the section and name: a command's own section overrides all files' global ones."""
    for rank, section in enumerate(_SECTIONS):
        for name, value in parser.items(section) if parser.has_section(section) else ():
            if value.strip():
                yield (rank, _normalize_option(name)), Setting(value, origin)


def _normalize_option(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _list_pip_files(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Yield the files in pip's loading order: global, user, site, and the one that PIP_CONFIG_FILE names."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    if sys.platform == "darwin":
        yield MAC_FILE
    else:
        for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep):
            yield Path(folder) / "pip" / "pip.conf"
        yield SYSTEM_FILE
    if not (named and Path(named).exists()):  # then pip does not load the user's (pip#11850)
        yield home / ".pip" / "pip.conf"
        library = home / "Library" / "Application Support" / "pip"
        if sys.platform == "darwin" and library.is_dir():
            yield library / "pip.conf"
        else:
            yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield Path(environ.get("VIRTUAL_ENV") or sys.prefix) / "pip.conf"
    if named:
        yield Path(named)
