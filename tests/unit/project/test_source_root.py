"""The folder that containers get: never the whole file system or the home folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.project import Project, find_project
from pytest_pyimages.project.source_root import find_source_root
from tests.support.golden import message


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
    with pytest.raises(ConfigurationError) as caught:
        find_source_root(project_at(home), home, home / cwd)
    hint = message("project", "cd") + (", or name it with --rootdir" if cwd else "")
    assert str(caught.value) == message("project", "home-folder", home=home, hint=hint)


def test_above_the_home_folder(home: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_source_root(project_at(home.parent), home.parent, home.parent)
    hint = message("project", "cd")
    assert str(caught.value) == message("project", "above-home-folder", root=home.parent, hint=hint)


@pytest.mark.parametrize("name", ["pyproject.toml", "pytest.ini", "setup.py"])
def test_a_home_folder_that_is_a_project(home: Path, name: str) -> None:
    (home / name).write_text("")
    assert find_source_root(project_at(home), home, home) == home


def test_a_checkout_of_the_home_folder_is_not_one(home: Path) -> None:
    (home / ".git").mkdir()
    with pytest.raises(ConfigurationError) as caught:
        find_source_root(project_at(home), home, home)
    assert str(caught.value) == message("project", "home-folder", home=home, hint=message("project", "cd"))


def test_the_whole_file_system(home: Path) -> None:
    shop, root = home / "shop", Path(home.anchor)
    cwd, hint = Path("/nonexistent/elsewhere"), message("project", "cd")
    with pytest.raises(ConfigurationError) as caught:
        find_source_root(project_at(shop), shop, cwd)
    fields = {"root": root, "rootdir": shop, "cwd": cwd, "hint": f"{hint}, or name it with --rootdir"}
    assert str(caught.value) == message("project", "nothing-in-common", **fields)
    with pytest.raises(ConfigurationError) as caught:
        find_source_root(project_at(shop), root, root)
    assert str(caught.value) == message("project", "whole-file-system", root=root, hint=hint)


def test_a_package_that_is_far_from_the_project(home: Path) -> None:
    """Containers get neither the home folder nor the whole file system for it."""
    (home / "lib").mkdir()
    shop = home / "shop"
    (shop / "requirements-test.txt").write_text("pytest\n-e ../lib\n")
    with pytest.raises(ConfigurationError) as caught:
        find_source_root(project_at(shop), shop, shop)
    assert str(caught.value) == message("project", "far-package", root=shop, package=home / "lib", common=home)


def test_a_package_that_does_not_exist_makes_the_folder_no_larger(home: Path) -> None:
    shop = home / "shop"
    source = '[project]\nname = "shop"\n[tool.uv.sources]\nlib = {path = "../lib"}\n'
    (shop / "pyproject.toml").write_text(source)
    assert find_source_root(project_at(shop), shop, shop) == shop


def test_the_user_names_the_folder_of_a_monorepo_without_git(home: Path) -> None:
    shop = home / "shop"
    assert find_source_root(project_at(shop / "tests"), shop / "tests", shop / "tests", shop / "tests" / "..") == shop


@pytest.mark.parametrize("above", ["shop/tests/deeper", "other"])
def test_a_named_folder_must_hold_the_project(home: Path, above: str) -> None:
    shop = home / "shop"
    (home / "other").mkdir()
    with pytest.raises(ConfigurationError, match=r"py_images_root: .* is not a folder that holds"):
        find_source_root(project_at(shop), shop, shop, home / above)


def test_a_named_folder_is_not_the_home_folder(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="containers would get"):
        find_source_root(project_at(home / "shop"), home / "shop", home / "shop", home)
