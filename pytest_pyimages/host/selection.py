"""Which images the command line selects: node ids and ``-k`` expressions that name images.

A test is shown as ``tests/test_a.py::test_x[3.14-slim]``, so that is what users paste. The last brackets are removed
for that image, and other images do not get the node id. An image that nothing selects is left out.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import POSITION, Argument, CommandLine
from pytest_pyimages.host.invocation import Invocation

_SELECTING = tuple(
    "-k -m --deselect --ignore --ignore-glob --lf --last-failed --nf --new-first --sw --stepwise".split()
)
# The words of an expression as pytest's documentation of -k has them, and the characters of labels.
_WORD = re.compile(r"\s*([()]|[\w:+\-.\[\]\\/@~]+)")


def split_by_image(
    invocation: Invocation, labels: Sequence[str], options: Sequence[str] = ()
) -> Mapping[str, tuple[str, ...]]:
    """Return pytest's arguments for each selected image, by label.

    :param labels: of the whole matrix.
    :param options: further ones, for each image.
    """
    typed = invocation.typed.container_arguments()
    expression = (invocation.configured + typed).last("-k")
    targets = {position: _split_nodeid(position, labels, invocation.cwd) for position in typed.positions}
    deselected = [_split_nodeid(value, labels) for value in typed.values("--deselect")]
    found = {}
    for label in labels:
        keywords = fold_expression(expression, label, labels)
        is_selected = not targets or any(image in ("", label) for _, image in targets.values())
        if not is_selected or ("", label) in deselected or keywords is False:
            continue
        image = _Image(label=label, labels=labels, targets=targets)
        further = [word for value in invocation.configured.values("--deselect") for word in image.deselect(value)]
        if keywords != expression:
            further += ["-k", "" if keywords is True else keywords]
        found[label] = CommandLine(tuple(image.arguments(typed))).adding(*further, *options)
    return found


def selects_tests(invocation: Invocation) -> bool:
    """Return whether only some tests are selected, so that an image may well have none of them.

    A folder selects nothing: ``pytest tests`` is how a whole suite is run.
    """
    is_file = (not (invocation.cwd / position).is_dir() for position in invocation.typed.positions)
    return invocation.command_line.has(*_SELECTING) or any(is_file)


def find_other_images(invocation: Invocation, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the suffixes of node ids that parse as image tags and are not in the matrix; maybe a test's parameters."""
    from pytest_pyimages.matrix import parse_matrix

    found = []
    for position in invocation.typed.positions:
        text, last = _split_brackets(position)
        if text and last and last not in labels:
            with contextlib.suppress(ConfigurationError):
                parse_matrix([last])
                found.append(last)
    return tuple(dict.fromkeys(found))


def _split_nodeid(word: str, labels: Sequence[str], folder: Path | None = None) -> tuple[str, str]:
    """Return a node id and the image that it names; no image if it is for all.

    :param folder: where a path with such a name may exist.
    """
    text, last = _split_brackets(word)
    is_path = folder is not None and "::" not in text and (folder / word).exists()
    return (text, last) if last in labels and not is_path else (word, "")


def _split_brackets(word: str) -> tuple[str, str]:
    """Return the text before the brackets that end a word, and their content; all and nothing if there are none."""
    text, bracket, last = word.rpartition("[")
    return (text, last[:-1]) if bracket and last.endswith("]") else (word, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    """One image's part of the arguments."""

    label: str
    labels: Sequence[str]
    targets: Mapping[str, tuple[str, str]]  # node id and image of each position

    def arguments(self, typed: CommandLine) -> Iterator[Argument]:
        runs_all = ("", self.label) in self.targets.values()  # "[3.12]"
        for argument in typed.arguments:
            if argument.name == POSITION:
                nodeid, image = self.targets[argument.words[0]]
                if not image or (image == self.label and not runs_all):
                    yield Argument(POSITION, nodeid, (nodeid,))
            elif argument.name == "--deselect" and _split_nodeid(argument.value or "", self.labels)[1]:
                yield from (Argument("--deselect", None, (word,)) for word in self.deselect(argument.value or ""))
            else:
                yield argument

    def deselect(self, value: str) -> list[str]:
        """Return the option for this image; nothing if the value names another image, or none."""
        nodeid, image = _split_nodeid(value, self.labels)
        return [f"--deselect={nodeid}"] if image == self.label else []


def fold_expression(expression: str, label: str, labels: Sequence[str]) -> str | bool:
    """Return a ``-k`` expression for one image, where its own label is true and the others' are false.

    ``3.12 and spam`` is ``spam`` on 3.12 and False elsewhere. An expression without labels, or an invalid one, is
    returned unchanged: pytest reports what is wrong with it.
    """
    words = _split_expression(expression)
    if words is None or not any(word in labels or _split_nodeid(word, labels)[1] for word in words):
        return expression
    parser = _Expression(words, label, labels)
    try:
        value = parser.parse_or()
    except IndexError:
        return expression
    return value if parser.at_end else expression


def _split_expression(expression: str) -> list[str] | None:
    words, position, text = [], 0, expression.rstrip()
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            return None
        words.append(match[1])
        position = match.end()
    return words


class _Expression:
    """Fold by the grammar of pytest's expressions: ``or``, ``and``, ``not``, parentheses, words.

    :raises IndexError: if the words end too early.
    """

    def __init__(self, words: Sequence[str], label: str, labels: Sequence[str]) -> None:
        self._words = list(words)
        self._label = label
        self._labels = labels

    @property
    def at_end(self) -> bool:
        return not self._words

    def parse_or(self) -> str | bool:
        values = [self._parse_and()]
        while self._take("or"):
            values.append(self._parse_and())
        if True in values:
            return True
        return " or ".join(value for value in values if isinstance(value, str)) or False

    def _parse_and(self) -> str | bool:
        values = [self._parse_not()]
        while self._take("and"):
            values.append(self._parse_not())
        if False in values:
            return False
        return " and ".join(value for value in values if isinstance(value, str)) or True

    def _parse_not(self) -> str | bool:
        if self._take("not"):
            value = self._parse_not()
            return not value if isinstance(value, bool) else f"not {value}"
        if self._take("("):
            value = self.parse_or()
            if not self._take(")"):
                raise IndexError
            return value if isinstance(value, bool) else f"({value})"
        word = self._words.pop(0)
        if word in ("or", "and", ")"):
            raise IndexError
        if word in self._labels:
            return word == self._label
        name, image = _split_nodeid(word, self._labels)
        if not image:
            return word
        return image == self._label and (name or True)

    def _take(self, word: str) -> bool:
        if self._words[:1] != [word]:
            return False
        del self._words[0]
        return True
