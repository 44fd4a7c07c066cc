"""Which images the command line selects: node ids and ``-k`` expressions that name images.

A test is shown as ``tests/test_a.py::test_x[3.14-slim]``, so that is what users paste. The last brackets are removed
for that image, and other images do not get the node id. An image that nothing selects is left out.
"""

from __future__ import annotations

import ast
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
# The operands and operators of pytest's -k, with the characters of labels.
_WORD = re.compile(r"[\w:+\-.\[\]\\/@~]+")


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
    operands: list[str | bool] = []
    found: set[str] = set()

    def name_operand(word: re.Match[str]) -> str:
        if word[0] in ("and", "or", "not"):
            return word[0]
        nodeid, image = ("", word[0]) if word[0] in labels else _split_nodeid(word[0], labels)
        operands.append(nodeid if not image else image == label and (nodeid or True))
        found.add(image)
        return f"_{len(operands) - 1}"

    text = _WORD.sub(name_operand, expression)
    if not any(found) or "#" in expression:  # a comment for Python, an error for pytest
        return expression
    try:
        return _fold(ast.parse(text.strip(), mode="eval").body, operands)
    except (SyntaxError, TypeError, ValueError):
        return expression


def _fold(node: ast.expr, operands: Sequence[str | bool]) -> str | bool:
    """Return a part of an expression without the operands that are true or false.

    :raises TypeError: for other operators than those of ``-k``.
    :raises ValueError: for words that only Python accepts, such as ``a·b``.
    """
    if isinstance(node, ast.Name):
        return operands[int(node.id.removeprefix("_"))]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        value = _fold(node.operand, operands)
        return f"not {value}" if isinstance(value, str) else not value
    if not isinstance(node, ast.BoolOp):
        raise TypeError(node)
    decisive = isinstance(node.op, ast.Or)
    values = [_fold(value, operands) for value in node.values]
    if decisive in values:
        return decisive
    texts = [value for value in values if isinstance(value, str)]
    joined = (" or " if decisive else " and ").join(texts)
    return (f"({joined})" if len(texts) > 1 else joined) or not decisive
