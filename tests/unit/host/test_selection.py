"""The arguments of each image, by the node ids and expressions that name images."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pytest_pyimages.host.selection import fold_expression, selects_tests, split_by_image
from tests.support.invocations import make_invocation

LABELS = ALL = ("3.12", "3.14-slim", "registry.example:5000/python:3.13")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        pytest.param("t.py::a -x", dict.fromkeys(ALL, "t.py::a -x"), id="no image named"),
        pytest.param("--py-images=3.12 't.py::a[3.14-slim]'", {"3.14-slim": "t.py::a"}, id="one"),
        pytest.param(
            "'t.py::a[registry.example:5000/python:3.13]'",
            {"registry.example:5000/python:3.13": "t.py::a"},
            id="reference",
        ),
        pytest.param("'t.py::a[1-x][3.12]' -v", {"3.12": "t.py::a[1-x] -v"}, id="parameter"),
        pytest.param("'t.py::a[3.12][3.12]'", {"3.12": "t.py::a[3.12]"}, id="parameter like a label"),
        pytest.param(
            "'t.py::a[3.12' 't.py::b[3.99]' 't.py::c[]'",
            dict.fromkeys(ALL, "t.py::a[3.12 t.py::b[3.99] t.py::c[]"),
            id="no label",
        ),
        pytest.param(
            "'t.py::a[3.12]' 't.py::b[3.14-slim]' 't.py::c[3.12]'",
            {"3.12": "t.py::a t.py::c", "3.14-slim": "t.py::b"},
            id="each its own",
        ),
        pytest.param(
            "'t.py::a[3.12]' u.py",
            {"3.12": "t.py::a u.py", "3.14-slim": "u.py", ALL[2]: "u.py"},
            id="without a label to all",
        ),
        pytest.param("-x -- 't.py::a[3.12]'", {"3.12": "-x -- t.py::a"}, id="after --"),
        pytest.param("'t.py[3.12]'", {"3.12": "t.py"}, id="file"),
        pytest.param("'[3.12]' -x", {"3.12": "-x"}, id="a whole image"),
        pytest.param("'[3.12]' 't.py::a[3.12]'", {"3.12": ""}, id="a whole image and more"),
        pytest.param(
            "--deselect 't.py::a[3.12]' --deselect=u.py",
            {
                "3.12": "--deselect=t.py::a --deselect=u.py",
                "3.14-slim": "--deselect=u.py",
                ALL[2]: "--deselect=u.py",
            },
            id="deselect",
        ),
        pytest.param("--deselect '[3.12]'", {"3.14-slim": "", ALL[2]: ""}, id="deselect an image"),
        pytest.param("-xk 3.12 -q", {"3.12": "-x -k 3.12 -q -k ''"}, id="-k of one image"),
        pytest.param(
            "-k 'not 3.12' -- t.py",
            {"3.14-slim": "-k 'not 3.12' -k '' -- t.py", ALL[2]: "-k 'not 3.12' -k '' -- t.py"},
            id="-k of the others",
        ),
        pytest.param("-k 3.12 -k spam", dict.fromkeys(ALL, "-k 3.12 -k spam"), id="the last -k counts"),
        pytest.param("-m 3.12 --co", dict.fromkeys(ALL, "-m 3.12 --co"), id="a marker is none"),
    ],
)
def test_split_by_image(typed: str, expected: dict[str, str]) -> None:
    found = split_by_image(make_invocation(typed), LABELS)
    assert found == {label: tuple(shlex.split(args)) for label, args in expected.items()}


def test_configured_arguments_are_split_too() -> None:
    """Containers read addopts and PYTEST_ADDOPTS unchanged; arguments of the command line override them."""
    found = split_by_image(
        make_invocation("t.py", addopts="-k 3.12 --deselect 't.py::a[3.12]' --deselect u.py"), LABELS
    )
    assert found == {"3.12": ("t.py", "--deselect=t.py::a", "-k", "")}


def test_an_existing_path_is_not_split(tmp_path: Path) -> None:
    (tmp_path / "data[3.12]").mkdir()
    asked = make_invocation("'data[3.12]'", cwd=tmp_path)
    assert set(split_by_image(asked, LABELS)) == set(LABELS)


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
    ("typed", "expected"),
    [
        ("", False),
        ("tests", False),
        ("tests -x .", False),
        ("tests -k a", True),
        ("tests t.py", True),
        ("t.py::a", True),
    ],
)
def test_selects_tests(tmp_path: Path, typed: str, expected: bool) -> None:
    (tmp_path / "tests").mkdir()
    assert selects_tests(make_invocation(typed, cwd=tmp_path)) is expected
