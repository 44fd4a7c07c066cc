"""Find the distributions that a suite cannot be collected without: those that its conftests import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import canonicalize_name

from pytest_pyimages.project.distributions import find_distribution
from pytest_pyimages.project.requirements import parse_requirement

CONFTESTS = ("conftest.py", "tests/conftest.py", "test/conftest.py", "testing/conftest.py", "src/conftest.py")


def find_imported_distributions(root: Path) -> frozenset[str]:
    """Return the normalised names of distributions whose modules the conftests in their usual places import.

    Imports that a conftest can do without are left out: those in ``try``, ``if`` or a function. A module of the
    project's own looks like any other; no place lists a distribution of its name.
    """
    modules = {module for name in CONFTESTS for module in _find_modules(root / name)}
    found = (parse_requirement(find_distribution(module)) for module in modules)
    return frozenset(canonicalize_name(requirement.name) for requirement in found if requirement is not None)


def _find_modules(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports unconditionally, and those that ``pytest_plugins`` names."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Assign) and any(getattr(to, "id", "") == "pytest_plugins" for to in node.targets):
            constants = (each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant))
            yield from (module for module in constants if isinstance(module, str))
