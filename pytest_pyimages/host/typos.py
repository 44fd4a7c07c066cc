"""Slips of the pen on the command line that pytest would not notice, or only when much has been done."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import HOST_FLAGS, INSIDE_FLAGS, POSITION, pieces
from pytest_pyimages.host.option_table import OWN_OPTIONS
from pytest_pyimages.host.settings import Invocation

_PERHAPS_IMAGE = re.compile(r"[23](?:\.\d|[?,-]|$)|latest|slim|alpine|auto")
_ALIKE = 0.75  # of difflib's ratio


def check_options(args: Sequence[str], unknown: Sequence[str], folders: Sequence[Path]) -> None:
    """Refuse an option that is nearly one of ours, and nobody's.

    :param unknown: those of the arguments that no plugin of the host knows.
    :param folders: where conftests may define options.
    :raises ConfigurationError: with the option that was meant.
    """
    from pytest_pyimages.project import defines_option

    ours = [name for name, _ in OWN_OPTIONS]
    for word in args:
        name = word.partition("=")[0]
        if word not in unknown or name in ours or any(defines_option(folder, name) for folder in folders):
            continue
        near = difflib.get_close_matches(name, ours, n=1, cutoff=_ALIKE)
        if near:
            raise ConfigurationError(f"unknown option {name} (did you mean {near[0]}?)")


def check_positions(invocation: Invocation) -> None:
    """Refuse an image that stands where paths stand: ``--py-images=3.12, 3.13`` are two arguments.

    :raises ConfigurationError: with the list that was meant.
    """
    found = list(_stray_images(invocation))
    if not found:
        return
    given = [piece.value or "" for piece in pieces(invocation.args, OWN_OPTIONS) if piece.name == "--py-images"]
    entries = [entry.strip(", ") for entry in (*given, *found)]
    meant = ",".join(entry for entry in entries if entry)
    raise ConfigurationError(
        f'--py-images: "{found[0]}" is no path, and looks like an image',
        f"separate images by commas, without space: --py-images={meant}",
    )


def _stray_images(invocation: Invocation) -> Sequence[str]:
    """Return the arguments that are no paths, and images; not what an option that nobody here knows may have."""
    found, before = [], ""
    for piece in pieces(invocation.args, OWN_OPTIONS):
        may_be_a_value = before and piece.name == POSITION
        before = ""
        if piece.name == POSITION:
            if not may_be_a_value and _is_image(piece.value or "", invocation.cwd):
                found.append(piece.value or "")
        elif piece.value is None and piece.name not in HOST_FLAGS | INSIDE_FLAGS:
            before = piece.name
    return found


def _is_image(word: str, folder: Path) -> bool:
    if not _PERHAPS_IMAGE.match(word) or "::" in word or (folder / word).exists():
        return False
    from pytest_pyimages.matrix import parse_matrix

    try:
        return bool(parse_matrix([word.rstrip(",")]))
    except ConfigurationError:
        return False
