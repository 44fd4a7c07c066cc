"""What the user says of the images beyond their names: ini keys for all of them, and overrides for some."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import Table, lines, read_toml, table
from pytest_pyimages.project.plugins import Ini

PREFIX = "py_images"
TABLE = "[[tool.pyimages.overrides]]"
LIST_KEYS = ("install", "setup", "apt", "args")
OVERRIDE_KEYS = ("select", *LIST_KEYS, "env", "dockerfile", "allow-failure", "skip")
_MEANT = re.compile(r"(pytest[-_]?)?py[-_]?images?", re.IGNORECASE)  # names of the table that nobody else has
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Debian Policy 5.6.1 for names, with apt's ":architecture" and "=version"; apk's names are among them but for "_".
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*(:[a-z0-9-]+)?([=<>~]+[A-Za-z0-9.+:~_-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfiguration:
    """What is configured for one image."""

    install: tuple[str, ...] | None = None  # arguments of pip, instead of what is found; None: what is found
    setup: tuple[str, ...] = ()  # shell commands, run in the project's folder before anything is installed
    apt: tuple[str, ...] = ()  # system packages, of Debian or of Alpine
    env: Mapping[str, str | None] = field(default_factory=dict)  # None: the host's value, which nothing else keeps
    dockerfile: Path | None = None
    args: tuple[str, ...] = ()  # further arguments for pytest
    allow_failure: bool | None = None  # None: as the matrix says
    skip: bool = False

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables with their values; those that the host is to give and does not have are left out."""
        found = {name: environ.get(name) if value is None else value for name, value in self.env.items()}
        return {name: value for name, value in found.items() if value is not None}


class Configuration:
    """The configuration of all images of a session.

    :param ini: the suite's pytest configuration.
    :param rootdir: pytest's; its pyproject.toml holds the overrides, and relative paths start there.
    :param known: all ini keys that this plugin has.
    :raises ConfigurationError: for a key that is not known, or a value that makes no sense.
    """

    def __init__(self, ini: Ini, rootdir: Path, *, known: Iterable[str]) -> None:
        self._rootdir = rootdir
        _check_keys([key for key in ini if key.startswith(PREFIX)], tuple(known), where="pytest's configuration")
        self._common = ImageConfiguration(
            setup=_listed(ini, "setup"),
            apt=_packages(_listed(ini, "apt"), "py_images_apt"),
            env=_variables(_listed(ini, "env"), "py_images_env"),
            dockerfile=self._dockerfile(_listed(ini, "dockerfile"), "py_images_dockerfile"),
        )
        self._overrides = tuple(self._read_overrides())

    def of(self, label: str) -> ImageConfiguration:
        """Return what holds for this image: of several overrides the last wins, key by key, variable by variable."""
        found = self._common
        for selectors, changes in self._overrides:
            if any(fnmatchcase(label, selector) for selector in selectors):
                changed = replace(found, **changes)
                found = replace(changed, env={**found.env, **changed.env})
        return found

    def _read_overrides(self) -> Iterable[tuple[tuple[str, ...], dict[str, Any]]]:
        path = self._rootdir / "pyproject.toml"
        tools = table(read_toml(path), "tool")
        for name in tools:
            if name != "pyimages" and _MEANT.fullmatch(name):
                raise ConfigurationError(f"{path.name}: nobody reads [tool.{name}]", "write [tool.pyimages]")
        ours = table(tools, "pyimages")
        for key in ours:
            if key.startswith(PREFIX):
                raise ConfigurationError(
                    f'{path.name} [tool.pyimages]: unknown key "{key}"',
                    "it is one of pytest's configuration: [tool.pytest.ini_options] in pyproject.toml",
                )
        _check_keys(ours, ("overrides",), where=f"{path.name} [tool.pyimages]")
        entries = ours.get("overrides", [])
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            raise ConfigurationError(f"{path.name}: tool.pyimages.overrides is not a list of tables", f"write {TABLE}")
        for place, entry in enumerate(entries, start=1):
            yield self._override(entry, f"{path.name} {TABLE} number {place}")

    def _override(self, entry: Table, where: str) -> tuple[tuple[str, ...], dict[str, Any]]:
        _check_keys(entry, OVERRIDE_KEYS, where=where)
        selectors = _texts(entry.get("select"), f"{where}: select")
        if not selectors:
            raise ConfigurationError(f"{where} has no select", 'name the images that it is for: select = "3.15*"')
        changes: dict[str, Any] = {key: _texts(entry[key], f"{where}: {key}") for key in LIST_KEYS if key in entry}
        if "apt" in changes:
            changes["apt"] = _packages(_texts(entry["apt"], where), f"{where}: apt")
        for word in changes.get("args", ()):
            if word == "--cov" or word.startswith("--cov="):  # one report is made of all images, and options say how
                raise ConfigurationError(
                    f"{where}: args has {word}, and coverage is measured on all images or on none",
                    "put it into addopts, and --no-cov into the args of images to be left out",
                )
        if "env" in entry:
            changes["env"] = _variables(entry["env"], f"{where}: env")
        if "dockerfile" in entry:
            texts = _texts(entry["dockerfile"], f"{where}: dockerfile")
            changes["dockerfile"] = self._dockerfile(texts, f"{where}: dockerfile")
        for key in ("allow-failure", "skip"):
            if key in entry:
                if not isinstance(entry[key], bool):
                    raise ConfigurationError(f"{where}: {key} is {entry[key]!r}", "write true or false")
                changes[key.replace("-", "_")] = entry[key]
        return selectors, changes

    def _dockerfile(self, texts: tuple[str, ...], where: str) -> Path | None:
        if not texts:
            return None
        path = self._rootdir / texts[0]
        if len(texts) > 1 or not path.is_file():
            raise ConfigurationError(f"{where}: there is no file {path}", "name one, relative to the rootdir")
        return path


def _check_keys(found: Iterable[str], known: tuple[str, ...], *, where: str) -> None:
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"
            raise ConfigurationError(f'{where}: unknown key "{key}"', hint)


def _listed(ini: Ini, key: str) -> tuple[str, ...]:
    return _texts(ini.get(f"{PREFIX}_{key}"), f"{PREFIX}_{key}")


def _texts(value: object, where: str) -> tuple[str, ...]:
    """Return the lines of a text, or the texts of a list."""
    if value is None:
        return ()
    if isinstance(value, str):
        return lines(value)
    if isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value):
        return tuple(entry.strip() for entry in value if entry.strip())
    raise ConfigurationError(f"{where}: {value!r} is neither a text nor a list of texts", "quote each one")


def _packages(entries: tuple[str, ...], where: str) -> tuple[str, ...]:
    names = tuple(name for entry in entries for name in re.split(r"[,\s]+", entry) if name)
    for name in names:
        if not _PACKAGE.fullmatch(name):
            raise ConfigurationError(f'{where}: "{name}" is not the name of a package', "for example libpq-dev")
    return names


def _variables(value: object, where: str) -> dict[str, str | None]:
    if isinstance(value, Mapping):
        pairs: list[tuple[str, object]] = list(value.items())
    else:
        pairs = []
        for text in _texts(value, where):
            name, equals, rest = text.partition("=")
            pairs.append((name.strip(), rest.strip() if equals else None))
    for name, given in pairs:
        if not _VARIABLE.fullmatch(name):
            raise ConfigurationError(f'{where}: "{name}" is not the name of a variable', "write NAME=VALUE, or NAME")
        if given is not None and not isinstance(given, str):
            raise ConfigurationError(f"{where}: {name} is {given!r}, not a text", f'quote it: {name} = "{given}"')
    return {name: None if given is None else str(given) for name, given in pairs}
