"""Expand braces: ``3.{10..14}{,-slim}``."""

from __future__ import annotations

import re

from pytest_pyimages.matrix.faults import EntryError

#: More images than this in one entry, or in the matrix, are a mistake.
MOST_IMAGES = 200
_DEEPEST = 8
_NUMBERS = re.compile(r"(?P<first>0|[1-9][0-9]{0,5})\.\.(?P<last>0|[1-9][0-9]{0,5})")
_LITERAL = re.compile(r"[^{},]+")


def expand_braces(text: str) -> tuple[str, ...]:
    """Return all texts that the braces stand for, the last brace changing fastest.

    Alternatives may be empty, nested, and ranges of whole numbers (both ends included).

    :raises EntryError: for an unmatched brace, a comma outside of braces, empty braces, a range that runs backwards, or
        too many texts.
    """
    texts, end = _expand_sequence(text, 0, 0)
    if end < len(text):
        raise EntryError(f'has a "{text[end]}" without a "{{"')
    return texts


def _expand_sequence(text: str, start: int, depth: int) -> tuple[tuple[str, ...], int]:
    """Return the texts from ``start`` up to the ``}`` or ``,`` that ends them, and its position."""
    texts: tuple[str, ...] = ("",)
    position = start
    while position < len(text):
        if text[position] == "{":
            endings, position = _expand_alternatives(text, position, depth + 1)
        elif literal := _LITERAL.match(text, position):
            endings, position = (literal[0],), literal.end()
        else:
            break
        if len(texts) * len(endings) > MOST_IMAGES:
            raise _too_many()
        texts = tuple(beginning + ending for beginning in texts for ending in endings)
    return texts, position


def _expand_alternatives(text: str, opening: int, depth: int) -> tuple[tuple[str, ...], int]:
    """Return the texts of the braces that open at ``opening``, and the position after them."""
    if depth > _DEEPEST:
        raise EntryError(f"has braces nested more than {_DEEPEST} deep")
    found: list[str] = []
    end = opening
    while end == opening or text[end] == ",":
        start = end + 1
        texts, end = _expand_sequence(text, start, depth)
        if end == len(text):
            raise EntryError('has a "{" without a "}"')
        found.extend(_expand_numbers(text, start, end) or texts)
        if len(found) > MOST_IMAGES:
            raise _too_many()
    if end == opening + 1:
        raise EntryError('has nothing between "{" and "}"')
    return tuple(found), end + 1


def _expand_numbers(text: str, start: int, end: int) -> tuple[str, ...]:
    """Return the numbers of ``10..14``; none if the text is not of this form."""
    match = _NUMBERS.fullmatch(text, start, end)
    if match is None:
        return ()
    first, last = int(match["first"]), int(match["last"])
    if first > last:
        raise EntryError(f"has a range that runs backwards, {first}..{last}", hint=f"write {{{last}..{first}}}")
    if last - first >= MOST_IMAGES:
        raise _too_many()
    return tuple(str(number) for number in range(first, last + 1))


def _too_many() -> EntryError:
    return EntryError(f"stands for more than {MOST_IMAGES} images")
