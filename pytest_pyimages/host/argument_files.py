"""Arguments in files: ``@FILE`` on the command line stands for the lines of FILE, as in pytest since 8.2."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

_PREFIX = "@"


def expand_argument_files(words: Sequence[str]) -> list[str]:
    """Replace each ``@FILE`` by its lines, one argument each, which may name further files.

    argparse does this (``fromfile_prefix_chars``) to every argument, also to values of options and after ``--``, and
    relative to the working folder. An older pytest takes ``@FILE`` for a path, and so does this function.

    :raises UsageError: if a file cannot be read, with the text that argparse reports.
    """
    if pytest.version_tuple < (8, 2):
        return list(words)
    try:
        return list(_expand(words))
    except (OSError, ValueError) as error:
        raise pytest.UsageError(str(error)) from error
    except RecursionError:
        names = " ".join(word for word in words if word.startswith(_PREFIX))
        raise pytest.UsageError(f"an argument file includes itself: {names}") from None


def _expand(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if word.startswith(_PREFIX):
            encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
            text = Path(word.removeprefix(_PREFIX)).read_text(encoding, errors)
            yield from _expand(text.splitlines())
        else:
            yield word
