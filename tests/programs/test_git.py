"""What git says of a checkout: the version that a build is told, and when an image is built anew."""

from __future__ import annotations

import os
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.engines.base import ImageInfo
from pytest_pyimages.images.recipe import Recipe, make_recipe, read_content
from pytest_pyimages.project.project import find_project
from pytest_pyimages.project.settings.configuration import ImageConfiguration
from tests.support.project_tree import write_tree

# It is not annotated, being for Python 2.7 as well.
INSTALLER: Any = import_module("pytest_pyimages.inside.installer.project")
BASE = ImageInfo(id="sha256:base", digests=(), platform="linux/amd64", environment={}, labels={}, size=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project"


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=shop", "-c", "user.email=shop@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def recipe(root: Path) -> Recipe:
    project = find_project(root)
    return make_recipe(project, ImageConfiguration(), read_content(project))


@pytest.fixture
def environment(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    write_tree(root, {"shop/__init__.py": "x = 1\n"})
    monkeypatch.chdir(root)
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], "GIT_CEILING_DIRECTORIES": str(tmp_path)}


def prepare_build(root: Path, environment: dict[str, str], *, is_checkout: bool, **version: object) -> str:
    if is_checkout:
        git(root, "init", "-q")
        git(root, "commit", "-q", "--allow-empty", "-m", "one")
    job = {
        "name": "container",
        "build": "container",
        "root": "/project",
        "distribution": "shop",
        "kind": "editable",
        "packages": {},
    }
    return str(INSTALLER.prepare_build({**job, "version": {**version, "is_certain": False}}, environment, has_uv=True))


@pytest.mark.parametrize("is_checkout", [True, False])
def test_a_version_that_only_git_knows_is_noted_where_there_is_no_git(
    root: Path, environment: dict[str, str], is_checkout: bool
) -> None:
    note = "add git to py_images_apt"
    found = prepare_build(root, environment, is_checkout=is_checkout, variables={}, note=note)
    assert found == ("" if is_checkout else note)


@pytest.mark.parametrize("is_checkout", [True, False])
def test_git_s_own_word_goes_before_what_is_not_certain(
    root: Path, environment: dict[str, str], is_checkout: bool
) -> None:
    prepare_build(root, environment, is_checkout=is_checkout, variables={"SHOP_VERSION": "1.5"})
    assert ("SHOP_VERSION" in Path(environment["UV_CONFIG_FILE"]).read_text()) is not is_checkout
    assert "directory = *" in (Path(environment["HOME"]) / ".gitconfig").read_text()


PROJECT = """
[build-system]
requires = ["setuptools"{requires}]
build-backend = "setuptools.build_meta"
[project]
name = "shop"
{version}
"""


def test_a_tag_rebuilds_where_the_version_comes_from_git_and_a_commit_does_not(root: Path) -> None:
    write_tree(root, {"pyproject.toml": PROJECT.format(requires="", version='version = "1.0"'), "shop/__init__.py": ""})
    git(root, "init", "-q")
    git(root, "commit", "-q", "--allow-empty", "-m", "one")
    git(root, "tag", "v1.0")
    assert not any(name == "git describe" for name, _ in recipe(root).content)
    dynamic = PROJECT.format(requires=', "setuptools-scm"', version='dynamic = ["version"]')
    write_tree(root, {"pyproject.toml": dynamic})
    before = recipe(root).compute_digest(BASE)
    git(root, "commit", "-q", "--allow-empty", "-m", "two")
    assert recipe(root).compute_digest(BASE) == before
    git(root, "tag", "v1.1")
    assert recipe(root).compute_digest(BASE) != before
