"""A project's lock file as a part of the project and of its images' digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.engines.base import ImageInfo
from pytest_pyimages.images.recipe import make_recipe, read_content
from pytest_pyimages.project.project import Project, find_project
from pytest_pyimages.project.settings.configuration import ImageConfiguration
from tests.support.project_tree import setuptools_project, write_tree

BASE = ImageInfo(id="sha256:base", digests=(), platform="linux/amd64", environment={}, labels={}, size=1)
GROUP = '[dependency-groups]\ntest = ["six>=1", {include-group = "more"}]\nmore = ["attrs"]\n'


def uv_lock(*names: str) -> str:
    entry = '[[package]]\nname = "{}"\nversion = "1.0"\nsource = {{ registry = "https://index.example" }}\n'
    return 'version = 1\nrequires-python = ">=3.9"\n' + "".join(entry.format(name) for name in names)


def digest(project: Project) -> str:
    return make_recipe(project, ImageConfiguration(), read_content(project)).compute_digest(BASE)


def constraints(project: Project) -> tuple[str, ...]:
    assert project.lock is not None
    return project.lock.constraints


def test_all_installed_packages_are_pinned(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "pyproject.toml": setuptools_project(GROUP, dependencies='["idna"]'),
            "uv.lock": uv_lock("attrs", "idna", "six", "sphinx", "shop"),
        },
    )
    project = find_project(tmp_path)
    assert constraints(project) == ("attrs==1.0", "idna==1.0", "six==1.0")
    assert project.origin == "group test (pyproject.toml), versions of uv.lock"
    assert project.install == ("--group test",)
    assert make_recipe(project, ImageConfiguration(), ()).lock == project.lock


def test_requirements_of_files_are_pinned(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "requirements-test.txt": "pytest\n-r requirements/six.txt\n",
            "requirements/six.txt": "six\n",
            "uv.lock": uv_lock("idna", "six"),
        },
    )
    assert constraints(find_project(tmp_path)) == ("six==1.0",)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"requirements-test.txt": "pytest\ngit+https://git.example/more\n"}, id="a line with an address"),
        pytest.param(
            {"pyproject.toml": '[build-system]\nrequires = []\n[project]\nname = "shop"\ndynamic = ["dependencies"]'},
            id="dependencies that only a build can tell",
        ),
    ],
)
def test_all_packages_are_pinned_if_some_requirements_are_unknown(tmp_path: Path, files: dict[str, str]) -> None:
    write_tree(tmp_path, {**files, "uv.lock": uv_lock("idna", "pytest")})
    assert constraints(find_project(tmp_path)) == ("idna==1.0", "pytest==1.0")


def test_py_images_install_is_pinned_too(tmp_path: Path) -> None:
    """It says what is installed, and the lock file in which version; a version that it names goes before."""
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(), "uv.lock": uv_lock("idna", "six", "attrs")})
    project = find_project(tmp_path, ini={"py_images_install": ["idna", "six==2"]})
    assert constraints(project) == ("idna==1.0",)
    assert project.origin == "idna, six==2 (py_images_install), versions of uv.lock (out of date for six)"
    assert project.install == ("idna", "six==2")
    assert find_project(tmp_path, ini={"py_images_install": "idna", "py_images_versions": "free"}).lock is None


def test_notes_on_lock_files_are_kept(tmp_path: Path) -> None:
    write_tree(tmp_path, {"requirements.txt": "pytest\n", "uv.lock": "version = 9\n"})
    project = find_project(tmp_path)
    assert project.lock is None
    assert project.notes == ("uv.lock: format version 9 is not known; versions are chosen without it",)


@pytest.mark.parametrize(
    ("edit", "rebuilds"),
    [
        pytest.param(("attrs", "1.1"), True, id="a version that is installed"),
        pytest.param(("sphinx", "1.1"), False, id="a version that is not"),
        pytest.param((">=3.9", ">=3.10"), True, id="the Pythons that it is for"),
        pytest.param(("index.example", "mirror.example"), False, id="where it is from"),
    ],
)
def test_the_digest_follows_the_versions(tmp_path: Path, edit: tuple[str, str], rebuilds: bool) -> None:
    lock = uv_lock("attrs", "idna", "six", "sphinx")
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(GROUP), "uv.lock": lock})
    before = digest(find_project(tmp_path))
    old, new = edit
    if new == "1.1":
        old, new = f'name = "{old}"\nversion = "1.0"', f'name = "{old}"\nversion = "1.1"'
    assert old in lock
    write_tree(tmp_path, {"uv.lock": lock.replace(old, new)})
    assert (digest(find_project(tmp_path)) != before) is rebuilds


def test_the_digest_follows_whether_the_lock_is_required(tmp_path: Path) -> None:
    write_tree(tmp_path, {"requirements.txt": "pytest\n", "uv.lock": uv_lock("pytest")})
    digests = {digest(find_project(tmp_path, ini={"py_images_versions": value})) for value in ("", "locked", "free")}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("files", "install"),
    [
        pytest.param(
            {"pyproject.toml": setuptools_project('[project.optional-dependencies]\ntest = ["pytest"]')},
            (".[test]",),
            id="an extra",
        ),
        pytest.param(
            {"pyproject.toml": setuptools_project(), "requirements/test.txt": "pytest\nidna\n"},
            ("-r requirements/test.txt",),
            id="a file",
        ),
        pytest.param({"pyproject.toml": setuptools_project()}, (), id="nothing but the project"),
        pytest.param(
            {"pyproject.toml": '[tool.poetry]\nname = "shop"\n[tool.poetry.group.test.dependencies]\npytest = "^8"\n'},
            ("pytest>=8,<9",),
            id="requirements",
        ),
        pytest.param(
            {"tox.ini": "[testenv]\ndeps =\n    pytest-mock\n    idna ; python_version > '3'\n"},
            ("pytest-mock", "idna ; python_version > '3'"),
            id="requirements with markers",
        ),
    ],
)
def test_discovered_requirements_can_be_written_as_py_images_install(
    tmp_path: Path, files: dict[str, str], install: tuple[str, ...]
) -> None:
    """The user who adds one thing to it gets all the rest as before."""
    write_tree(tmp_path, files)
    project = find_project(tmp_path)
    assert project.install == install
    again = find_project(tmp_path, ini={"py_images_install": list(install)})
    assert (again.extras, again.groups, again.requirements, again.requirement_files) == (
        *(project.extras, project.groups, project.requirements, project.requirement_files),
    )
