"""``-k`` expressions that name images: an image's label is true on that image and false on the others."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

# The operands and operators of pytest's -k, with the characters of labels.
_WORD = re.compile(r"[\w:+\-.\[\]\\/@~]+")


def split_nodeid(word: str, labels: Sequence[str]) -> tuple[str, str]:
    """Return a node id and the image in brackets at its end; the whole word and nothing if there is none."""
    text, last = split_brackets(word)
    return (text, last) if last in labels else (word, "")


def split_brackets(word: str) -> tuple[str, str]:
    """Return the text before the brackets that end a word, and their content; all and nothing if there are none."""
    text, bracket, last = word.rpartition("[")
    return (text, last[:-1]) if bracket and last.endswith("]") else (word, "")


def find_image_operands(expression: str, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the operands of a valid expression that name images: ``3.12`` and ``test_a[3.12]``."""
    words = [word for word in _WORD.findall(expression) if word in labels or split_nodeid(word, labels)[1]]
    is_valid = bool(words) and fold_expression(expression, labels[0], labels) != expression
    return tuple(dict.fromkeys(words)) if is_valid else ()


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
        nodeid, image = ("", word[0]) if word[0] in labels else split_nodeid(word[0], labels)
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
