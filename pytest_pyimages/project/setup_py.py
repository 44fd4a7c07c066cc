"""Read the arguments of setup() from the text of a setup.py; nothing of it is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.project.literals import UNKNOWN, Names, Value, add_values, evaluate

# Arguments of setup() and names of compiling libraries: with one of them a setup.py compiles.
_COMPILING_ARGUMENTS = frozenset({"ext_modules", "cffi_modules", "rust_extensions"})
_COMPILING_NAMES = _COMPILING_ARGUMENTS | {
    *("Extension", "RustExtension", "Pybind11Extension", "CMakeExtension", "CppExtension", "nanobind_extension"),
    *("cythonize", "mypycify", "build_ext", "has_ext_modules", "has_c_libraries"),
    *("import Cython", "import cffi", "import mypyc", "import nanobind", "import pybind11", "import setuptools_rust"),
    *("import skbuild", "import numpy"),  # numpy: its headers
}
_COMPILING_TEXT = re.compile(
    rf"^[^#\n]*\b(?:{'|'.join(sorted(_COMPILING_ARGUMENTS))}|Extension\s*\(|cythonize)", re.MULTILINE
)
_BUILD_MARKS = (b"setuptools", b"distutils", b"skbuild", b"setup(")
_REQUIREMENTS_FILE = re.compile(r"[\w./-]*req[\w./-]*\.(?:txt|in)")


class SetupScript(Immutable):
    """The literals in the text of a setup.py; empty if there is none."""

    is_present: bool = True
    arguments: Mapping[str, object] = field(default_factory=dict)  # of setup(), if literal; entries may be missing
    keywords: frozenset[str] = frozenset()  # the names of all arguments
    complete: frozenset[str] = frozenset()  # the arguments without missing entries
    is_closed: bool = False  # no argument of setup() is hidden in a value that is not literal
    compiles: bool = False
    mentions: tuple[str, ...] = ()  # requirements files that it names, to read them when it runs

    def get_strings(self, name: str) -> tuple[str, ...]:
        """Return a list argument; a string in place of a list is split into lines, as setuptools does."""
        value = self.arguments.get(name)
        if isinstance(value, str):
            value = [line.strip() for line in value.splitlines()]
        return tuple(entry for entry in value if isinstance(entry, str) and entry) if isinstance(value, list) else ()

    def get_text(self, name: str) -> str:
        """Return a string argument; empty if it is none."""
        value = self.arguments.get(name)
        return value if isinstance(value, str) else ""


def read_setup_script(path: Path) -> SetupScript:
    """Read a setup.py without running it. One that this Python cannot parse is empty."""
    try:
        data = path.read_bytes()
    except OSError:
        return SetupScript(is_present=False)
    if not any(mark in data for mark in _BUILD_MARKS):
        return SetupScript(is_present=False)  # a program of the project's own that happens to have this name
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # null bytes; nested too deeply for the parser
        return SetupScript(compiles=bool(_COMPILING_TEXT.search(data.decode("latin-1"))))
    reader = _Reader()
    reader.read(tree.body)
    return SetupScript(
        arguments={name: value.value for name, value in reader.arguments.items() if value.is_known},
        keywords=frozenset(reader.arguments),
        complete=frozenset(name for name, value in reader.arguments.items() if value.is_known and value.is_complete),
        is_closed=reader.calls == 1 and reader.is_closed,
        compiles=_compiles(tree, reader.arguments),
        mentions=tuple(_find_mentions(tree)),
    )


def _compiles(tree: ast.Module, arguments: Names) -> bool:
    empty = {name for name, value in arguments.items() if value.is_complete and not value.value}
    return any(not empty.issuperset(_find_compiling_names(node)) for node in ast.walk(tree))


def _find_compiling_names(node: ast.AST) -> frozenset[str]:
    """Return the names in one node that mean compiling."""
    names: tuple[str, ...] = ()
    if isinstance(node, ast.Name):
        names = (node.id,)
    elif isinstance(node, ast.Attribute):
        names = (node.attr,)
    elif isinstance(node, ast.keyword):
        names = (node.arg or "",)
    elif isinstance(node, ast.Import):
        names = tuple(f"import {alias.name.partition('.')[0]}" for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        names = (f"import {(node.module or '').partition('.')[0]}",)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in _COMPILING_ARGUMENTS:
        names = (node.value,)
    return _COMPILING_NAMES.intersection(names)


def _find_mentions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and len(text) < 200 and _REQUIREMENTS_FILE.fullmatch(text):
            yield text


class _Reader:
    """Follows assignments from top to bottom, in one namespace, up to the call of setup()."""

    def __init__(self) -> None:
        self.names: dict[str, Value] = {}
        self.arguments: dict[str, Value] = {}
        self.is_closed = True
        self.calls = 0
        self._certain = True  # the statement at hand runs whenever the script does

    def read(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self._read(statement)

    def _read(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, self._evaluate(node.value))
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(node.target, self._evaluate(node.value))
        elif isinstance(node, ast.AugAssign):
            self._assign(node.target, add_values(self._evaluate(node.target), self._evaluate(node.value)))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            self._read_call(node.value)
        elif isinstance(node, (ast.FunctionDef, ast.With)) or (isinstance(node, ast.If) and _is_main_check(node.test)):
            self.read(node.body)
        elif isinstance(node, (ast.If, ast.For, ast.While, ast.Try)):
            self._read_uncertain(node)

    def _read_uncertain(self, node: ast.If | ast.For | ast.While | ast.Try) -> None:
        before, self._certain = self._certain, False
        self.read(node.body)
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                self.read(handler.body)
            self.read(node.finalbody)
        self.read(node.orelse)
        self._certain = before

    def _evaluate(self, node: ast.expr) -> Value:
        return evaluate(node, self.names)

    def _assign(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            before = self.names.get(target.id)
            if not self._certain and before is not None and before.is_known and (before.value or not value.is_known):
                value = before  # a value that surely ran tells more than one that may
            self.names[target.id] = value._replace(is_complete=value.is_complete and self._certain)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            whole, key = self.names.get(target.value.id, UNKNOWN), self._evaluate(target.slice)
            entries = {key.value: value.value} if isinstance(key.value, str) and value.is_known else {}
            self._add(target.value.id, Value(entries, value.is_complete and isinstance(whole.value, dict)))

    def _add(self, name: str, more: Value) -> None:
        total = add_values(self.names.get(name, UNKNOWN), more)
        self.names[name] = total._replace(is_complete=total.is_complete and self._certain)

    def _read_call(self, node: ast.Call) -> None:
        function = node.func
        if _is_setup(function):
            self._read_setup(node)
        elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            if function.value.id not in self.names:
                return
            more = self._evaluate(node.args[0]) if len(node.args) == 1 else UNKNOWN
            if function.attr == "append" and more.is_known:
                more = more._replace(value=[more.value])
            self._add(function.value.id, more if function.attr in {"append", "extend", "update"} else UNKNOWN)

    def _read_setup(self, node: ast.Call) -> None:
        self.calls += 1
        for keyword in node.keywords:
            value = self._evaluate(keyword.value)
            if keyword.arg is not None:
                self.arguments[keyword.arg] = value
            elif isinstance(value.value, dict):
                self.is_closed = self.is_closed and value.is_complete
                for name, entry in value.value.items():
                    self.arguments[str(name)] = Value(entry, value.is_complete)
            else:
                self.is_closed = False


def _is_main_check(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and "__main__" in ast.dump(test)


def _is_setup(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr == "setup" and ast.unparse(function.value) in {"setuptools", "distutils.core", "skbuild"}
    return isinstance(function, ast.Name) and function.id == "setup"
