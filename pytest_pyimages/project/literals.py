"""Evaluate expressions of a Python source without running it, as far as they are literals."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Unknown:
    """A value that only a run would know."""


class Value(NamedTuple):
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
    found = UNKNOWN
    match node:
        case ast.Constant(value=value):
            found = Value(value)
        case ast.Name(id=name):
            found = names.get(name, UNKNOWN)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            found = add_values(evaluate(left, names), evaluate(right, names))
        case ast.Subscript():
            whole, key = evaluate(node.value, names), evaluate(node.slice, names)
            if isinstance(whole.value, dict) and isinstance(key.value, str) and key.value in whole.value:
                found = Value(whole.value[key.value], whole.is_complete)
        case ast.List(elts=entries) | ast.Tuple(elts=entries) | ast.Set(elts=entries):
            found = _read_entries(entries, names)
        case ast.Dict():
            keys = [None if key is None else evaluate(key, names) for key in node.keys]
            found = _make_dict(keys, node.values, names)
        case ast.Call():
            found = _read_call(node, names)
    return found


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
            return value._replace(is_complete=False)
    return UNKNOWN


def _read_entries(entries: Sequence[ast.expr], names: Names) -> Value:
    found: list[object] = []
    is_complete = True
    for entry in entries:
        value = evaluate(entry.value if isinstance(entry, ast.Starred) else entry, names)
        is_complete = is_complete and value.is_complete
        if not isinstance(entry, ast.Starred):
            found += [value.value] if value.is_known else []
        elif isinstance(value.value, list):
            found += value.value
    return Value(found, is_complete)


def _make_dict(keys: Sequence[Value | None], nodes: Sequence[ast.expr], names: Names) -> Value:
    """Return a dict of these entries; the key None means ``**``."""
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
    match node:
        case ast.Call(func=ast.Name(id="dict"), args=[]):
            keys = [None if word.arg is None else Value(word.arg) for word in node.keywords]
            return _make_dict(keys, [word.value for word in node.keywords], names)
        case ast.Call(func=ast.Name(id="list" | "tuple" | "sorted"), args=[argument]):
            value = evaluate(argument, names)
            return value if isinstance(value.value, list) else UNKNOWN
        case ast.Call(func=ast.Attribute(value=text, attr=method), args=[], keywords=[]):
            value = evaluate(text, names)
            if method in _STRING_METHODS and isinstance(value.value, str):
                return value._replace(value=_STRING_METHODS[method](value.value))
    return UNKNOWN


_STRING_METHODS: Mapping[str, Callable[[str], object]] = {
    "split": str.split,
    "splitlines": str.splitlines,
    "strip": str.strip,
}
