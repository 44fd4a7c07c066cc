"""Likely typos on the command line that pytest would not notice, or notice late."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import CommandLine, exists
from pytest_pyimages.host.expressions import split_brackets
from pytest_pyimages.host.invocation import Invocation
from pytest_pyimages.host.option_table import INI_KEYS, OPTION_NAMES, OPTIONS, has_misspelt_option
from pytest_pyimages.text import find_similar

_PERHAPS_IMAGE = re.compile(r"[23](?:\.\d|[?,-]|$)|latest|slim|alpine|auto")
_LABEL_CHARACTERS = str.maketrans("@~", "__")  # an image's label may have these in -k, a test's name may not
_SIMILAR = 0.75  # of difflib's ratio
_REPORT_KINDS = ("html", "json", "md")  # some look for an option for each kind of report, as --junitxml is


def check_options(line: CommandLine, folders: Sequence[Path], unknown: Callable[[list[str]], list[str]]) -> None:
    """Refuse an option that is similar to one of ours and that nothing defines.

    :param folders: where conftests may define options.
    :param unknown: returns those of some options that no plugin of the host knows.
    :raises ConfigurationError: with the option that was meant.
    """
    from pytest_pyimages.project import defines_option

    names = [argument.name for argument in line.options if has_misspelt_option([argument.name])]
    for name in unknown(names):
        meant = _report_option(name) or find_similar(name, OPTION_NAMES, cutoff=_SIMILAR)
        if meant and not any(defines_option(folder, name) for folder in folders):
            raise ConfigurationError(f"unknown option {name} (did you mean {meant}?)")


def _report_option(name: str) -> str:
    kind = name.removeprefix("--py-images-")
    return f"--py-images-report=FILE.{kind}" if kind in _REPORT_KINDS else ""


def check_positions(invocation: Invocation) -> None:
    """Refuse an image among the paths: ``--py-images=3.12, 3.13`` are two arguments.

    :raises ConfigurationError: with the list that was meant.
    """
    stray = list(_find_stray_images(invocation))
    if stray:
        entries = [entry.strip(", ") for entry in (*invocation.typed.values("--py-images"), *stray)]
        meant = ",".join(filter(None, entries))
        raise ConfigurationError(
            f'--py-images: "{stray[0]}" looks like an image and is not a path',
            f"separate images by commas, without spaces: --py-images={meant}",
        )


def check_paths(invocation: Invocation) -> None:
    """Refuse a path that does not exist, as pytest in the containers would once their images are built.

    With a setup, images may contain files that the host lacks.

    :raises ConfigurationError: with what pytest says, and a path with a similar name.
    """
    if invocation.command_line.has("--pyargs") or _has_setup(invocation):
        return
    for word in invocation.typed.paths:
        name = word.partition("::")[0]
        if not exists(invocation.cwd / name) and not exists(invocation.cwd / split_brackets(name)[0]):
            raise ConfigurationError(f"file or directory not found: {word}{_suggest_path(invocation.cwd, name)}")


def check_expressions(invocation: Invocation) -> None:
    """Refuse an expression of -k or -m that pytest in the containers would refuse once their images are built.

    Only what this host's pytest knows: -m has arguments in parentheses since pytest 8.3.

    :raises ConfigurationError: with what pytest says.
    """
    from _pytest.mark.expression import Expression

    for option in ("-k",) if pytest.version_tuple < (8, 3) else ("-k", "-m"):
        text = invocation.command_line.last(option)
        try:
            Expression.compile(text.translate(_LABEL_CHARACTERS))
        except Exception as error:  # noqa: BLE001 - a SyntaxError since pytest 9, before that of a class of its own
            problem = getattr(error, "message", getattr(error, "msg", str(error)))
            column = getattr(error, "column", getattr(error, "offset", 0))
            raise ConfigurationError(
                f"wrong expression passed to {option}: {text}: at column {column}: {problem}"
            ) from None


def _has_setup(invocation: Invocation) -> bool:
    from pytest_pyimages.project import get_table, read_toml

    setup = OPTIONS["py_images_setup"]
    if invocation.ini.get(setup.ini) or setup.environment in invocation.variables:
        return True
    path = invocation.rootdir / "pyproject.toml"
    overrides = get_table(read_toml(path), "tool", "pyimages").get("overrides") if path.is_file() else None
    return isinstance(overrides, list) and any(isinstance(each, dict) and "setup" in each for each in overrides)


def _suggest_path(folder: Path, name: str) -> str:
    path = Path(name)
    try:
        entries = [entry.name for entry in (folder / path.parent).iterdir()]
    except (OSError, ValueError):
        return ""
    meant = find_similar(path.name, entries, cutoff=_SIMILAR)
    return f" (did you mean {path.with_name(meant)}?)" if meant else ""


def check_keys(ini: Collection[str], folders: Sequence[Path], place: str) -> None:
    """Refuse an ini key that is similar to one of ours and that nothing defines.

    :param place: the name of the file.
    :raises ConfigurationError: with the key that was meant.
    """
    from pytest_pyimages.project import defines_option

    for name in ini:
        meant = find_similar(name.replace("-", "_").lower(), INI_KEYS, cutoff=_SIMILAR)
        if meant and not any(defines_option(folder, name) for folder in folders):
            raise ConfigurationError(f"unknown key {name} in {place} (did you mean {meant}?)")


def _find_stray_images(invocation: Invocation) -> Iterator[str]:
    """Yield the positions that are images and no paths."""
    return (word for word in invocation.typed.paths if _is_image(word, invocation.cwd))


def _is_image(word: str, folder: Path) -> bool:
    if not _PERHAPS_IMAGE.match(word) or "::" in word or exists(folder / word):
        return False
    from pytest_pyimages.matrix import parse_matrix

    try:
        return bool(parse_matrix([word.rstrip(",")]))
    except ConfigurationError:
        return False
