from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.project import find_project
from tests.support.golden import message
from tests.support.project_tree import setuptools_project, write_tree

Ini = dict[str, str | list[str]]


@pytest.mark.parametrize(
    ("ini", "requirements", "origin"),
    [
        pytest.param(
            {"required_plugins": "pytest-django>=3,<5 trio"},
            ["pytest-django>=3,<5", "trio"],
            "required_plugins",
            id="required",
        ),
        pytest.param({"required_plugins": ["pytest-mock"]}, ["pytest-mock"], "required_plugins", id="list"),
        pytest.param({"addopts": "-ra --strict-markers -p no:cacheprovider --doctest-modules"}, [], "", id="builtin"),
        pytest.param({"addopts": "--cov=shop --cov-report term"}, ["pytest-cov"], "addopts", id="cov"),
        pytest.param({"addopts": "-n auto"}, ["pytest-xdist"], "addopts", id="n"),
        pytest.param({"addopts": ["-n4", "--dist=loadscope"]}, ["pytest-xdist"], "addopts", id="n4"),
        pytest.param({"addopts": "--timeout 60"}, ["pytest-timeout"], "addopts", id="timeout"),
        pytest.param({"addopts": "--reruns 2"}, ["pytest-rerunfailures"], "addopts", id="reruns"),
        pytest.param({"addopts": "--benchmark-skip"}, ["pytest-benchmark"], "addopts", id="benchmark"),
        pytest.param({"addopts": "--randomly-seed=1"}, ["pytest-randomly"], "addopts", id="randomly"),
        pytest.param(
            {"addopts": "-p randomly -p xdist -pno:cov"}, ["pytest-randomly", "pytest-xdist"], "addopts", id="p"
        ),
        pytest.param({"addopts": "-p shop.plugin -p pytester"}, [], "", id="own-plugin"),
        pytest.param({"addopts": "--mypy --html=x.html"}, ["pytest-mypy", "pytest-html"], "addopts", id="several"),
        pytest.param({"addopts": "--snapshot-warn-unused"}, ["syrupy"], "addopts", id="snapshot"),
        pytest.param(
            {"addopts": "--doctest-plus --black --flake8"},
            ["pytest-doctestplus", "pytest-black", "pytest-flake8"],
            "addopts",
            id="checks",
        ),
        pytest.param({"addopts": "--reuse-db --ds=x"}, ["pytest-django"], "addopts", id="django-options"),
        pytest.param({"asyncio_mode": "auto"}, ["pytest-asyncio"], "asyncio_mode", id="asyncio_mode"),
        pytest.param({"DJANGO_SETTINGS_MODULE": "x"}, ["pytest-django"], "DJANGO_SETTINGS_MODULE", id="django"),
        pytest.param({"env": "A=1"}, ["pytest-env"], "env", id="env"),
        pytest.param({"timeout": "3"}, ["pytest-timeout"], "timeout", id="timeout-key"),
        pytest.param({"anyio_mode": "auto"}, ["anyio"], "anyio_mode", id="anyio"),
        pytest.param({"testpaths": "tests", "markers": "env: x", "filterwarnings": ["error"]}, [], "", id="own-keys"),
    ],
)
def test_the_pytest_configuration_requires_plugins(
    tmp_path: Path, ini: Ini, requirements: list[str], origin: str
) -> None:
    project = find_project(write_tree(tmp_path, {"test_a.py": ""}), ini=ini)
    assert requirements == list(project.requirements)
    assert ", ".join(f"{text} ({origin})" for text in requirements) == project.origin


@pytest.mark.parametrize(
    ("tables", "files"),
    [
        pytest.param("[dependency-groups]\ntest = ['pytest', 'Pytest_Cov']", {}, id="group"),
        pytest.param("[project.optional-dependencies]\ntest = ['pytest-cov[toml]>=4']", {}, id="extra"),
        pytest.param("", {"requirements-test.txt": "-r x.txt", "x.txt": "pytest-cov==5"}, id="file"),
        pytest.param("", {"conftest.py": "def pytest_addoption(parser): parser.addoption('--cov')"}, id="own-option"),
    ],
)
def test_present_plugins_are_not_added(tmp_path: Path, tables: str, files: dict[str, str]) -> None:
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(tables), **files})
    assert "addopts" not in find_project(tmp_path, ini={"addopts": "--cov"}).origin


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-n", "--dist"], "pytest-xdist (-n)"),
        (["--reruns", "-x", "-n"], "pytest-rerunfailures (--reruns), pytest-xdist (-n)"),
        (["-n", "--reruns"], "pytest-rerunfailures (--reruns), pytest-xdist (-n)"),  # the same image
        (["-ptimeout", "-pno:cov"], "pytest-timeout (-p timeout)"),
        (["--tb", "-k"], ""),
    ],
)
def test_command_line_options_require_their_plugin(tmp_path: Path, options: list[str], expected: str) -> None:
    project = find_project(write_tree(tmp_path, {"test_a.py": ""}), options=options)
    assert project.origin == expected
    assert project.install == ()  # it is no part of what the project needs


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"requirements-test.txt": "pytest-xdist"}, id="required"),
        pytest.param({"conftest.py": "def pytest_addoption(parser): parser.addoption('--dist')"}, id="own-option"),
        pytest.param({"tox.ini": "[testenv]\ndeps = pytest-xdist\n"}, id="tox"),
    ],
)
def test_present_plugins_are_not_added_for_command_line_options(tmp_path: Path, files: dict[str, str]) -> None:
    write_tree(tmp_path, files)
    assert "--dist" not in find_project(tmp_path, options=["--dist"]).origin


def test_command_line_plugins_are_added_to_py_images_install(tmp_path: Path) -> None:
    ini = {"py_images_install": "attrs", "addopts": "--cov"}
    project = find_project(write_tree(tmp_path, {"test_a.py": ""}), ini=ini, options=["-n"])
    assert project.requirements == ("attrs", "pytest-xdist")
    assert project.origin == "attrs (py_images_install), pytest-xdist (-n)"
    assert project.install == ("attrs",)


def test_a_plugin_does_not_require_itself(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pyproject.toml": "[project]\nname = 'pytest_timeout'\n[build-system]\nrequires = []"})
    assert () == find_project(tmp_path, ini={"timeout": "3", "required_plugins": "pytest-timeout"}).requirements


PYPROJECT = setuptools_project(
    """
    [project.optional-dependencies]
    test = ["pytest", "mock"]
    fast = ["numpy"]
    [dependency-groups]
    tests = ["hypothesis", "shop[fast]"]
    """
)


@pytest.mark.parametrize(
    ("value", "requirements", "extras", "requirement_files", "groups"),
    [
        pytest.param([".[test]"], [], ["test"], [], [], id="extra"),
        pytest.param(".[test,fast]\n  shop[test]", [], ["test", "fast"], [], [], id="lines"),
        pytest.param(["-e .[test]"], [], ["test"], [], [], id="editable"),
        pytest.param(["."], [], [], [], [], id="the-project"),
        pytest.param([], [], [], [], [], id="nothing"),
        pytest.param("", [], [], [], [], id="empty"),
        pytest.param(["--group tests"], ["hypothesis"], ["fast"], [], ["tests"], id="group"),
        pytest.param(
            ["--group=sub/pyproject.toml:own"], ["trio"], [], [], ["sub/pyproject.toml:own"], id="group-elsewhere"
        ),
        pytest.param(
            ["-r requirements/dev.txt", "-rmore.txt"], [], [], ["requirements/dev.txt", "more.txt"], [], id="files"
        ),
        pytest.param(["--requirement=more.txt", "--requirement more.txt"], [], [], ["more.txt"], [], id="long"),
        pytest.param(
            ["somepkg>=1 ; python_version < '3.9'"], ["somepkg>=1 ; python_version < '3.9'"], [], [], [], id="marker"
        ),
        pytest.param(
            ["-r", "more.txt", "--group", "tests", "-e", ".[test]"],
            ["hypothesis"],
            ["test", "fast"],
            ["more.txt"],
            ["tests"],
            id="words",
        ),
        pytest.param(["a b>=1 'c[x] <2'"], ["a", "b>=1", "c[x] <2"], [], [], [], id="several"),
        pytest.param(
            "-r more.txt --group tests a  # and more",
            ["hypothesis", "a"],
            ["fast"],
            ["more.txt"],
            ["tests"],
            id="mixed",
        ),
    ],
)
def test_py_images_install_replaces_the_discovery(
    tmp_path: Path,
    value: str | list[str],
    requirements: list[str],
    extras: list[str],
    requirement_files: list[str],
    groups: list[str],
) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "more.txt": "attrs",
        "requirements/dev.txt": "attrs",
        "requirements-test.txt": "pytest",
        "sub/pyproject.toml": "[dependency-groups]\nown = ['trio']",
    }
    project = find_project(write_tree(tmp_path, files), ini={"py_images_install": value, "addopts": "--cov"})
    assert "editable" == project.kind
    assert requirements == list(project.requirements)
    assert extras == list(project.extras)
    assert requirement_files == [path.relative_to(tmp_path).as_posix() for path in project.requirement_files]
    assert groups == list(project.groups)
    assert "(py_images_install)" in project.origin


@pytest.mark.parametrize(
    ("value", "name", "fields"),
    [
        pytest.param([".[tset]"], "install-extra", {"extra": "tset", "hint": "did you mean test?"}, id="extra"),
        pytest.param([".[xyz]"], "install-extra", {"extra": "xyz", "hint": "choose from test, fast"}, id="other-extra"),
        pytest.param(["-r gone.txt"], "install-file", {"path": "ROOT/gone.txt", "root": "ROOT"}, id="file"),
        pytest.param(["-r"], "install-no-value", {"option": "-r"}, id="no-file"),
        pytest.param(["attrs", "--group"], "install-no-value", {"option": "--group"}, id="no-group"),
        pytest.param(["--index-url https://h"], "install-entry", {"entry": "--index-url"}, id="option"),
        pytest.param(["../other"], "install-entry", {"entry": "../other"}, id="path"),
        pytest.param(["-e ../other"], "install-entry", {"entry": "../other"}, id="editable"),
        pytest.param(["-e attrs"], "install-entry", {"entry": "attrs"}, id="editable-name"),
        pytest.param(
            ["a 'b"], "open-quotation", {"key": "py_images_install: a 'b", "reason": "No closing quotation"}, id="quote"
        ),
        pytest.param([3], "not-strings", {"key": "py_images_install", "value": "[3]"}, id="number"),
        pytest.param(
            ["--group test"],
            "group-unknown",
            {
                "path": "ROOT/pyproject.toml",
                "group": "test",
                "reason": "Dependency group 'test' not found",
                "similar": "tests",
            },
            id="group",
        ),
    ],
)
def test_an_invalid_py_images_install_is_an_error(
    tmp_path: Path, value: list[str], name: str, fields: dict[str, str]
) -> None:
    write_tree(tmp_path, {"pyproject.toml": PYPROJECT})
    with pytest.raises(ConfigurationError) as caught:
        find_project(tmp_path, ini={"py_images_install": value})
    fields = {key: text.replace("ROOT", str(tmp_path)) for key, text in fields.items()}
    assert str(caught.value) == message("project", name, **fields)


@pytest.mark.parametrize(
    ("ini", "name", "fields"),
    [
        pytest.param({"required_plugins": "pytest-x >= 1"}, "required-plugins", {"word": ">="}, id="spaces"),
        pytest.param(
            {"addopts": "-k 'a"}, "open-quotation", {"key": "addopts", "reason": "No closing quotation"}, id="quote"
        ),
    ],
)
def test_unreadable_pytest_configuration_is_an_error(
    tmp_path: Path, ini: Ini, name: str, fields: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_project(tmp_path, ini=ini)
    assert str(caught.value) == message("project", name, **fields)
