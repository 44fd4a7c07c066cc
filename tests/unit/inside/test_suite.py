"""The process that pytest runs in: what is imported before there is a job, and what makes a container useless then."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.inside.worker import suite as worker_module

suite: Any = worker_module  # without annotations, as Python 2.7 wants it


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the project's root, of which Python has a folder on its path."""
    source = tmp_path / "project" / "src"
    source.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(source), *sys.path, f"{tmp_path}/project-2"])
    return source.parent


def test_pytest_is_imported_without_a_look_at_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Finder:
        """As that of an editable installation."""

        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            seen.append(name)

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    monkeypatch.setitem(sys.path_importer_cache, str(project / "src"), None)
    monkeypatch.delitem(sys.modules, suite.__name__.replace("suite", "silence"), raising=False)
    path, finders = [*sys.path], [*sys.meta_path]
    suite.import_pytest(str(project))
    assert suite.__name__.replace("suite", "silence") in sys.modules
    assert seen == []
    assert sys.path == path
    assert sys.meta_path == finders
    assert str(project / "src") not in sys.path_importer_cache


def test_nothing_is_left_of_a_pytest_that_cannot_be_imported(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pytest's own dependencies may be the project."""
    name = suite.__name__.replace("suite", "silence")
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "_pytest.runner", None)  # cannot be imported
    known = {*sys.modules}
    suite.import_pytest(str(project))
    assert {*sys.modules} == known


@pytest.mark.parametrize(
    ("path", "is_used"),
    [("src/cart.py", False), ("src/sitecustomize.py", True), ("src/usercustomize/__init__.py", True)],
)
def test_a_module_that_the_start_of_python_imports_must_be_none_of_the_project(
    project: Path, path: str, is_used: bool
) -> None:
    (project / path).parent.mkdir(exist_ok=True)
    (project / path).touch()
    assert suite.is_project_used(str(project)) is is_used


@pytest.mark.parametrize(
    ("file", "is_used"),
    [("src/started.py", True), ("../project-2/started.py", False), (None, False)],
)
def test_a_module_that_is_imported_already_must_be_none_of_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch, file: str | None, is_used: bool
) -> None:
    """Such as one that a line of a .pth file imports."""
    module = types.ModuleType("started")
    module.__file__ = file and str(project / file)
    monkeypatch.setitem(sys.modules, "started", module)
    monkeypatch.setitem(sys.modules, "missing", None)
    assert suite.is_project_used(str(project)) is is_used


def test_an_archive_on_the_path_must_not_be_one_of_the_project(project: Path) -> None:
    sys.path.append(str(project / "wheel.zip"))
    assert suite.is_project_used(str(project))
    assert not suite.is_project_used(str(project.parent / "other"))
