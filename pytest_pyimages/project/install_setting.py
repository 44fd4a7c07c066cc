"""The ini key ``py_images_install``: the user's own word on what the suite needs, which goes before all discovery."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import ProjectFiles, expand_group, lines, parsed, read_toml, table
from pytest_pyimages.project.metadata import Metadata
from pytest_pyimages.project.plugins import Ini
from pytest_pyimages.project.requirements import own_extras
from pytest_pyimages.project.suite_needs import Needs

KEY = "py_images_install"
_FORMS = (
    "write .[extra], --group NAME, -r FILE or a requirement such as pytest-mock>=3; anything else goes into a -r FILE"
)
_OPTIONS = {"-r": "-r", "--requirement": "-r", "-e": "-e", "--editable": "-e", "--group": "--group"}


def _redacted(text: str) -> str:
    from pytest_pyimages.indexes import Redaction

    return Redaction().redacted(text)


def configured_needs(ini: Ini, files: ProjectFiles, metadata: Metadata) -> Needs | None:
    """Return what the key asks for; None if the configuration does not have it.

    :raises ConfigurationError: for an argument that is not understood, or names what is not there.
    """
    if KEY not in ini:
        return None
    entries = install_entries(ini)
    extras: list[str] = []
    groups: list[str] = []
    requirements: list[str] = []
    paths: list[Path] = []
    for option, value in (pair for entry in entries for pair in _arguments(entry)):
        own = own_extras(value, root=files.root.resolve(), name=canonicalize_name(metadata.name))
        if option == "-r":
            paths.append(_file(value, files))
        elif option == "--group":
            groups.append(value)
            requirements += _group(value, files)
        elif own is not None:
            extras += _known_extras(own, metadata)
        elif option == "-e" or parsed(value) is None:
            raise ConfigurationError(f'{KEY}: "{_redacted(value)}" is not understood', _FORMS)
        else:
            requirements.append(value)
    return Needs(
        origin=f"{_redacted(', '.join(entries)) or 'nothing'} ({KEY})",
        extras=tuple(dict.fromkeys(extras)),
        groups=tuple(dict.fromkeys(groups)),
        requirements=tuple(dict.fromkeys(requirements)),
        requirement_files=tuple(dict.fromkeys(paths)),
    )


def _file(value: str, files: ProjectFiles) -> Path:
    path = files.root / value
    if not path.is_file():
        raise ConfigurationError(f"{KEY}: there is no file {path}", f"correct the path; it starts at {files.root}")
    return path


def install_entries(ini: Ini) -> tuple[str, ...]:
    """Return the key's value, an entry each; an option and its value may be two of a list, as in a shell."""
    value: object = ini[KEY]  # a TOML file may hold anything
    if isinstance(value, str):
        return _joined(lines(value))
    if not isinstance(value, list) or any(not isinstance(entry, str) for entry in value):
        raise ConfigurationError(f"{KEY}: {value!r} is not a list of texts", 'write [".[test]", "-r requirements.txt"]')
    return _joined(entry.strip() for entry in value if entry.strip())


def _joined(entries: Iterable[str]) -> tuple[str, ...]:
    words, joined = iter(entries), []
    for word in words:
        value = next(words, "") if word in _OPTIONS else ""
        joined.append(f"{word} {shlex.quote(value) if ' ' in value else value}".rstrip())
    return tuple(joined)


def _arguments(entry: str) -> Iterator[tuple[str, str]]:
    """Yield option (or nothing) and value of each argument in an entry."""
    if parsed(entry) is not None:  # markers have spaces and quotes
        yield "", entry
        return
    try:
        words = iter(shlex.split(entry))
    except ValueError as error:
        raise ConfigurationError(f"{KEY}: {_redacted(entry)}: {error}", "close the quotation") from error
    for word in words:
        option, equals, value = word.partition("=")
        if not word.startswith("-"):
            yield "", word
        elif word[:2] in {"-r", "-e"}:
            yield word[:2], word[2:].lstrip("=") or _following(words, word)
        elif option in _OPTIONS:
            yield _OPTIONS[option], value if equals else _following(words, word)
        else:
            raise ConfigurationError(f'{KEY}: "{_redacted(word)}" is not understood', _FORMS)


def _following(words: Iterator[str], option: str) -> str:
    for word in words:
        return word
    raise ConfigurationError(f"{KEY}: {option} has no value", _FORMS)


def _group(value: str, files: ProjectFiles) -> tuple[str, ...]:
    """Return the requirements of ``[PATH:]NAME``, as pip takes it."""
    folder, colon, name = value.rpartition(":")
    path = files.root / folder if colon else files.root / "pyproject.toml"
    return expand_group(table(read_toml(path), "dependency-groups"), name, path=path)


def _known_extras(extras: Sequence[str], metadata: Metadata) -> Sequence[str]:
    known = {canonicalize_name(extra): extra for extra in metadata.extras or {}}
    for extra in extras:
        if metadata.extras is not None and canonicalize_name(extra) not in known:
            near = difflib.get_close_matches(canonicalize_name(extra), list(known), n=1)
            listed = ", ".join(known.values())
            hint = f"did you mean {near[0]}?" if near else f"there is {listed or 'none'}"
            raise ConfigurationError(f'{KEY}: the project has no extra "{extra}"', hint)
    return extras
