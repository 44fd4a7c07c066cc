"""The public names: what hooks receive is frozen, exported and documented."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import pytest_pyimages
from pytest_pyimages import hookspecs
from pytest_pyimages.immutable import Immutable
from tests.support.results import make_result

DOCUMENTATION = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
VALUES = [name for name in pytest_pyimages.__all__ if dataclasses.is_dataclass(getattr(pytest_pyimages, name))]
MUTABLE = {"list", "dict", "set", "bytearray", "defaultdict"}


def test_there_are_few_names() -> None:
    assert 0 < len(pytest_pyimages.__all__) <= 8
    assert pytest_pyimages.__version__


def test_every_name_is_documented() -> None:
    assert sorted(re.findall(r"^\| `(\w+)` \|", DOCUMENTATION, re.MULTILINE)) == sorted(pytest_pyimages.__all__)


@pytest.mark.parametrize("name", VALUES)
def test_documented_fields_exist(name: str) -> None:
    row = next(line for line in DOCUMENTATION.splitlines() if line.startswith(f"| `{name}` |"))
    fields = {field.name for field in dataclasses.fields(getattr(pytest_pyimages, name))}
    documented = set(re.findall(r"`(\w+)`", row)) - {name}
    assert documented
    assert documented <= fields


@pytest.mark.parametrize("name", VALUES)
def test_values_are_frozen(name: str) -> None:
    value = getattr(pytest_pyimages, name)
    assert issubclass(value, Immutable)
    annotations = {field.name: set(re.findall(r"\w+", str(field.type))) for field in dataclasses.fields(value)}
    assert {field: words & MUTABLE for field, words in annotations.items() if words & MUTABLE} == {}


def test_the_mappings_of_a_result_are_read_only() -> None:
    result = make_result("3.12", {"test_a": "passed"})
    mappings = [
        value for field in dataclasses.fields(result) if isinstance(value := getattr(result, field.name), Mapping)
    ]
    assert len(mappings) == 9
    for mapping in mappings:
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["a"] = 1  # type: ignore[index]  # what a hook might try


def test_hooks_receive_public_types() -> None:
    tree = ast.parse(inspect.getsource(hookspecs))
    hooks = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    annotations = [
        note for hook in hooks for note in (*(each.annotation for each in hook.args.args), hook.returns) if note
    ]
    names = {node.id for note in annotations for node in ast.walk(note) if isinstance(node, ast.Name)}
    assert len(hooks) == 5
    assert names - {"dict", "str", "Any"} <= set(pytest_pyimages.__all__)
    assert set(VALUES) <= names


def test_a_name_that_is_not_public() -> None:
    with pytest.raises(AttributeError, match="'pytest_pyimages' has no attribute 'Settings'"):
        pytest_pyimages.__getattr__("Settings")
