"""What was found first is completed by what the test environments and the conftests need beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.project.project import Project, find_project
from tests.support.project_tree import setuptools_project, write_tree

GROUP = """
    [dependency-groups]
    test = ["pytest>=8"]
    more = ["faker"]
    [project.optional-dependencies]
    x = ["pyyaml"]
    y = ["numpy"]
"""
TOX = "[testenv]\n"


def find(root: Path, tables: str, **files: str) -> Project:
    named = {name.replace("_", "."): text for name, text in files.items()}
    return find_project(write_tree(root, {"pyproject.toml": setuptools_project(tables), **named}))


@pytest.mark.parametrize(
    ("tables", "files", "extras", "requirements"),
    [
        pytest.param(GROUP, {"tox_ini": f"{TOX}dependency_groups = test\nextras = x"}, ("x",), (), id="tox"),
        pytest.param(GROUP, {"tox_ini": f"{TOX}extras = x,y"}, ("x", "y"), (), id="tox-without-the-group"),
        pytest.param(GROUP, {"tox_ini": f"{TOX}extras = nothing, x"}, ("x",), (), id="unknown-extra"),
        pytest.param(GROUP, {"tox_ini": f"{TOX}dependency_groups = more"}, (), ("faker",), id="tox-another-group"),
        pytest.param(GROUP, {"tox_ini": f"{TOX}deps = mock"}, (), (), id="another-way-to-the-tests"),
        pytest.param(GROUP, {"tox_ini": "[testenv:docs]\nextras = x"}, (), (), id="tox-docs"),
        pytest.param(
            GROUP,
            {"tox_ini": f"{TOX}dependency_groups = test\ndeps = mock\n  pytest\n  -r none.txt\nextras = x"},
            ("x",),
            ("mock",),
            id="tox-all-at-once",
        ),
        pytest.param(
            GROUP,
            {"tox_toml": 'env_run_base.dependency_groups = ["test"]\nenv_run_base.extras = ["x"]'},
            ("x",),
            (),
            id="toml",
        ),
        pytest.param(
            GROUP,
            {
                "tox_toml": 'env_run_base.dependency_groups = ["test"]\nenv.dev.dependency_groups = ["more"]'
                '\nenv.dev.commands = [["uv", "pip", "tree"]]'
            },
            (),
            (),
            id="toml-development",
        ),
        pytest.param(
            GROUP,
            {"tox_ini": f"{TOX}dependency_groups = test\n[testenv:dev]\nextras = x\ncommands ="},
            (),
            (),
            id="tox-development",
        ),
        pytest.param(
            GROUP,
            {"tox_ini": f"{TOX}extras = x\n[testenv:dev]\nextras = x, y\ndeps = mock\ncommands = pip list"},
            ("x",),
            (),
            id="tox-development-with-the-extra-of-the-tests",
        ),
        pytest.param(
            GROUP,
            {"tox_ini": f"{TOX}dependency_groups = test\n[testenv:ci]\nextras = x\ncommands = python -m pytest"},
            ("x",),
            (),
            id="tox-development-that-runs-the-tests",
        ),
        pytest.param(
            GROUP,
            {"tox_ini": f"{TOX}dependency_groups = test\ncommands = pytest\n[testenv:ci]\nextras = x"},
            ("x",),
            (),
            id="tox-inherited-command",
        ),
        pytest.param(
            GROUP,
            {"noxfile_py": "@nox.session\ndef tests(s):\n    s.install('.[x]', '--group', 'test', 'mock')"},
            ("x",),
            ("mock",),
            id="nox",
        ),
        pytest.param(
            GROUP + "[tool.hatch.envs.default]\nfeatures = ['x']\ndependency-groups = ['test', 'more']",
            {},
            ("x",),
            ("faker",),
            id="hatch-default",
        ),
        pytest.param(GROUP + "[tool.hatch.envs.test]\nfeatures = ['y']", {}, ("y",), (), id="hatch-test"),
        pytest.param(GROUP + "[tool.hatch.envs.dev]\nfeatures = ['y']", {}, (), (), id="hatch-development"),
    ],
)
def test_test_environments_complete_the_group(
    tmp_path: Path, tables: str, files: dict[str, str], extras: tuple[str, ...], requirements: tuple[str, ...]
) -> None:
    project = find(tmp_path, tables, **files)
    assert (project.extras, project.requirements) == (extras, ("pytest>=8", *requirements))


def test_extras_complete_a_file(tmp_path: Path) -> None:
    files = {
        "requirements-test_txt": "pytest",
        "more_txt": "mock",
        "tox_ini": f"{TOX}deps = -r requirements-test.txt\n  -r more.txt\nextras = x",
    }
    project = find(tmp_path, "[project.optional-dependencies]\nx = ['pyyaml']", **files)
    assert project.extras == ("x",)
    assert project.requirement_files == (tmp_path / "requirements-test.txt", tmp_path / "more.txt")
    assert project.origin == "-r requirements-test.txt, tox environment testenv (tox.ini)"


DEV = "[dependency-groups]\ntest = ['pytest']\ndev = [{include-group = 'test'}, 'faker', 'ruff']\n"


@pytest.mark.parametrize(
    ("tables", "conftest", "groups", "extras"),
    [
        pytest.param(DEV, "import faker", ("dev",), (), id="dev-includes-test"),
        pytest.param(DEV, "from faker.proxy import Faker", ("dev",), (), id="from"),
        pytest.param(DEV, "pytest_plugins = ['faker.contrib.pytest']", ("dev",), (), id="pytest-plugins"),
        pytest.param(DEV, "import os, json, shop, pytest", ("test",), (), id="nothing-missing"),
        pytest.param(DEV, "try:\n    import faker\nexcept ImportError: pass", ("test",), (), id="optional"),
        pytest.param(DEV, "def f():\n    import faker", ("test",), (), id="late"),
        pytest.param(DEV, "import (", ("test",), (), id="no-python"),
        pytest.param(
            "[dependency-groups]\ntest = ['pytest']\ndev = ['PyYAML']",
            "import yaml",
            ("test", "dev"),
            (),
            id="dev-beside-test",
        ),
        pytest.param(
            "[project.optional-dependencies]\ntest = ['pytest']\ndev = ['shop[test]', 'faker']",
            "import faker",
            (),
            ("dev",),
            id="extra",
        ),
    ],
)
def test_imports_of_conftest_decide(
    tmp_path: Path, tables: str, conftest: str, groups: tuple[str, ...], extras: tuple[str, ...]
) -> None:
    write_tree(tmp_path, {"tests/conftest.py": conftest})
    project = find(tmp_path, tables)
    assert (project.groups, project.extras) == (groups, extras)


def test_dependencies_of_the_project_are_not_missing(tmp_path: Path) -> None:
    tables = "[project.optional-dependencies]\ntest = ['pytest']\ndev = ['faker']"
    write_tree(
        tmp_path,
        {"conftest.py": "import faker", "pyproject.toml": setuptools_project(tables, dependencies="['faker']")},
    )
    assert find_project(tmp_path).extras == ("test",)
