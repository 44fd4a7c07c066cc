"""The folder that containers get: never the whole file system or the home folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.project import Project, find_project, find_source_root


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "users" / "me"
    (folder / "shop" / "tests").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    return folder


def project_at(folder: Path) -> Project:
    return find_project(folder, ini={})


def test_a_folder_below_the_home_folder(home: Path) -> None:
    shop = home / "shop"
    assert find_source_root(project_at(shop), shop, shop / "tests") == shop


@pytest.mark.parametrize("cwd", ["", "shop"])
def test_the_home_folder_itself(home: Path, cwd: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        find_source_root(project_at(home), home, home / cwd)
    assert refused.value.message == f"--py-images: containers would see your home folder, {home}"
    assert refused.value.hint == "cd into the project's folder" + (", or name it with --rootdir" if cwd else "")


def test_above_the_home_folder(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="and your home folder in it"):
        find_source_root(project_at(home.parent), home.parent, home.parent)


@pytest.mark.parametrize("name", ["pyproject.toml", "pytest.ini", "setup.py"])
def test_a_home_folder_that_is_a_project(home: Path, name: str) -> None:
    (home / name).write_text("")
    assert find_source_root(project_at(home), home, home) == home


def test_a_checkout_of_the_home_folder_is_not_one(home: Path) -> None:
    (home / ".git").mkdir()
    with pytest.raises(ConfigurationError, match="your home folder"):
        find_source_root(project_at(home), home, home)


def test_the_whole_file_system(home: Path) -> None:
    shop, root = home / "shop", Path(home.anchor)
    with pytest.raises(ConfigurationError) as refused:
        find_source_root(project_at(shop), shop, Path("/nonexistent/elsewhere"))
    told = f"the whole file system ({shop} and /nonexistent/elsewhere have nothing else in common)"
    assert refused.value.message == f"--py-images: containers would get {root}, {told}"
    with pytest.raises(ConfigurationError, match=r"/, the whole file system · cd"):
        find_source_root(project_at(shop), root, root)
