"""``-k`` expressions, folded for one image."""

from __future__ import annotations

import pytest

from pytest_pyimages.host.expressions import find_image_operands, fold_expression

LABELS = ("3.12", "3.14-slim", "registry.example:5000/python:3.13")


@pytest.mark.parametrize(
    ("expression", "here", "elsewhere"),
    [
        ("spam or eggs", "spam or eggs", "spam or eggs"),
        ("3.12", True, False),
        ("[3.12]", True, False),
        ("test_a[3.12]", "test_a", False),
        ("test_a[1][3.12]", "test_a[1]", False),
        ("spam and 3.12", "spam", False),
        ("3.12 and (spam or eggs)", "(spam or eggs)", False),
        ("3.12 or spam", True, "spam"),
        ("not 3.12", False, True),
        ("not (3.12 and spam)", "not spam", True),
        ("not 3.12 or spam and not eggs", "(spam and not eggs)", True),
        ("spam and not 3.12 or ham", "ham", "(spam or ham)"),
        ("not not 3.12", True, False),
        ("3.12 and 3.14-slim", False, False),
        ("3.12 or 3.14-slim", True, False),
        ("3.1", "3.1", "3.1"),
        ("3.12 spam", "3.12 spam", "3.12 spam"),
        ("(3.12", "(3.12", "(3.12"),
        ("3.12 and", "3.12 and", "3.12 and"),
        ("3.12 or ) or spam", "3.12 or ) or spam", "3.12 or ) or spam"),
        ("3.12 & spam", "3.12 & spam", "3.12 & spam"),
        ("3.12 and 'spam'", "3.12 and 'spam'", "3.12 and 'spam'"),
        ("not (spam or eggs) and 3.12", "not (spam or eggs)", False),
        ("(spam or eggs and not ham) and not 3.12", False, "(spam or (eggs and not ham))"),
        ("3.12 and a·b", "3.12 and a·b", "3.12 and a·b"),  # an identifier of Python's
        ("3.12 and spam #x", "3.12 and spam #x", "3.12 and spam #x"),
        ("", "", ""),
    ],
)
def test_fold_expression(expression: str, here: str | bool, elsewhere: str | bool) -> None:
    assert fold_expression(expression, "3.12", LABELS) == here
    assert fold_expression(expression, "registry.example:5000/python:3.13", LABELS) == elsewhere


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("3.12 and test_a[3.14-slim] or 3.12", ("3.12", "test_a[3.14-slim]")),
        ("spam", ()),
        ("3.12 and", ()),
        ("3.12 # comment", ()),
        ("", ()),
    ],
)
def test_find_image_operands(expression: str, expected: tuple[str, ...]) -> None:
    assert find_image_operands(expression, LABELS) == expected
