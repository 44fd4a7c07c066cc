"""What of the matrix the command line selects: node ids and ``-k`` expressions that name images.

A test is shown as ``tests/test_a.py::test_x[3.14-slim]``, so that is what people paste. Its last bracket is taken off
for that image, and the id means nothing to the others. An image that nothing selects is not in the answer.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import POSITION, Option, container_arguments, pieces, with_options
from pytest_pyimages.host.option_table import OWN_OPTIONS
from pytest_pyimages.host.settings import Invocation

_SELECTING = frozenset(
    "-k -m --deselect --ignore --ignore-glob --lf --last-failed --nf --new-first --sw --stepwise".split()
)
# The words of an expression as pytest's documentation of -k has them, and the characters of labels.
_WORD = re.compile(r"\s*([()]|[\w:+\-.\[\]\\/@~]+)")


def image_arguments(invocation: Invocation, labels: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return pytest's arguments for each image that is selected, by label.

    :param labels: of the whole matrix.
    """
    args = container_arguments(invocation.args, OWN_OPTIONS)
    typed_first = pieces(invocation.typed_first, OWN_OPTIONS)
    typed = pieces(args, OWN_OPTIONS)
    given = [piece.value or "" for piece in (*typed_first, *typed) if piece.name == "-k"]
    expression = given[-1] if given else ""
    picked = {piece.value: _picked(piece.value, labels, invocation.cwd) for piece in typed if piece.name == POSITION}
    picked.pop(None, None)
    found = {}
    for label in labels:
        if picked and all(image not in ("", label) for _, image in picked.values()):
            continue
        if any(_picked(piece.value, labels) == ("", label) for piece in typed if piece.name == "--deselect"):
            continue
        keywords = folded(expression, label, labels)
        if keywords is False:
            continue
        own = _Own(label=label, labels=labels, picked=picked)
        options = [word for piece in typed_first if piece.name == "--deselect" for word in own.deselected(piece)]
        if keywords != expression:
            options += ["-k", "" if keywords is True else keywords]
        found[label] = with_options(own.words(typed), options)
    return found


def selects_tests(invocation: Invocation) -> bool:
    """Whether the command line asks for some of the tests, so that an image may well have none of them.

    A folder does not: ``pytest tests`` is how a whole suite is called.
    """
    typed = pieces(container_arguments(invocation.args, OWN_OPTIONS), OWN_OPTIONS)
    given = (*pieces(invocation.all_args, OWN_OPTIONS), *typed)
    positions = [piece.value or "" for piece in typed if piece.name == POSITION]
    return any(piece.name in _SELECTING for piece in given) or any(
        not (invocation.cwd / position).is_dir() for position in positions
    )


def other_images(invocation: Invocation, labels: Sequence[str]) -> tuple[str, ...]:
    """Return what ends node ids and would be an image, and is none of these; it may be a test's own parameter."""
    from pytest_pyimages.matrix import parse_matrix

    found = []
    for piece in pieces(container_arguments(invocation.args, OWN_OPTIONS), OWN_OPTIONS):
        text, last = _parted(piece.value or "")
        if piece.name == POSITION and text and last and last not in labels:
            with contextlib.suppress(ConfigurationError):
                parse_matrix([last])
                found.append(last)
    return tuple(dict.fromkeys(found))


def _picked(word: str | None, labels: Sequence[str], folder: Path | None = None) -> tuple[str, str]:
    """Return a node id and the image that it is for; no image if it is for all."""
    text, last = _parted(word or "")
    if last in labels:
        is_path = folder is not None and "::" not in text and (folder / (word or "")).exists()
        if not is_path:
            return text, last
    return word or "", ""


def _parted(word: str) -> tuple[str, str]:
    """Return what stands before the brackets that end a word, and in them; all and nothing if there are none."""
    text, bracket, last = word.rpartition("[")
    return (text, last[:-1]) if bracket and last.endswith("]") else (word, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """One image's part of the arguments."""

    label: str
    labels: Sequence[str]
    picked: Mapping[str | None, tuple[str, str]]

    def words(self, typed: Sequence[Option]) -> list[str]:
        whole = ("", self.label) in self.picked.values()  # "[3.12]": all of it
        found: list[str] = []
        for piece in typed:
            if piece.name == POSITION:
                nodeid, image = self.picked[piece.value]
                if not image or (image == self.label and not whole):
                    found.append(nodeid)
            elif piece.name == "--deselect" and _picked(piece.value, self.labels)[1]:
                found += self.deselected(piece)
            else:
                found += piece.tokens
        return found

    def deselected(self, piece: Option) -> list[str]:
        """Return the option for this image; nothing if it speaks of another, or of none."""
        nodeid, image = _picked(piece.value, self.labels)
        return [f"--deselect={nodeid}"] if image == self.label else []


def folded(expression: str, label: str, labels: Sequence[str]) -> str | bool:
    """Return what is left of a ``-k`` expression on one image, where its own label is true and the others' are false.

    ``3.12 and spam`` is ``spam`` on 3.12 and False elsewhere. An expression without labels, or one that is none,
    comes back as it is: pytest says what is wrong with it.
    """
    words = _words(expression)
    if words is None or not any(word in labels or _picked(word, labels)[1] for word in words):
        return expression
    parser = _Expression(words, label, labels)
    try:
        value = parser.any_of()
    except IndexError:
        return expression
    return value if parser.at_end else expression


def _words(expression: str) -> list[str] | None:
    words, position, text = [], 0, expression.rstrip()
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            return None
        words.append(match[1])
        position = match.end()
    return words


class _Expression:
    """Folds by the grammar of pytest's expressions: ``or``, ``and``, ``not``, parentheses, words.

    Raises IndexError where the words end too early.
    """

    def __init__(self, words: Sequence[str], label: str, labels: Sequence[str]) -> None:
        self._words = list(words)
        self._label = label
        self._labels = labels

    @property
    def at_end(self) -> bool:
        return not self._words

    def any_of(self) -> str | bool:
        values = [self._all_of()]
        while self._next_is("or"):
            values.append(self._all_of())
        if True in values:
            return True
        return " or ".join(value for value in values if isinstance(value, str)) or False

    def _all_of(self) -> str | bool:
        values = [self._one()]
        while self._next_is("and"):
            values.append(self._one())
        if False in values:
            return False
        return " and ".join(value for value in values if isinstance(value, str)) or True

    def _one(self) -> str | bool:
        if self._next_is("not"):
            value = self._one()
            return not value if isinstance(value, bool) else f"not {value}"
        if self._next_is("("):
            value = self.any_of()
            if not self._next_is(")"):
                raise IndexError
            return value if isinstance(value, bool) else f"({value})"
        word = self._words.pop(0)
        if word in ("or", "and", ")"):
            raise IndexError
        if word in self._labels:
            return word == self._label
        name, image = _picked(word, self._labels)
        if not image:
            return word
        return image == self._label and (name or True)

    def _next_is(self, word: str) -> bool:
        if self._words[:1] != [word]:
            return False
        del self._words[0]
        return True
