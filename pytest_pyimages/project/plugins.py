"""Find the plugins that a suite's pytest configuration or the command line requires.

They are recognised by options and ini keys that only they define.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.conftests import CONFTESTS
from pytest_pyimages.project.known_plugins import find_plugins
from pytest_pyimages.project.requirements import parse_requirement

Ini = Mapping[str, str | list[str]]

RequiredPlugins = tuple[tuple[str, str], ...]  # requirement, and the option or key that requires it


def find_ini_plugins(ini: Ini, *, root: Path, present: Iterable[str]) -> RequiredPlugins:
    """Return the plugins that the configuration requires and nothing else installs.

    :param ini: pytest's configuration.
    :param root: the project's folder; options that a conftest there adds are its own.
    :param present: normalised names of the distributions that are installed anyway.
    :raises ConfigurationError: for required_plugins or addopts that cannot be read.
    """
    options = ((requirement, "addopts") for requirement, _ in _find_by_options(split_ini_value(ini, "addopts"), root))
    keys = ((plugin, key) for key in ini for plugin in find_plugins(ini_key=key))
    return _drop_present((*_read_required_plugins(ini), *options, *keys), present)


def find_option_plugins(words: Sequence[str], *, root: Path, present: Iterable[str]) -> RequiredPlugins:
    """Return the plugins that options of the command line, or of PYTEST_ADDOPTS, require and nothing else installs.

    They are sorted: the same options in another order need the same image.

    :param words: the options without their values, but -p.
    :param root: as for ``find_ini_plugins``, and ``present``, too.
    """
    return _drop_present(sorted(_find_by_options(words, root), key=lambda required: required[0]), present)


def _drop_present(plugins: Iterable[tuple[str, str]], present: Iterable[str]) -> RequiredPlugins:
    have = set(present)
    found = []
    for requirement, reason in plugins:
        parts = parse_requirement(requirement)
        name = canonicalize_name(parts.name if parts else requirement)
        if name not in have:
            have.add(name)
            found.append((requirement, reason))
    return tuple(found)


def _read_required_plugins(ini: Ini) -> Iterator[tuple[str, str]]:
    for word in split_ini_value(ini, "required_plugins"):
        if parse_requirement(word) is None:
            raise ConfigurationError(
                f'required_plugins: "{word}" is not a requirement', "write pytest-xdist>=3, no spaces"
            )
        yield word, "required_plugins"


def _find_by_options(words: Sequence[str], root: Path) -> Iterator[tuple[str, str]]:
    """Yield the plugins that options require, each with the option."""
    conftests = _read_conftests(root) if words else ""
    for place, word in enumerate(words):
        if word.startswith("-p"):
            module = word[2:].lstrip("= ") or (words[place + 1] if place + 1 < len(words) else "")
            yield from ((plugin, f"-p {module}") for plugin in find_plugins(module=module))
        else:
            option = word.partition("=")[0]
            if not _is_quoted(option, conftests):
                yield from ((plugin, option) for plugin in find_plugins(option=option))


def defines_option(folder: Path, option: str) -> bool:
    """Whether a conftest in a folder's usual places seems to add an option of this name."""
    return _is_quoted(option, _read_conftests(folder))


def _read_conftests(folder: Path) -> str:
    return "".join(_text(folder / name) for name in CONFTESTS)


def _is_quoted(option: str, text: str) -> bool:
    return f'"{option}"' in text or f"'{option}'" in text


def find_plugin(option: str) -> str:
    """Return the distribution that has this option of pytest; empty if it is not known."""
    return next(find_plugins(option=option), "")


def split_ini_value(ini: Ini, key: str) -> list[str]:
    """Return the words of a value as pytest splits them: a list, or one text in the syntax of a shell."""
    value = ini.get(key, "")
    if not isinstance(value, str):
        return [str(word) for word in value]
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ConfigurationError(f"{key}: {error}", "close the quotation") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
