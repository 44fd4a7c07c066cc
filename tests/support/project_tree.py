"""Small project folders for the tests of what is found in them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent


def write_tree(root: Path, files: dict[str, str]) -> Path:
    """Write files below a folder, by their paths; indentation that all lines share is taken out. Return the folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return root


def setuptools_project(tables: str = "", *, dependencies: str = "[]") -> str:
    """Return a pyproject.toml for setuptools, with further tables."""
    return (
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        f'[project]\nname = "shop"\nversion = "1"\ndependencies = {dependencies}\n' + dedent(tables)
    )
