from __future__ import annotations

from pathlib import Path

import pytest
from packaging.errors import ExceptionGroup

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.project import Project, find_project, find_project_root, list_build_sources
from pytest_pyimages.text import flatten
from tests.support.golden import message
from tests.support.project_tree import setuptools_project, write_tree


def names(project: Project, paths: tuple[Path, ...]) -> list[str]:
    return [path.relative_to(project.root).as_posix() for path in paths]


def test_an_empty_folder_requires_nothing(tmp_path: Path) -> None:
    assert Project(root=tmp_path, name=tmp_path.name) == find_project(tmp_path)


def test_a_project_is_described_in_full(tmp_path: Path) -> None:
    pyproject = """
        [build-system]
        requires = ["hatchling"]
        build-backend = "hatchling.build"
        [project]
        name = "Shop"
        version = "1"
        requires-python = ">=3.9"
        classifiers = ["Programming Language :: Python :: 3.12"]
        dependencies = ["attrs>=22"]
        [project.optional-dependencies]
        test = ["pytest>=8", "shop[money]"]
        money = ["babel"]
        docs = ["sphinx"]
    """
    write_tree(tmp_path, {"pyproject.toml": pyproject, "shop/__init__.py": "", "setup.py": "from setuptools import x"})
    assert find_project(tmp_path / ".") == Project(
        root=tmp_path,
        name="Shop",
        distribution="shop",
        requires_python=">=3.9",
        classifiers=("Programming Language :: Python :: 3.12",),
        kind="editable",
        extras=("test",),
        dependencies=("attrs>=22", "pytest>=8", "babel"),
        origin=".[test] (pyproject.toml)",
        install=(".[test]",),
        fingerprint_files=(tmp_path / "pyproject.toml", tmp_path / "setup.py"),
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"pyproject.toml": "[project]\nname = 'a'"}, ".", id="project"),
        pytest.param({"pyproject.toml": "[build-system]\nrequires = []"}, ".", id="build-system"),
        pytest.param({"pyproject.toml": "[tool.poetry]\nname = 'a'"}, ".", id="poetry"),
        pytest.param({"setup.py": ""}, ".", id="setup.py"),
        pytest.param({"setup.cfg": "[metadata]\nname = a"}, ".", id="setup.cfg"),
        pytest.param({"setup.cfg": "[tool:pytest]"}, "sub/tests", id="only-tools-in-setup.cfg"),
        pytest.param({"pyproject.toml": "[tool.black]"}, "sub/tests", id="only-tools-in-pyproject"),
        pytest.param({}, "sub/tests", id="nothing"),
        pytest.param({"setup.py": "", "sub/setup.py": ""}, "sub", id="nearest"),
        pytest.param({"setup.py": "", "sub/pyproject.toml": "[tool.black]"}, ".", id="passes-over-tools"),
        pytest.param({"setup.py": "", "sub/.git": "gitdir: x"}, "sub/tests", id="ends-with-the-checkout"),
        pytest.param({"setup.py": "", "sub/.git": "gitdir: x", "sub/setup.py": ""}, "sub", id="root-of-the-checkout"),
    ],
)
def test_the_root_is_the_nearest_folder_with_a_build_configuration(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    write_tree(tmp_path, {**files, "sub/tests/test_a.py": ""})
    assert tmp_path / expected == find_project_root(tmp_path / "sub/tests")


def test_the_root_is_not_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stray setup.py in the home folder has nothing to do with a project below."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_tree(tmp_path, {"setup.py": "", "suite/test_a.py": ""})
    assert tmp_path / "suite" == find_project_root(tmp_path / "suite")
    assert tmp_path == find_project_root(tmp_path)


GROUP = {"pyproject.toml": "[dependency-groups]\ntest = ['hypothesis', {include-group = 'base'}]\nbase = ['pytest']"}
VIRTUAL = """
    [project]
    name = "shop"
    dependencies = ["attrs"]
    [project.optional-dependencies]
    test = ["pytest", "shop[money]"]
    money = ["babel"]
    [tool.uv]
    package = false
"""


@pytest.mark.parametrize(
    ("files", "requirements", "requirement_files", "origin"),
    [
        pytest.param({"requirements.txt": "attrs"}, [], ["requirements.txt"], "-r requirements.txt", id="main-file"),
        pytest.param(
            {"requirements.txt": "attrs", "requirements-test.txt": "pytest"},
            [],
            ["requirements.txt", "requirements-test.txt"],
            "-r requirements.txt, -r requirements-test.txt",
            id="main-and-test-file",
        ),
        pytest.param(
            {"requirements.txt": "attrs", "requirements-test.txt": "-r requirements.txt\npytest"},
            [],
            ["requirements-test.txt"],
            "-r requirements-test.txt",
            id="test-file-includes-the-main-file",
        ),
        pytest.param(
            {"requirements/base.txt": "attrs", "requirements/test.txt": "pytest"},
            [],
            ["requirements/base.txt", "requirements/test.txt"],
            "-r requirements/base.txt, -r requirements/test.txt",
            id="folder",
        ),
        pytest.param(GROUP, ["hypothesis", "pytest"], [], "group test (pyproject.toml)", id="group"),
        pytest.param(
            {"pyproject.toml": VIRTUAL},
            ["attrs", "pytest", "babel"],
            [],
            "dependencies (pyproject.toml), .[test] (pyproject.toml)",
            id="application-with-extras",
        ),
        pytest.param(
            {"Pipfile": "[packages]\nattrs = '*'\n[dev-packages]\npytest = '>=8'\nx = {path = 'x'}"},
            ["attrs", "pytest>=8", "x @ ROOT/x"],
            [],
            "packages (Pipfile), dev-packages (Pipfile)",
            id="Pipfile",
        ),
    ],
)
def test_an_application_gets_its_own_and_its_test_requirements(
    tmp_path: Path, files: dict[str, str], requirements: list[str], requirement_files: list[str], origin: str
) -> None:
    project = find_project(write_tree(tmp_path, files))
    assert project.kind == "none"
    assert (project.extras, project.dependencies) == ((), ())
    assert [text.replace("ROOT", tmp_path.as_uri()) for text in requirements] == list(project.requirements)
    assert requirement_files == names(project, project.requirement_files)
    assert origin == project.origin


def test_the_folder_of_an_application_is_not_a_distribution_name(tmp_path: Path) -> None:
    """A folder named like something that it needs does not stand for it."""
    root = write_tree(
        tmp_path / "attrs", {"requirements.txt": "attrs", "pyproject.toml": "[dependency-groups]\ntest=['attrs']"}
    )
    project = find_project(root, ini={"required_plugins": "attrs"})
    assert ("attrs",) == project.requirements
    assert ["requirements.txt"] == names(project, project.requirement_files)


@pytest.mark.parametrize(
    ("text", "requirements", "extras", "requirement_files"),
    [
        pytest.param("-e .[socks]\npytest", ["pytest"], ["socks"], [], id="editable"),
        pytest.param(".\npytest", ["pytest"], [], [], id="plain-path"),
        pytest.param("-e file:.\npytest", ["pytest"], [], [], id="file-url"),
        pytest.param(
            "Shop [socks, Fast] >= 1 ; python_version > '3'\npytest", ["pytest"], ["Fast", "socks"], [], id="name"
        ),
        pytest.param("-e .[socks]\npytest --hash=sha256:00", [], ["socks"], ["requirements-test.txt"], id="hashes"),
        pytest.param("-e .\n-c c.txt\npytest", [], [], ["requirements-test.txt"], id="constraints"),
        pytest.param("-e .\n--pre\npytest", [], [], ["requirements-test.txt"], id="options"),
        pytest.param("-e .\n-e ./other\npytest", [], [], ["requirements-test.txt"], id="another-editable"),
        pytest.param("pytest", [], [], ["requirements-test.txt"], id="nothing-of-the-project"),
    ],
)
def test_a_plain_requirements_file_with_the_project_is_replaced_by_its_entries(
    tmp_path: Path, text: str, requirements: list[str], extras: list[str], requirement_files: list[str]
) -> None:
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(), "requirements-test.txt": text, "c.txt": "attrs<23"})
    project = find_project(tmp_path)
    assert requirements == list(project.requirements)
    assert extras == list(project.extras)
    assert requirement_files == names(project, project.requirement_files)


def test_the_origin_shows_extras_that_a_group_requests(tmp_path: Path) -> None:
    tables = (
        "[dependency-groups]\ntest = ['shop[socks]', 'pytest']\n[project.optional-dependencies]\nsocks = ['pysocks']"
    )
    project = find_project(
        write_tree(tmp_path, {"pyproject.toml": setuptools_project(tables, dependencies="['attrs']")})
    )
    assert ".[socks], group test (pyproject.toml)" == project.origin
    assert (("socks",), ("test",), ("pytest",)) == (project.extras, project.groups, project.requirements)
    assert ("attrs", "pysocks") == project.dependencies


def test_the_fingerprint_covers_every_file_that_affects_the_installation(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": "[build-system]\nbuild-backend = 'backend:api'\nbackend-path = ['build']\nrequires = []",
        "build/backend.py": "",
        "setup.cfg": "",
        "setup.py": "from setuptools import setup\nsetup(install_requires=open('reqs/main-reqs.txt').read().split())",
        "reqs/main-reqs.txt": "attrs",
        "requirements-test.txt": "-r reqs/more.txt\n-c reqs/limits.txt\npytest",
        "reqs/more.txt": "mock",
        "reqs/limits.txt": "-c deep.txt",
        "reqs/deep.txt": "mock<5",
        "requirements-docs.txt": "sphinx",
        "tox.ini": "",
        "MANIFEST.in": "",
    }
    project = find_project(write_tree(tmp_path, files))
    assert sorted(set(files) - {"requirements-docs.txt", "tox.ini", "MANIFEST.in"}) == names(
        project, project.fingerprint_files
    )
    assert project.dependencies == ()


def test_the_build_sources_are_the_files_that_a_build_may_read(tmp_path: Path) -> None:
    read = [
        "Cargo.toml",
        "Cargo.lock",
        "pyproject.toml",
        "setup.py",
        "src/lib.rs",
        "shop/build/x.py",
        "shop/tests/t.py",
    ]
    unread = [
        *("tests/test_a.py", "docs/index.md", "README.md", ".gitignore", "tox.ini", ".git/config", "build/lib/x.py"),
        *("shop/__pycache__/a.pyc", "shop/_a.so", "shop.egg-info/PKG-INFO", "target/debug/x", "env/pyvenv.cfg"),
        *("env/lib/y.py", "node_modules/a.js"),
    ]
    write_tree(tmp_path, dict.fromkeys((*read, *unread), ""))
    script = "from setuptools import setup, Extension\nsetup(ext_modules=[Extension('a', ['a.c'])])"
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(), "setup.py": script})
    project = find_project(tmp_path)
    assert sorted(read) == sorted(names(project, list_build_sources(project)))
    assert list_build_sources(project) == tuple(sorted(list_build_sources(project)))


def test_only_a_wheel_has_build_sources(tmp_path: Path) -> None:
    project = find_project(write_tree(tmp_path, {"pyproject.toml": setuptools_project(), "shop.py": ""}))
    assert ("editable", ()) == (project.kind, list_build_sources(project))


GROUPS = "[dependency-groups]\n"


@pytest.mark.parametrize(
    ("files", "name", "fields"),
    [
        pytest.param({"pyproject.toml": "[project]\nname = "}, "invalid-toml", {}, id="toml"),
        pytest.param({"setup.cfg": "name = a\n"}, "invalid-ini", {}, id="setup.cfg"),
        pytest.param({"tox.ini": "[testenv]\n deps\n=x"}, "invalid-ini", {}, id="tox.ini"),
        pytest.param(
            {"pyproject.toml": GROUPS + "dev=[{include-group='Test'}]\ntest=[{include-group='dev'}]"},
            "group-circle",
            {"group": "dev"},
            id="circle",
        ),
        pytest.param(
            {"pyproject.toml": GROUPS + "tests=[{include-group='bsae'}]\nbase=[]"},
            "group-unknown",
            {"group": "tests", "similar": "base"},
            id="unknown-group",
        ),
        pytest.param({"pyproject.toml": GROUPS + "test='pytest'"}, "group-malformed", {"group": "test"}, id="no-list"),
        pytest.param(
            {"pyproject.toml": GROUPS + "test=[{include-group=1}]"}, "group-malformed", {"group": "test"}, id="no-name"
        ),
        pytest.param({"pyproject.toml": GROUPS + "test=[{a=1}]"}, "group-malformed", {"group": "test"}, id="no-entry"),
        pytest.param(
            {"pyproject.toml": GROUPS + "test=['a b']"}, "group-malformed", {"group": "test"}, id="no-requirement"
        ),
        pytest.param(
            {"pyproject.toml": "[tool.poetry.group.test.dependencies]\npytest='^x'"},
            "poetry-constraint",
            {"table": "[tool.poetry.group.test.dependencies]", "dependency": "pytest"},
            id="poetry",
        ),
        pytest.param(
            {"pyproject.toml": "[tool.poetry.dependencies]\npython='latest'"},
            "poetry-constraint",
            {"table": "[tool.poetry.dependencies]", "dependency": "python"},
            id="poetry-python",
        ),
    ],
)
def test_errors_name_the_file_and_the_place(
    tmp_path: Path, files: dict[str, str], name: str, fields: dict[str, str]
) -> None:
    write_tree(tmp_path, files)
    with pytest.raises(ConfigurationError) as caught:
        find_project(tmp_path)
    cause = caught.value.__cause__
    reason = flatten(cause.exceptions[0] if isinstance(cause, ExceptionGroup) else cause)
    assert str(caught.value) == message("project", name, path=tmp_path / next(iter(files)), reason=reason, **fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "text", "path"),
    [
        pytest.param(
            "requirements-test.txt", "\n# more\n-r more.txt", "requirements-test.txt:3: ROOT/more.txt", id="-r"
        ),
        pytest.param("requirements/dev.txt", "pytest\n-c ../x.txt", "requirements/dev.txt:2: ROOT/x.txt", id="-c"),
    ],
)
def test_a_missing_requirements_file_is_an_error(tmp_path: Path, file: str, text: str, path: str) -> None:
    write_tree(tmp_path, {file: text})
    with pytest.raises(ConfigurationError) as caught:
        find_project(tmp_path)
    path = f"{tmp_path}/{path.replace('ROOT', str(tmp_path))}"
    assert str(caught.value) == message("project", "no-requirements-file", path=path)


@pytest.mark.parametrize(
    ("file", "text", "origin"),
    [
        pytest.param("tox.ini", "[testenv]\ndeps = -r x.txt", "tox environment testenv (tox.ini)", id="base"),
        pytest.param("tox.ini", "[testenv:test]\ndeps =\n  -rx.txt", "tox environment test (tox.ini)", id="named"),
        pytest.param(
            "tox.toml", 'env_run_base.deps = ["-r x.txt"]', "tox environment env_run_base (tox.toml)", id="toml"
        ),
    ],
)
def test_the_environment_of_a_missing_requirements_file_is_named(
    tmp_path: Path, file: str, text: str, origin: str
) -> None:
    write_tree(tmp_path, {file: text})
    with pytest.raises(ConfigurationError) as caught:
        find_project(tmp_path)
    assert str(caught.value) == message("project", "no-requirements-file", path=f"{origin}: {tmp_path}/x.txt")


def test_a_binary_pyproject_toml_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"[project]\nname = '\xff'")
    with pytest.raises(ConfigurationError) as caught:
        find_project(tmp_path)
    reason = str(caught.value.__cause__)
    assert str(caught.value) == message("project", "not-utf-8", path=tmp_path / "pyproject.toml", reason=reason)


@pytest.mark.parametrize(
    "pyproject",
    [
        "project = 3",
        "[project]\nname = 3\nclassifiers = 'x'\ndependencies = 4\noptional-dependencies = ['a']\ndynamic = 'version'",
        "dependency-groups = []\n[project]\noptional-dependencies.test = 'pytest'",
        "[tool]\npoetry = 1\npdm.dev-dependencies = 3\nuv = []\nhatch.envs = 3\ntox = 'x'\nflit = 1",
        "[tool.poetry]\ndependencies = ['x']\ngroup.test = 3\nextras = 3\nbuild = 3",
        "[tool.hatch.envs]\ntest = 3\ndev.template = 'dev'\ndev.dependencies = 'a'",
        "[build-system]\nbuild-backend = 3\nbackend-path = 3",
        "[tool.setuptools.dynamic]\ndependencies = 'x'\noptional-dependencies = ['a']",
    ],
)
def test_tables_of_the_wrong_type_are_ignored(tmp_path: Path, pyproject: str) -> None:
    """The build tool reports them."""
    project = find_project(write_tree(tmp_path, {"pyproject.toml": pyproject}))
    assert () == project.requirement_files


def test_requirements_that_are_no_text(tmp_path: Path) -> None:
    """As PowerShell writes them without a mark, for example."""
    path = tmp_path / "requirements.txt"
    path.write_bytes("six".encode("utf-16-le"))
    with pytest.raises(ConfigurationError) as caught:
        find_project(tmp_path)
    assert str(caught.value) == message("project", "null-characters", path=path)
