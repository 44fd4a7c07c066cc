"""Whether a suite's tests may have parameters that are named like an image, as far as its source shows."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_pyimages.host.invocation import Invocation
from pytest_pyimages.host.suite_options import CONFTEST

# Folders that pytest does not search, or seldom ("norecursedirs").
_SKIPPED = frozenset("build dist node_modules venv __pycache__".split())
_MOST_FILES = 5_000  # reading them takes about a second


def may_have_parameter(nodeid: str, label: str, invocation: Invocation) -> bool:
    """Return whether a test may have a parameter of that name, as ``label`` or as a part of its brackets.

    :param nodeid: of the test, without the brackets that may name the parameter.
    """
    name, _, names = nodeid.partition("::")
    if "[" in names:
        return not names.endswith("]")  # the brackets are complete, so those after them are the image
    path = invocation.cwd / name
    sources = [_read(path), *(_read(folder / CONFTEST) for folder in path.parents)]
    if any(label in source or "pytest_generate_tests" in source for source in sources):
        return True
    return _is_parametrized(sources[0], set(names.split("::")))


def _is_parametrized(source: str, names: set[str]) -> bool:
    """Return whether decorators of these classes and functions, or the module's marks, make parameters."""
    try:
        tree = ast.parse(source)
    except (ValueError, SyntaxError, RecursionError):
        return False
    marks: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name in names:
            marks += node.decorator_list
        elif isinstance(node, ast.Assign) and "pytestmark" in map(ast.unparse, node.targets):
            marks.append(node.value)
    return any("parametrize" in ast.unparse(mark) for mark in marks)


def mentions_any(words: Sequence[str], invocation: Invocation) -> bool:
    """Return whether Python files of the suite contain one of these words; True if there are too many files."""
    paths = [invocation.cwd / path.partition("::")[0] for path in invocation.typed.paths] or [invocation.rootdir]
    for number, path in enumerate(path for start in paths for path in _find_sources(start)):
        source = _read(path)
        if number >= _MOST_FILES or any(word in source for word in words):
            return True
    return False


def _find_sources(start: Path) -> Iterator[Path]:
    if os.path.isfile(start):  # noqa: PTH113 - any text of the command line
        yield start
    for folder, folders, files in os.walk(start):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        yield from (Path(folder, name) for name in files if name.endswith(".py"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
