"""What this host tells pip: its variables and its configuration files, as pip reads them."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# Sections that count for ``pip install``; the later overrides (pip, "Configuration": per-command section).
_SECTIONS = ("global", "install")
SYSTEM_FILE = Path("/etc/pip.conf")
MAC_FILE = Path("/Library/Application Support/pip/pip.conf")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and where it is set, for people."""

    value: str
    origin: str


def pip_settings(environ: Mapping[str, str], home: Path) -> tuple[Mapping[str, Setting], tuple[str, ...]]:
    """Return the settings by the names of pip's long options, and notes on files that cannot be read.

    Variables come before files, and what is empty is not set at all, as in pip.
    """
    found: dict[tuple[int, str], Setting] = {}
    notes = []
    for path in _files(environ, home):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, configparser.Error, UnicodeDecodeError) as error:
            # The text of a parser's error quotes the file, passwords included.
            notes.append(f"{path} is left out: it cannot be read ({type(error).__name__})")
            continue
        found.update(_items(parser, str(path)))
    result = {key[1]: found[key] for key in sorted(found)}
    for variable, value in environ.items():
        if variable.startswith("PIP_") and value.strip():
            result[_option(variable[4:])] = Setting(value, variable)
    return result, tuple(notes)


def _items(parser: configparser.RawConfigParser, origin: str) -> Iterator[tuple[tuple[int, str], Setting]]:
    """Yield the settings by place of the section and name: a command's own section wins over all files' global ones."""
    for place, section in enumerate(_SECTIONS):
        for name, value in parser.items(section) if parser.has_section(section) else ():
            if value.strip():
                yield (place, _option(name)), Setting(value, origin)


def _option(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _files(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
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
