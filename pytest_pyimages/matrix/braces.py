"""Brace expansion: ``3.{10..14}{,-slim}``."""

from __future__ import annotations

import re

from pytest_pyimages.matrix.faults import EntryError

#: More images than this in one entry, or in the matrix, are a slip of the pen.
MOST_IMAGES = 200
_DEEPEST = 8
_NUMBERS = re.compile(r"(?P<first>0|[1-9][0-9]{0,5})\.\.(?P<last>0|[1-9][0-9]{0,5})")
_LITERAL = re.compile(r"[^{},]+")


def expand_braces(text: str) -> tuple[str, ...]:
    """All texts that the braces stand for, the last brace changing fastest; the text alone if it has none.

    Alternatives may be empty, nested, and ranges of whole numbers (both ends included).

    :raises EntryError: a brace without its partner, a comma outside of braces, an empty pair, a range that runs
        backwards, or too many texts.
    """
    texts, end = _sequence(text, 0, 0)
    if end < len(text):
        raise EntryError(f'has a "{text[end]}" without a "{{"', nearest=_without(text, end))
    return texts


def _sequence(text: str, start: int, depth: int) -> tuple[tuple[str, ...], int]:
    """What stands from ``start`` up to the ``}`` or ``,`` that ends it, and where that is."""
    texts: tuple[str, ...] = ("",)
    position = start
    while position < len(text):
        if text[position] == "{":
            endings, position = _alternatives(text, position, depth + 1)
        elif literal := _LITERAL.match(text, position):
            endings, position = (literal[0],), literal.end()
        else:
            break
        if len(texts) * len(endings) > MOST_IMAGES:
            raise _too_many()
        texts = tuple(beginning + ending for beginning in texts for ending in endings)
    return texts, position


def _alternatives(text: str, opening: int, depth: int) -> tuple[tuple[str, ...], int]:
    """What the braces that open at ``opening`` hold, and the place behind them."""
    if depth > _DEEPEST:
        raise EntryError(f"has braces nested more than {_DEEPEST} deep")
    found: list[str] = []
    end = opening
    while end == opening or text[end] == ",":
        start = end + 1
        texts, end = _sequence(text, start, depth)
        if end == len(text):
            raise EntryError('has a "{" without a "}"', nearest=(*_without(text, opening), f"{text}}}"))
        found.extend(_numbers(text, start, end) or texts)
        if len(found) > MOST_IMAGES:
            raise _too_many()
    if end == opening + 1:
        raise EntryError('has nothing between "{" and "}"', nearest=(text[:opening] + text[end + 1 :],))
    return tuple(found), end + 1


def _numbers(text: str, start: int, end: int) -> tuple[str, ...]:
    """The numbers of ``10..14``, if that is what stands there; none for anything else."""
    match = _NUMBERS.fullmatch(text, start, end)
    if match is None:
        return ()
    first, last = int(match["first"]), int(match["last"])
    if first > last:
        nearest = f"{text[:start]}{last}..{first}{text[end:]}"
        raise EntryError(f"has a range that runs backwards, {first}..{last}", nearest=(nearest,))
    if last - first >= MOST_IMAGES:
        raise _too_many()
    return tuple(str(number) for number in range(first, last + 1))


def _too_many() -> EntryError:
    return EntryError(f"stands for more than {MOST_IMAGES} images")


def _without(text: str, position: int) -> tuple[str, ...]:
    return (text[:position] + text[position + 1 :],)
