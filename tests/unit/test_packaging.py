"""The project's metadata agree with the code, and what is tested is what was installed."""

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pytest_pyimages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = {
    canonicalize_name(requirement.name): requirement
    for requirement in map(
        Requirement,
        (*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)),
    )
}
PACKAGE = Path(pytest_pyimages.__file__).parent
# Run by the image's Python: what is imported there is the suite's, not the host's.
IN_CONTAINERS = "inside"
OTHER_NAMES = {"_pytest": "pytest", "xdist": "pytest-xdist"}
STANDARD = {*sys.stdlib_module_names, "tomllib", "typing_extensions"}  # the last one for type checkers, which have it


def imports_of(module: Path) -> set[str]:
    """Return the top-level names of the modules that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def host_modules() -> list[Path]:
    """Return the modules that the host's Python runs."""
    return [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != IN_CONTAINERS]


def test_imports_are_declared_dependencies() -> None:
    """A dependency of a dependency may go away: each distribution that is imported is declared, and no other."""
    imported = {name for module in host_modules() for name in imports_of(module)} - STANDARD - {"pytest_pyimages"}
    assert {canonicalize_name(OTHER_NAMES.get(name, name)) for name in imported} | {"pytest-xdist"} == set(DECLARED)


def test_minimum_versions_are_those_declared() -> None:
    lines = (ROOT / "tests" / "minimum.txt").read_text(encoding="utf-8").splitlines()
    pins = {pin.name: str(pin.specifier) for pin in map(Requirement, (line for line in lines if line[0] != "#"))}
    lowest = {
        name: next(f"=={part.version}" for part in requirement.specifier if part.operator == ">=")
        for name, requirement in DECLARED.items()
    }
    assert pins == lowest


def test_classifiers_name_every_python_that_ci_tests() -> None:
    prefix = "Programming Language :: Python :: 3."
    minors = sorted(int(line.removeprefix(prefix)) for line in PROJECT["classifiers"] if line.startswith(prefix))
    assert minors == list(range(10, 16))
    assert PROJECT["requires-python"] == f">=3.{minors[0]}"


def test_the_installed_package_is_tested() -> None:
    """Under tox the wheel, although the source is in the folder that pytest was started in."""
    expected = os.environ.get("TOX_ENV_DIR", str(ROOT))
    assert PACKAGE.is_relative_to(expected)
    assert {Path(module.__file__ or "").is_relative_to(expected) for module in loaded_modules()} == {True}


def loaded_modules() -> list[Any]:
    """Return the modules of the package that are loaded."""
    return [module for name, module in sys.modules.items() if name.split(".")[0] == "pytest_pyimages"]


@pytest.mark.parametrize("name", ["Homepage", "Documentation", "Changelog", "Issues"])
def test_the_package_index_links_to_the_project(name: str) -> None:
    assert PROJECT["urls"][name].startswith("https://github.com/")


def test_pre_commit_has_the_versions_of_tox() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    pins = {Requirement(pin) for pin in re.findall(r"(?:ruff|codespell)==[\w.]+", hooks)}
    ranges = re.findall(r"(?:ruff|codespell)~=[\w.]+", (ROOT / "tox.ini").read_text(encoding="utf-8"))
    allowed = {requirement.name: requirement.specifier for requirement in map(Requirement, ranges)}
    assert {pin.name for pin in pins} == set(allowed) == {"codespell", "ruff"}
    assert all(next(iter(pin.specifier)).version in allowed[pin.name] for pin in pins)
