"""Likely typos on the command line that pytest would not notice, or notice late."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import CommandLine
from pytest_pyimages.host.invocation import Invocation
from pytest_pyimages.host.option_table import OPTION_NAMES
from pytest_pyimages.host.request import has_misspelt_option
from pytest_pyimages.text import find_similar

_PERHAPS_IMAGE = re.compile(r"[23](?:\.\d|[?,-]|$)|latest|slim|alpine|auto")
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


def _find_stray_images(invocation: Invocation) -> Iterator[str]:
    """Yield the positions that are images and no paths."""
    return (word for word in invocation.typed.paths if _is_image(word, invocation.cwd))


def _is_image(word: str, folder: Path) -> bool:
    if not _PERHAPS_IMAGE.match(word) or "::" in word or (folder / word).exists():
        return False
    from pytest_pyimages.matrix import parse_matrix

    try:
        return bool(parse_matrix([word.rstrip(",")]))
    except ConfigurationError:
        return False
