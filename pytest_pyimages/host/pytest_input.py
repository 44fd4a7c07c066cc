"""Read ini values, words and argument files as pytest does. Every pytest loads this."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.errors import ConfigurationError

_PREFIX = "@"


def read_inicfg(config: pytest.Config) -> MutableMapping[str, Any]:
    """Return pytest's ini values: ``inicfg`` until pytest 8, ``_inicfg`` since 9."""
    found: MutableMapping[str, Any] | None = getattr(config, "_inicfg", None)
    return config.inicfg if found is None else found


def plain_values(inicfg: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return the values of ini keys; pytest 9 wraps each in a ConfigValue."""
    return {key: getattr(value, "value", value) for key, value in inicfg.items()}


def split_words(value: str | list[str], origin: str = "the configuration") -> list[str]:
    """Return the words of an ini value, or of a variable, as pytest splits them.

    :raises ConfigurationError: if a quotation mark is not closed; names the origin.
    """
    try:
        return list(value) if isinstance(value, list) else shlex.split(value)
    except ValueError as error:
        raise ConfigurationError(f"{origin}: {error}", "close the quotation") from error


def expand_argument_files(words: Sequence[str]) -> list[str]:
    """Replace each ``@FILE`` by its lines, one argument each, which may name further files, as pytest does since 8.2.

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
