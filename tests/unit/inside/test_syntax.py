"""What runs in containers is written in the syntax that Python 2.7 has as well, which neither ruff nor mypy knows."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

INSIDE = Path(__file__).parents[3] / "pytest_pyimages" / "inside"
NEWER = (
    *(ast.AnnAssign, ast.AsyncFor, ast.AsyncFunctionDef, ast.AsyncWith, ast.Await, ast.JoinedStr, ast.MatMult),
    *(ast.Match, ast.NamedExpr, ast.Nonlocal, ast.Starred, ast.YieldFrom),
)
STRING = re.compile(r"(?i)(b?r?|u)['\"]")  # lexical analysis, in Python 2.7's reference: br, but not rb


def find_newer(text: str) -> Iterator[str]:
    """Yield the line and the kind of each construct that Python 2.7 does not have."""
    tree = ast.parse(text)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    old = {id(call.args[-1]) for call in calls if isinstance(call.args[-1], ast.Starred)}
    for node in ast.walk(tree):
        if is_newer(node) and id(node) not in old:
            yield f"{node.lineno}: {type(node).__name__}"  # type: ignore[attr-defined] # all of these have one
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_string = token.type == tokenize.STRING
        if (is_string and not STRING.match(token.string)) or (token.type == tokenize.NUMBER and "_" in token.string):
            yield f"{token.start[0]}: {token.string}"
    if not text.isascii() and not re.match(r"(.*\n)?#.*coding[=:]", text):  # PEP 263
        yield "1: no coding"


def is_newer(node: ast.AST) -> bool:
    match node:
        case ast.FunctionDef(args=arguments):
            every = (*arguments.args, arguments.vararg, arguments.kwarg)
            annotations = [node.returns, *(argument.annotation for argument in every if argument)]
            return any((*annotations, arguments.kwonlyargs, arguments.posonlyargs))
        case ast.ClassDef(keywords=keywords):
            return bool(keywords)
        case ast.Call(keywords=keywords):
            return any(keyword.arg is None for keyword in keywords[:-1])
        case ast.Raise(cause=cause):
            return cause is not None
        case ast.Dict(keys=keys):
            return None in keys
    return isinstance(node, NEWER)


MODULES = [pytest.param(path, id=str(path.relative_to(INSIDE))) for path in sorted(INSIDE.rglob("*.py"))]


@pytest.mark.parametrize("path", MODULES)
def test_a_module_is_for_python_2_as_well(path: Path) -> None:
    assert list(find_newer(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "x = rb'x'",
        "x = f'{y}'",
        "x: int = 1",
        "def f(x: int): pass",
        "def f(*, x): pass",
        "def f() -> int: pass",
        "class A(metaclass=B): pass",
        "raise A from None",
        "x = {**y}",
        "f(*x, *y)",
        "f(*x, y)",
        "f(**x, **y)",
        "x, *y = z",
        "x = 1_000",
        "x = 'ü'",
        "def f():\n    x = yield from y",
        "def f():\n    nonlocal x",
        "if x := y: pass",
    ],
)
def test_newer_syntax_is_found(text: str) -> None:
    assert list(find_newer(text))


def test_old_syntax_is_not() -> None:
    assert list(find_newer("# coding: utf-8\nx = u'ü' + br'x' + b'' + r''\nf(x, *y, z=1, **a)\nraise A\n")) == []
