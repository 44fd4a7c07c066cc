"""Hints for modules that a suite could not import."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.project.project import Project, find_project
from pytest_pyimages.project.settings.configuration import read_install_entries
from pytest_pyimages.results.missing_modules import IniFile, MissingModule, MissingModules, parse_missing_module
from tests.support.project_tree import setuptools_project, write_tree

COLLECTION = """ImportError while importing test module '/src/test_it.py'.
Hint: make sure your test modules/packages have valid Python names.
Traceback:
/usr/local/lib/python3.14/importlib/__init__.py:88: in import_module
    return _bootstrap._gcd_import(name[level:], package, level)
test_it.py:1: in <module>
    {statement}
E   ModuleNotFoundError: No module named '{name}'"""
CONFTEST = """ImportError while loading conftest '/src/conftest.py'.
conftest.py:3: in <module>
    from google import protobuf
E   ModuleNotFoundError: No module named 'google'
"""
PLUGIN = """Traceback (most recent call last):
  File "/usr/local/lib/python3.14/site-packages/_pytest/config/__init__.py", line 879, in import_plugin
    __import__(importspec)
ModuleNotFoundError: No module named 'pytest_nothing'

The above exception was the direct cause of the following exception:

ImportError: Error importing plugin "pytest_nothing": No module named 'pytest_nothing'
"""
CHAIN = """shop/__init__.py:2: in <module>
    import upb
E   ModuleNotFoundError: No module named 'upb'

During handling of the above exception, another exception occurred:
test_it.py:1: in <module>
    from shop import messages
shop/__init__.py:4: in <module>
    import google.protobuf
E   ModuleNotFoundError: No module named 'google'"""
CAUSE = """test_it.py:1: in <module>
    import yaml
E   ModuleNotFoundError: No module named 'yaml'

The above exception was the direct cause of the following exception:
test_it.py:3: in <module>
    raise ImportError("shop needs PyYAML") from error
E   ImportError: shop needs PyYAML"""


def collection_error(name: str, statement: str = "") -> str:
    return COLLECTION.format(name=name, statement=statement or f"import {name}")


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        pytest.param(collection_error("requests"), "requests", "requests", id="import"),
        pytest.param(collection_error("a.b", "import a.b.c as x"), "a.b", "a.b.c", id="import of a part"),
        pytest.param(collection_error("a", "from a.b import c"), "a", "a.b.c", id="from import"),
        pytest.param(collection_error("a", "from a import (b, c)"), "a", "a.b", id="from import of several"),
        pytest.param(collection_error("a", "run(import_module(name))"), "a", "a", id="import in some other way"),
        pytest.param(collection_error("a", "import b"), "a", "a", id="import of something else"),
        pytest.param(CONFTEST, "google", "google.protobuf", id="conftest"),
        pytest.param(PLUGIN, "pytest_nothing", "pytest_nothing", id="plugin"),
        pytest.param("E   ImportError: No module named requests.adapters", *2 * ["requests.adapters"], id="Python 2"),
        pytest.param(
            "E   ModuleNotFoundError: No module named 'a.b'; 'a' is not a package", "a.b", "a.b", id="no package"
        ),
        pytest.param("ERROR: " + PLUGIN.splitlines()[-1], *2 * ["pytest_nothing"], id="plugin of a conftest"),
        pytest.param(CHAIN, "google", "google.protobuf", id="the last of several"),
        pytest.param(CAUSE, "yaml", "yaml", id="cause"),
    ],
)
def test_errors_about_a_module(text: str, name: str, wanted: str) -> None:
    assert parse_missing_module(text) == MissingModule(name, wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "E   ImportError: cannot import name 'b' from 'a'",
        "E   SyntaxError: invalid syntax",
        "    raise ImportError('No module named x')\nE   ValueError: y",
        "it says: No module named 'x'",
    ],
)
def test_other_errors(text: str) -> None:
    assert parse_missing_module(text) is None


def make_hint(
    root: Path,
    *names: str,
    inipath: str = "pyproject.toml",
    python: str = "3.14.0",
    overridden: bool = False,
    **ini: str,
) -> str:
    path = root / inipath if inipath else None
    ini_file = IniFile(ini=dict(ini), inipath=path, rootdir=root)
    labels = ["3.14"] if overridden else []
    missing = MissingModules({"3.14": find_project(root, ini=dict(ini))}, ini_file, source=root, overridden=labels)
    for name in names:
        missing.record_error("3.14", collection_error(name))
        missing.record_error("3.14", "E   ValueError: something else")
    return missing.make_hint("3.14", python=python)


TOML = "pyproject.toml [tool.pytest.ini_options]"
EXTRA = setuptools_project('[project.optional-dependencies]\ntest = ["pytest"]')


@pytest.mark.parametrize(
    ("files", "names", "expected"),
    [
        pytest.param(
            {"pyproject.toml": EXTRA},
            ["requests"],
            f'no module named "requests" · add it in {TOML}: py_images_install = [".[test]", "requests"]',
            id="beside an extra",
        ),
        pytest.param(
            {"pyproject.toml": '[dependency-groups]\ntest = ["pytest"]\n'},
            ["yaml", "PIL", "yaml"],
            f'no module named "yaml" or "PIL" · add them in {TOML}:'
            ' py_images_install = ["--group test", "PyYAML", "pillow"]',
            id="two, beside a group",
        ),
        pytest.param(
            {"pyproject.toml": ""},
            ["requests"],
            f'no module named "requests" · add it in {TOML}: py_images_install = ["requests"]',
            id="beside nothing",
        ),
        pytest.param(
            {"pyproject.toml": ""},
            ["google"],
            f'no module named "google" · add the distribution that provides it in {TOML}: py_images_install = ["..."]',
            id="a name that tells nothing",
        ),
        pytest.param(
            {"pyproject.toml": ""},
            ["imp"],
            'no module named "imp" · removed from the standard library in Python 3.12',
            id="removed from the standard library",
        ),
        *(
            pytest.param(
                {"pyproject.toml": ""},
                [name],
                f'no module named "{name}" · the image lacks the standard library\'s own tests'
                " · use an image that has them",
                id=name,
            )
            for name in ("test", "test.support", "unittest.test", "lib2to3.tests", "idlelib.idle_test")
        ),
        pytest.param(
            {"pyproject.toml": ""},
            ["tkinter"],
            'no module named "tkinter" · not in this Python (3.14.0)',
            id="left out of this Python",
        ),
        pytest.param(
            {"requirements.txt": "pytest\n", "pyproject.toml": setuptools_project(dependencies='["requests"]')},
            ["requests.nothing"],
            'no module named "requests.nothing" · requests is installed, but does not provide it on this image',
            id="a part of something that is installed",
        ),
        pytest.param(
            {"pyproject.toml": setuptools_project(dependencies="[\"tomli ; python_version < '3.11'\"]")},
            ["tomli"],
            f'no module named "tomli" · add it in {TOML}: py_images_install = ["tomli"]',
            id="installed for other Pythons",
        ),
    ],
)
def test_hint_adds_the_distribution(tmp_path: Path, files: dict[str, str], names: list[str], expected: str) -> None:
    write_tree(tmp_path, files)
    assert make_hint(tmp_path, *names) == expected


def test_hint_keeps_the_present_setting(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pyproject.toml": ""})
    expected = f'no module named "requests" · add it in {TOML}: py_images_install = ["attrs", "idna>=3", "requests"]'
    assert make_hint(tmp_path, "requests", py_images_install="attrs\nidna>=3") == expected


def test_hint_names_the_override(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pyproject.toml": ""})
    said, _, line = make_hint(tmp_path, "requests", py_images_install="attrs", overridden=True).partition(": ")
    assert said == 'no module named "requests" · add it in pyproject.toml [[tool.pyimages.overrides]]'
    assert line == 'install = ["attrs", "requests"]'


@pytest.mark.parametrize(
    ("inipath", "text", "expected"),
    [
        (
            "pyproject.toml",
            "[tool.pytest]\nminversion = '9'",
            'pyproject.toml [tool.pytest]: py_images_install = ["six"]',
        ),
        ("pyproject.toml", "[tool.pytest.ini_options]", f'{TOML}: py_images_install = ["six"]'),
        ("pytest.toml", "[pytest]", 'pytest.toml [pytest]: py_images_install = ["six"]'),
        ("pytest.ini", "[pytest]", "pytest.ini [pytest]: py_images_install = six"),
        ("tox.ini", "[pytest]", "tox.ini [pytest]: py_images_install = six"),
        ("setup.cfg", "[tool:pytest]", "setup.cfg [tool:pytest]: py_images_install = six"),
        ("", "", "pytest.ini [pytest]: py_images_install = six"),
    ],
)
def test_hint_has_the_syntax_of_its_file(tmp_path: Path, inipath: str, text: str, expected: str) -> None:
    if inipath:
        (tmp_path / inipath).write_text(text)
    assert make_hint(tmp_path, "six", inipath=inipath) == f'no module named "six" · add it in {expected}'


def test_hint_without_configuration_file(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pyproject.toml": EXTRA})
    assert f"add it in {TOML}:" in make_hint(tmp_path, "six", inipath="")


@pytest.mark.parametrize(
    "install",
    [
        pytest.param([".[test]", "--group dev", "-r requirements/test.txt"], id="arguments"),
        pytest.param(["idna>=3", "tomli; python_version < '3.11'"], id="requirements"),
    ],
)
def test_hint_for_an_ini_file_is_quoted(tmp_path: Path, install: list[str]) -> None:
    files = {
        "pyproject.toml": setuptools_project(
            '[project.optional-dependencies]\ntest = ["pytest"]\n[dependency-groups]\ndev = ["attrs"]\n'
        ),
        "requirements/test.txt": "six\n",
    }
    write_tree(tmp_path, files)
    project = find_project(tmp_path, ini={"py_images_install": install})
    line = IniFile(ini={}, inipath=tmp_path / "pytest.ini", rootdir=tmp_path).format_assignment("key", project.install)
    again = find_project(tmp_path, ini={"py_images_install": line.removeprefix("key = ")})
    assert read_install_entries({"py_images_install": install}) == project.install
    assert again.requirements == project.requirements
    assert (again.extras, again.groups, again.requirement_files) == (
        *(project.extras, project.groups, project.requirement_files),
    )


@pytest.mark.parametrize(
    ("files", "name", "expected"),
    [
        pytest.param(
            {"src/shop/__init__.py": "", "pyproject.toml": ""},
            "shop",
            'no module named "shop", which is in src: the project defines no package'
            f' · add it in {TOML}: pythonpath = ["src"]',
            id="not installed",
        ),
        pytest.param(
            {"tests/support.py": "", "shop/__init__.py": "", "pyproject.toml": setuptools_project()},
            "support",
            'no module named "support", which is in tests: no installed package contains it'
            f' · add it in {TOML}: pythonpath = ["tests"]',
            id="beside the package",
        ),
        pytest.param(
            {"tools/one.py": "", "pyproject.toml": ""},
            "tools.one",
            'no module named "tools.one", which is in the folder of the configuration file: the project defines no'
            f' package · add it in {TOML}: pythonpath = ["."]',
            id="a package without __init__.py",
        ),
        pytest.param(
            {"src/shop/__init__.py": "", "pyproject.toml": setuptools_project()},
            "shop._version",
            'no module named "shop._version" · src/shop has no such file; if it is generated, do so in py_images_setup',
            id="made by a build",
        ),
        pytest.param(
            {"services/web/src/shop.py": "", "services/src/other.py": "", "pyproject.toml": ""},
            "other",
            'no module named "other", which is in services/src: the project defines no package'
            f' · add it in {TOML}: pythonpath = ["services/src"]',
            id="further down",
        ),
    ],
)
def test_modules_of_the_project_itself(tmp_path: Path, files: dict[str, str], name: str, expected: str) -> None:
    write_tree(tmp_path, files)
    assert make_hint(tmp_path, name) == expected


PROJECT = setuptools_project("")
GOOGLE = {"storage/pyproject.toml": PROJECT, "auth/setup.py": ""}


@pytest.mark.parametrize(
    ("files", "names", "expected"),
    [
        pytest.param(
            {"packages/x/pyproject.toml": PROJECT, "packages/x/src/m_x/__init__.py": ""},
            ["m_x"],
            'no module named "m_x", which packages/x provides'
            f' · add it in {TOML}: py_images_install = ["-e packages/x"]',
            id="one",
        ),
        pytest.param(
            {"a/setup.py": "", "a/m_a.py": "", "libs/py/b/pyproject.toml": PROJECT, "libs/py/b/m_b/__init__.py": ""},
            ["m_b.core", "m_a", "requests"],
            'no module named "m_b.core" or "m_a", which libs/py/b and a provide'
            f' · add them in {TOML}: py_images_install = ["-e libs/py/b", "-e a"]'
            f'; no module named "requests" · add it in {TOML}: py_images_install = ["requests"]',
            id="two",
        ),
        pytest.param(
            {**GOOGLE, "storage/google/storage/__init__.py": "", "auth/google/auth/__init__.py": ""},
            ["google.storage"],
            f'no module named "google.storage", which storage provides'
            f' · add it in {TOML}: py_images_install = ["-e storage"]',
            id="namespace",
        ),
        pytest.param(
            {"pyproject.toml": EXTRA, "plugins/p/pyproject.toml": PROJECT, "plugins/p/p_plugin.py": ""},
            ["p_plugin"],
            f'no module named "p_plugin", which plugins/p provides'
            f' · add it in {TOML}: py_images_install = [".[test]", "-e plugins/p"]',
            id="below a project",
        ),
        pytest.param(
            {"tests/data/x/pyproject.toml": PROJECT, "tests/data/x/m_x.py": "", "x/pyproject.toml": "[project"},
            ["m_x"],
            f'no module named "m_x" · add the distribution that provides it in {TOML}: py_images_install = ["..."]',
            id="data of tests, and a broken file",
        ),
        pytest.param(
            {"x/pyproject.toml": PROJECT, "x/tests/helper.py": "", "venv/x/setup.py": "", "venv/pyvenv.cfg": ""},
            ["tests.helper"],
            f'no module named "tests.helper" · add the distribution that provides it in {TOML}:'
            ' py_images_install = ["..."]',
            id="no package",
        ),
    ],
)
def test_a_module_of_another_project_of_the_tree(
    tmp_path: Path, files: dict[str, str], names: list[str], expected: str
) -> None:
    write_tree(tmp_path, files)
    assert make_hint(tmp_path, *names) == expected


def test_pythonpath_is_extended(tmp_path: Path) -> None:
    write_tree(
        tmp_path, {"src/shop/__init__.py": "", "pytest.ini": "[pytest]\n", "venv/pyvenv.cfg": "", "venv/no.py": ""}
    )
    told = make_hint(tmp_path, "shop", inipath="pytest.ini", pythonpath="lib tests")
    assert told.endswith("add it in pytest.ini [pytest]: pythonpath = lib tests src")
    assert "py_images_install" in make_hint(tmp_path, "no", inipath="pytest.ini")


def test_link_out_of_the_source(tmp_path: Path) -> None:
    write_tree(tmp_path, {"project/test_it.py": "", "shared.py": ""})
    project = tmp_path / "project"
    (project / "shared.py").symlink_to("../shared.py")
    assert make_hint(project, "shared") == (
        f'no module named "shared" · shared.py is a link to {tmp_path}/shared.py, but containers only see {project}'
    )


def test_no_hint_without_missing_modules(tmp_path: Path) -> None:
    missing = MissingModules(
        {"3.12": Project(root=tmp_path, name="a")},
        IniFile(ini={}, inipath=None, rootdir=tmp_path),
        source=tmp_path,
    )
    missing.record_error("3.14", collection_error("requests"))
    assert missing.make_hint("3.12", python="") == ""
    assert missing.make_hint("3.14", python="") == ""
