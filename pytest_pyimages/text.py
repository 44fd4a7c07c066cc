"""Make text from containers, engines and registries safe and short enough to print."""

from __future__ import annotations

import re
from collections.abc import Iterable

LINE_CHARACTERS = 500


def one_line(text: object) -> str:
    """Return a message on one line, without control characters, of bearable length."""
    cleaned = "".join(character if character.isprintable() else " " for character in str(text))
    words = " ".join(cleaned.split())
    return words if len(words) <= LINE_CHARACTERS else words[: LINE_CHARACTERS - 3] + "..."


def shown(data: bytes) -> str:
    """Return the start of some bytes, safe to print on one line."""
    text = repr(data[:60].decode("utf-8", "backslashreplace"))
    return text + "…" if len(data) > 60 else text


_CONTROL = re.compile("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ESCAPE = re.compile(r"\x1b(?!\[[0-9;]{0,32}m)")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Return the text without what could steer a terminal; colours (SGR) stay (CWE-150)."""
    if text.isprintable():
        return text
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _ESCAPE.sub("\N{REPLACEMENT CHARACTER}", text))


_LINE = re.compile("[\x00-\x1f\x7f]")


def clean_line(text: str) -> str:
    """Return the text as one line without any escape: node ids and other names stand at the start of lines."""
    text = clean(text)
    return text if text.isprintable() else _LINE.sub("\N{REPLACEMENT CHARACTER}", text)


def find_similar(word: str, choices: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return the choice that is most similar to a word; empty if none is.

    :param cutoff: the least similarity, from 0 to 1.
    """
    import difflib  # only errors need it

    return next(iter(difflib.get_close_matches(word, list(choices), n=1, cutoff=cutoff)), "")


def suggest(word: str, choices: Iterable[str], *, otherwise: str = "", cutoff: float = 0.6) -> str:
    """Return a hint for an unknown word: the choice that is most like it.

    :param otherwise: the hint if none is like it; empty: all choices.
    :param cutoff: as for ``find_similar``.
    """
    choices = list(choices)
    near = find_similar(word, choices, cutoff=cutoff)
    return f"did you mean {near}?" if near else otherwise or f"choose from {', '.join(choices)}"
