"""Evaluate expressions of a Python source without running it, as far as they are literals."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


class Unknown:
    """A value that only a run could tell."""


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an expression: a string, number, list (also for tuples and sets), dict, or Unknown."""

    value: object
    is_complete: bool = True  # nothing was left out, and nothing that may or may not run changes it

    @property
    def is_known(self) -> bool:
        return not isinstance(self.value, Unknown)


UNKNOWN = Value(Unknown(), is_complete=False)
Names = Mapping[str, Value]


def evaluate(node: ast.expr, names: Names) -> Value:
    """Return the value of an expression; of lists and dicts the known entries."""
    reader = _READERS.get(type(node))
    return reader(node, names) if reader else UNKNOWN


def add_values(first: Value, second: Value) -> Value:
    """Concatenate two values; keep the known one if the other is unknown."""
    is_complete = first.is_complete and second.is_complete
    for kind in (list, str):
        if isinstance(first.value, kind) and isinstance(second.value, kind):
            return Value(first.value + second.value, is_complete)  # type: ignore[operator]  # both are of this kind
    if isinstance(first.value, dict) and isinstance(second.value, dict):
        return Value({**first.value, **second.value}, is_complete)
    for value in (first, second):
        if isinstance(value.value, (list, dict)):
            return replace(value, is_complete=False)
    return UNKNOWN


def _read_constant(node: ast.Constant, _: Names) -> Value:
    return Value(node.value)


def _read_name(node: ast.Name, names: Names) -> Value:
    return names.get(node.id, UNKNOWN)


def _read_sum(node: ast.BinOp, names: Names) -> Value:
    return (
        add_values(evaluate(node.left, names), evaluate(node.right, names)) if isinstance(node.op, ast.Add) else UNKNOWN
    )


def _read_entry(node: ast.Subscript, names: Names) -> Value:
    whole, key = evaluate(node.value, names), evaluate(node.slice, names)
    if isinstance(whole.value, dict) and isinstance(key.value, str) and key.value in whole.value:
        return Value(whole.value[key.value], whole.is_complete)
    return UNKNOWN


def _read_sequence(node: ast.List | ast.Tuple | ast.Set, names: Names) -> Value:
    found: list[object] = []
    is_complete = True
    for entry in node.elts:
        value = evaluate(entry.value if isinstance(entry, ast.Starred) else entry, names)
        is_complete = is_complete and value.is_complete
        if not isinstance(entry, ast.Starred):
            found += [value.value] if value.is_known else []
        elif isinstance(value.value, list):
            found += value.value
    return Value(found, is_complete)


def _read_dict(node: ast.Dict, names: Names) -> Value:
    return _make_dict([None if key is None else evaluate(key, names) for key in node.keys], node.values, names)


def _make_dict(keys: Sequence[Value | None], nodes: Sequence[ast.expr], names: Names) -> Value:
    """Return a dict of these entries; a key None stands for ``**``."""
    found: dict[str, object] = {}
    is_complete = True
    for key, node in zip(keys, nodes, strict=True):
        value = evaluate(node, names)
        is_complete = is_complete and value.is_complete
        if key is None and isinstance(value.value, dict):
            found.update(value.value)
        elif key is not None and isinstance(key.value, str) and value.is_known:
            found[key.value] = value.value
        else:
            is_complete = False
    return Value(found, is_complete)


def _read_call(node: ast.Call, names: Names) -> Value:
    """Evaluate dict(a=…), list(…), and methods of a literal string such as split()."""
    function = node.func
    if isinstance(function, ast.Name):
        if function.id == "dict" and not node.args:
            keys = [None if word.arg is None else Value(word.arg) for word in node.keywords]
            return _make_dict(keys, [word.value for word in node.keywords], names)
        value = evaluate(node.args[0], names) if len(node.args) == 1 else UNKNOWN
        return value if function.id in {"list", "tuple", "sorted"} and isinstance(value.value, list) else UNKNOWN
    if isinstance(function, ast.Attribute) and not node.args and not node.keywords:
        value = evaluate(function.value, names)
        method = _STRING_METHODS.get(function.attr)
        if method is not None and isinstance(value.value, str):
            return replace(value, value=method(value.value))
    return UNKNOWN


_STRING_METHODS: Mapping[str, Callable[[str], object]] = {
    "split": str.split,
    "splitlines": str.splitlines,
    "strip": str.strip,
}
_READERS: Mapping[type[ast.expr], Callable[[Any, Names], Value]] = {
    ast.Constant: _read_constant,
    ast.Name: _read_name,
    ast.BinOp: _read_sum,
    ast.Subscript: _read_entry,
    ast.List: _read_sequence,
    ast.Tuple: _read_sequence,
    ast.Set: _read_sequence,
    ast.Dict: _read_dict,
    ast.Call: _read_call,
}
