from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from pytest_pyimages.project.project import find_project
from tests.support.project_tree import setuptools_project, write_tree

LEGACY = "[tool.tox]\nlegacy_tox_ini = '''\n[testenv]\ndeps = pytest\n'''"
NATIVE = """
    [tool.tox]
    requires = ["tox>=4.22"]
    env_run_base.deps = ["pytest", "-r{tox_root}/more.txt", {replace = "ref"}, "{env:X}"]
    env_run_base.extras = ["socks"]
    env_run_base.dependency_groups = ["checks"]
    env.lint.deps = ["ruff"]
    [dependency-groups]
    checks = ["mock"]
"""
GENERATED = """
    [testenv]
    deps =
        pytest>=8  # the runner
        # not this
        py27: mock
        py{38,39}-old: enum34
        test,cov: hypothesis
        cov:
        {[base]deps}
        {env:NOTHING}
        {env:TRIO:trio}
        -r{toxinidir}/requirements-{envname}.txt
        -c{toxinidir}/constraints.txt
        attrs @ https://h/a.zip
    [base]
    deps = freezegun
"""


@pytest.mark.parametrize(
    ("files", "requirements", "extras", "requirement_files", "origin"),
    [
        pytest.param(
            {"tox.ini": GENERATED},
            ["pytest>=8", "hypothesis", "freezegun", "trio", "attrs @ https://h/a.zip"],
            [],
            [],
            "testenv (tox.ini)",
            id="lines",
        ),
        pytest.param(
            {"tox.ini": "[testenv]\ndeps = -rmore.txt\n  --requirement {tox_root}/more.txt\n -e .[socks]\n shop[fast]"},
            [],
            ["socks", "fast"],
            ["more.txt"],
            "testenv (tox.ini)",
            id="files-and-the-project",
        ),
        pytest.param(
            {"tox.ini": "[testenv]\nextras =\n  socks\n  fast\n[testenv:test]\ndeps = pytest"},
            ["pytest"],
            ["socks", "fast"],
            [],
            "testenv (tox.ini), tox environment test (tox.ini)",
            id="base-and-test-environment",
        ),
        pytest.param(
            {"tox.ini": "[tox]\n[testenv:lint]\ndeps=ruff\n[testenv:unit]\ndeps=nose\n[testenv:docs]\ndeps=pytest"},
            ["nose"],
            [],
            [],
            "unit (tox.ini)",
            id="test-environment-alone",
        ),
        pytest.param(
            {"setup.cfg": "[tox:tox]\n[testenv]\ndeps = pytest"},
            ["pytest"],
            [],
            [],
            "testenv (setup.cfg)",
            id="setup.cfg",
        ),
        pytest.param(
            {"tox.toml": "[env_run_base]\ndeps = ['pytest']"},
            ["pytest"],
            [],
            [],
            "env_run_base (tox.toml)",
            id="tox.toml",
        ),
        pytest.param(
            {"tox.toml": '[env.test]\ndeps = "pytest\\nmock"'},
            ["pytest", "mock"],
            [],
            [],
            "test (tox.toml)",
            id="one-text",
        ),
        pytest.param(
            {"pyproject.toml": setuptools_project(LEGACY)}, ["pytest"], [], [], "testenv (pyproject.toml)", id="legacy"
        ),
        pytest.param(
            {"pyproject.toml": setuptools_project(NATIVE)},
            ["pytest", "mock"],
            ["socks"],
            ["more.txt"],
            "env_run_base (pyproject.toml)",
            id="native",
        ),
    ],
)
def test_test_environments_are_read(
    tmp_path: Path,
    files: dict[str, str],
    requirements: list[str],
    extras: list[str],
    requirement_files: list[str],
    origin: str,
) -> None:
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(), "more.txt": "pytest", **files})
    project = find_project(tmp_path)
    assert requirements == list(project.requirements)
    assert extras == list(project.extras)
    assert requirement_files == [path.relative_to(tmp_path).as_posix() for path in project.requirement_files]
    assert f"tox environment {origin}" == project.origin


@pytest.mark.parametrize(
    "text",
    [
        "[testenv]\ncommands = pytest",
        "[testenv]\ndeps = coverage\n  tox",
        "[testenv:lint]\ndeps = pytest",
        "[testenv]\ndeps = {[testenv]deps}",
        "[testenv]\ndeps = {[gone]deps}",
        "[tox]\nenvlist = py",
    ],
)
def test_other_environments_are_ignored(tmp_path: Path, text: str) -> None:
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(), "tox.ini": dedent(text)})
    assert ". (pyproject.toml)" == find_project(tmp_path).origin


EXTRAS = """
[project.optional-dependencies]
crypto = ["cryptography"]
yaml = ["PyYAML"]
[dependency-groups]
tests = ["pytest"]
more = ["hypothesis"]
"""


@pytest.mark.parametrize(
    ("text", "extras", "requirements"),
    [
        pytest.param(
            "[tox]\nenvlist = lint, py{39,310}-{crypto,nocrypto}\n[testenv]\nextras =\n crypto: crypto",
            ["crypto"],
            ["pytest"],
            id="extra of the first environment",
        ),
        pytest.param(
            "[tox]\nenv_list =\n py3{9-14}{-yaml,}-mypy\n py3{9-14}-yaml-unit\n"
            "[testenv]\nextras =\n yaml: yaml, crypto",
            ["yaml", "crypto"],
            ["pytest"],
            id="an environment named after tests comes first",
        ),
        pytest.param(
            "[tox]\nenvlist = py39,py39-crypto\n[testenv]\nextras =\n crypto: crypto\n !crypto: yaml",
            ["yaml"],
            ["pytest"],
            id="one without factors",
        ),
        pytest.param(
            "[tox]\nenvlist = py39-crypto,py39-min\n[testenv]\nextras =\n crypto-!min,yaml: crypto\n min: yaml",
            ["crypto"],
            ["pytest"],
            id="several parts",
        ),
        pytest.param(
            "[tox]\nenvlist = py39-more\n[testenv]\ndependency_groups =\n tests\n more: more",
            [],
            ["pytest", "hypothesis"],
            id="group",
        ),
        pytest.param(
            "[tox]\nenvlist = py{38,39}-fast-old\n[testenv]\n"
            "extras = crypto\ndependency_groups = tests\n"
            "deps =\n fast: numpy\n fast: mock>=3\n old: Django<3\n old: attrs==19.1\n fast: -rmore.txt\n slow: nose",
            ["crypto"],
            ["pytest", "numpy", "mock>=3"],
            id="no old versions",
        ),
        pytest.param(
            "[testenv]\nextras =\n crypto: crypto\ndependency_groups = tests",
            [],
            ["pytest"],
            id="no list of environments",
        ),
    ],
)
def test_lines_of_the_first_test_environment_apply(
    tmp_path: Path, text: str, extras: list[str], requirements: list[str]
) -> None:
    text += "" if "dependency_groups" in text else "\ndependency_groups = tests"
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(EXTRAS), "tox.ini": text, "more.txt": "nose"})
    project = find_project(tmp_path)
    assert list(project.extras) == extras
    assert sorted(project.requirements) == sorted(requirements)


def test_conditions_of_unit_tests(tmp_path: Path) -> None:
    """As pyparsing's: a condition with a Python that it leaves out."""
    text = (
        "[tox]\nenvlist = py39-unit,py310-{unit,doctest}\n[testenv]\ndeps =\n unit: pytest\n unit-!py315t: hypothesis"
    )
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(), "tox.ini": text})
    assert find_project(tmp_path).requirements == ("pytest", "hypothesis")
