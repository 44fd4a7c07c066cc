"""What of a project would install a distribution."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.project.providers import Provider, find_provider
from tests.support.project_tree import setuptools_project, write_tree

TABLES = """
    [project.optional-dependencies]
    all = ["shop[x]"]
    x = ["PyYAML>=6"]
    [dependency-groups]
    docs = ["sphinx"]
    [tool.poetry.group.checks.dependencies]
    mock = "*"
"""
LOCK = 'version = 1\n[[package]]\nname = "faker"\nversion = "1"\nsource = {registry = "https://h"}\n'


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        ("pyyaml", Provider("extra all", ".[all]")),
        ("mock", Provider("poetry group checks", "mock")),
        ("Faker", Provider("uv.lock", "faker")),
        ("sphinx", Provider("group docs", "--group docs")),
        ("nothing", None),
    ],
)
def test_provider(tmp_path: Path, distribution: str, expected: Provider | None) -> None:
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(TABLES), "uv.lock": LOCK})
    assert find_provider(tmp_path, distribution) == expected


def test_broken_group_provides_nothing(tmp_path: Path) -> None:
    """It was of no interest to the run."""
    write_tree(tmp_path, {"pyproject.toml": setuptools_project("[dependency-groups]\na = [{include-group = 'none'}]")})
    assert find_provider(tmp_path, "pyyaml") is None
