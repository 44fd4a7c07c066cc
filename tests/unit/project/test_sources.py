"""The choice among the places where a project lists its test requirements."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.project.project import find_project
from tests.support.project_tree import setuptools_project, write_tree

LINTERS = "['ruff', 'mypy', 'pre-commit']"


def found(root: Path, tables: str = "", files: dict[str, str] | None = None, *, dependencies: str = "['attrs']") -> str:
    write_tree(root, {"pyproject.toml": setuptools_project(tables, dependencies=dependencies), **(files or {})})
    return find_project(root).origin


def extras(**tables: str) -> str:
    return "[project.optional-dependencies]\n" + "".join(f"{name} = {value}\n" for name, value in tables.items())


def groups(**tables: str) -> str:
    return "[dependency-groups]\n" + "".join(f"{name} = {value}\n" for name, value in tables.items())


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        pytest.param(extras(dev="['pytest']", test="['pytest']"), ".[test]", id="test-before-dev"),
        pytest.param(extras(testing="['pytest']", tests="['pytest']"), ".[tests]", id="tests-before-testing"),
        pytest.param(extras(Tests="['pytest']"), ".[Tests]", id="as-spelled"),
        pytest.param(extras(Unit_Test="['pytest']"), ".[Unit_Test]", id="normalised"),
        pytest.param(extras(develop="['pytest']"), ".[develop]", id="develop"),
        pytest.param(extras(docs="['pytest']"), ".", id="not-docs"),
        pytest.param(extras(test="[]"), ".", id="empty"),
        pytest.param(extras(dev=LINTERS), ".", id="only-linters"),
        pytest.param(extras(dev="['shop[test]']", test="['pytest']"), ".[test]", id="dev-includes-test"),
        pytest.param(extras(dev="['shop[checks]']", checks="['pytest']"), ".[dev]", id="follows-the-project-itself"),
        pytest.param(extras(dev=LINTERS, test="['freezegun']"), ".[test]", id="a-test-library"),
        pytest.param(groups(test="['pytest']") + extras(test="['pytest']"), "group test", id="group-before-extra"),
        pytest.param(groups(dev="['pytest']") + extras(test="['pytest']"), ".[test]", id="name-before-kind"),
        pytest.param(groups(dev=LINTERS) + extras(all="['pytest-cov']"), ".[all]", id="all-comes-last"),
        pytest.param(
            extras(test="['trio']", dev="['pytest']"), ".[test] (pyproject.toml), .[dev]", id="test-without-pytest"
        ),
        pytest.param(extras(test="['coverage', 'tox']", dev="['pytest']"), ".[dev]", id="test-with-runners-only"),
        pytest.param(
            "[tool.poetry.group.test.dependencies]\npytest = '^8'\n" + groups(dev="['pytest']"),
            "poetry group test",
            id="poetry-group",
        ),
        pytest.param("[tool.poetry.dev-dependencies]\npytest = '^8'", "poetry group dev", id="poetry-before-groups"),
        pytest.param("[tool.pdm.dev-dependencies]\ntest = ['pytest', '-e file:///x']", "pdm group test", id="pdm"),
        pytest.param("[tool.uv]\ndev-dependencies = ['pytest']", "uv dev-dependencies", id="uv"),
        pytest.param("[tool.hatch.envs.default]\ndependencies = ['pytest']", "hatch environment default", id="hatch"),
    ],
)
def test_names_near_to_test_come_first(tmp_path: Path, tables: str, expected: str) -> None:
    assert f"{expected} (pyproject.toml)" == found(tmp_path, tables)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"requirements-test.txt": "pytest"}, "-r requirements-test.txt", id="requirements-test"),
        pytest.param({"test_requirements.txt": "pytest"}, "-r test_requirements.txt", id="underscore"),
        pytest.param({"requirements.testing.txt": "pytest"}, "-r requirements.testing.txt", id="dots"),
        pytest.param({"requirements/tests.txt": "pytest"}, "-r requirements/tests.txt", id="folder"),
        pytest.param({"reqs/test-requirements.txt": "pytest"}, "-r reqs/test-requirements.txt", id="folder-twice"),
        pytest.param({"tests/requirements.txt": "pytest"}, "-r tests/requirements.txt", id="beside-the-tests"),
        pytest.param({"requirements_dev.txt": "pytest"}, "-r requirements_dev.txt", id="dev"),
        pytest.param({"requirements.txt": "pytest"}, "-r requirements.txt", id="main-with-pytest"),
        pytest.param({"requirements.txt": "flask"}, ".", id="main-without"),
        pytest.param({"tests/words.txt": "pytest", "test.txt": "pytest"}, ".", id="some-text"),
        pytest.param({"requirements-docs.txt": "pytest"}, ".", id="docs"),
        pytest.param({"requirements-dev.txt": "black\nmypy"}, ".", id="linters"),
        pytest.param({"requirements-test.in": "pytest"}, "-r requirements-test.in", id="uncompiled"),
        pytest.param(
            {"requirements-test.in": "pytest", "requirements-test.txt": "pytest==8"},
            "-r requirements-test.txt",
            id="compiled",
        ),
        pytest.param(
            {"requirements-dev.txt": "pytest", "requirements-tests.txt": "pytest"},
            "-r requirements-tests.txt",
            id="test-before-dev",
        ),
        pytest.param(
            {"requirements-test.txt": "-r requirements/base-test.txt", "requirements/base-test.txt": "pytest"},
            "-r requirements-test.txt",
            id="follows-files",
        ),
        pytest.param({"requirements-dev.txt": "-r gone.txt\nblack"}, ".", id="broken-and-not-wanted"),
        pytest.param(
            {"requirements-dev.txt": "-r gone.txt\npytest", "tox.ini": "[testenv]\ndeps = pytest"},
            "tox environment testenv (tox.ini)",
            id="broken-but-another-will-do",
        ),
        pytest.param(
            {"requirements-dev.txt": "tox\nblack", "tox.ini": "[testenv]\ndeps =\n  pytest"},
            "tox environment testenv (tox.ini)",
            id="tox-after-files-without-tests",
        ),
        pytest.param(
            {"requirements-test.txt": "pytest", "tox.ini": "[testenv]\ndeps = pytest"},
            "-r requirements-test.txt",
            id="files-before-tox",
        ),
        pytest.param(
            {
                "requirements/test.txt": "pytest",
                "requirements/speed.txt": "-r test.txt\npytest-benchmark",
                "tox.ini": "[testenv]\ndeps = -r requirements/speed.txt",
            },
            "-r requirements/speed.txt (tox)",
            id="tox-includes-the-file",
        ),
        pytest.param(
            {
                "requirements/test.txt": "pytest",
                "requirements/speed.txt": "pytest-benchmark",
                "tox.ini": "[testenv]\ndeps = -r requirements/speed.txt",
            },
            "-r requirements/test.txt",
            id="tox-has-another-file",
        ),
        pytest.param(
            {
                "requirements/test.txt": "pytest",
                "requirements/dev.txt": "-r test.txt\nmypy",
                "tox.ini": "[testenv]\ndeps = -r requirements/dev.txt",
            },
            "-r requirements/test.txt",
            id="tox-includes-it-for-all-development",
        ),
        pytest.param(
            {
                "requirements/test.txt": "pytest",
                "requirements/speed.txt": "-r test.txt\n-r gone.txt",
                "tox.ini": "[testenv]\ndeps = -r requirements/speed.txt",
            },
            "-r requirements/test.txt",
            id="tox-includes-it-and-what-is-not-there",
        ),
    ],
)
def test_requirements_files_are_recognised_by_name(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    assert expected == found(tmp_path, files=files).removesuffix(" (pyproject.toml)")


@pytest.mark.parametrize(
    ("tables", "files", "expected"),
    [
        pytest.param(
            extras(dev=LINTERS),
            {"requirements-test.txt": "pytest"},
            "-r requirements-test.txt",
            id="linters-do-not-stop",
        ),
        pytest.param(
            extras(dev="['pytest']"),
            {"requirements-test.txt": "mock"},
            ".[dev] (pyproject.toml), -r requirements-test.txt",
            id="dev-and-a-test-file",
        ),
        pytest.param(
            extras(dev="['pytest']"),
            {"requirements-dev.txt": "pytest"},
            ".[dev] (pyproject.toml)",
            id="dev-settles-dev",
        ),
        pytest.param(
            extras(test="['pytest']"), {"requirements-test.txt": "pytest"}, ".[test] (pyproject.toml)", id="first-wins"
        ),
        pytest.param(
            extras(dev="['pytest']"),
            {"tox.ini": "[testenv]\ndeps = pytest"},
            ".[dev] (pyproject.toml)",
            id="dev-settles-tox",
        ),
    ],
)
def test_sources_are_combined_only_if_one_is_not_enough(
    tmp_path: Path, tables: str, files: dict[str, str], expected: str
) -> None:
    assert expected == found(tmp_path, tables, files)


@pytest.mark.parametrize(
    ("dependencies", "files", "expected"),
    [
        pytest.param("[]", {"requirements.txt": "flask"}, "-r requirements.txt", id="nothing-declared"),
        pytest.param(
            "[]",
            {"requirements.txt": "flask", "requirements-test.txt": "pytest"},
            "-r requirements.txt, -r requirements-test.txt",
            id="all-in-files",
        ),
        pytest.param("['flask']", {"requirements.txt": "flask==1"}, ". (pyproject.toml)", id="declared"),
    ],
)
def test_a_package_that_declares_nothing_gets_the_main_file(
    tmp_path: Path, dependencies: str, files: dict[str, str], expected: str
) -> None:
    assert expected == found(tmp_path, files=files, dependencies=dependencies)


@pytest.mark.parametrize(
    ("tables", "requirements", "used_extras"),
    [
        pytest.param(
            """
            [tool.hatch.envs.default]
            dependencies = ["pytest", "lib @ {root:uri}/lib"]
            features = ["fast"]
            [tool.hatch.envs.test]
            extra-dependencies = ["mock"]
            """,
            ["pytest", "lib @ ROOT/lib", "mock"],
            ["fast"],
            id="inherits-from-default",
        ),
        pytest.param(
            """
            [tool.hatch.envs.base]
            dependencies = ["pytest"]
            dependency-groups = ["more"]
            [tool.hatch.envs.test]
            template = "base"
            [dependency-groups]
            more = ["mock"]
            """,
            ["pytest", "mock"],
            [],
            id="template-and-groups",
        ),
        pytest.param(
            """
            [tool.hatch.envs.default]
            dependencies = ["black"]
            [tool.hatch.envs.test]
            detached = true
            dependencies = ["pytest"]
            """,
            ["pytest"],
            [],
            id="detached",
        ),
        pytest.param(
            "[tool.hatch.envs.hatch-test]\nextra-dependencies = ['mock']",
            ["coverage[toml]", "pytest-mock", "pytest-rerunfailures", "pytest-xdist[psutil]", "mock"],
            [],
            id="what-hatch-test-brings-by-itself",
        ),
        pytest.param(
            "[tool.hatch.envs.test]\ntemplate = 'other'\n[tool.hatch.envs.other]\ntemplate = 'test'",
            [],
            [],
            id="circle",
        ),
        pytest.param(
            """
            [tool.poetry.group.test]
            include-groups = ["base", "test"]
            dependencies = {pytest = ">=8"}
            [tool.poetry.group.base]
            dependencies = {mock = "*"}
            include-groups = ["test"]
            """,
            ["pytest>=8", "mock"],
            [],
            id="poetry-includes",
        ),
    ],
)
def test_environments_inherit_requirements(
    tmp_path: Path, tables: str, requirements: list[str], used_extras: list[str]
) -> None:
    found(tmp_path, tables)
    project = find_project(tmp_path)
    assert [text.replace("ROOT", tmp_path.as_uri()) for text in requirements] == list(project.requirements)
    assert used_extras == list(project.extras)


def test_hatch_toml_replaces_the_table(tmp_path: Path) -> None:
    files = {"hatch.toml": "[envs.test]\ndependencies = ['pytest']"}
    assert "hatch environment test (hatch.toml)" == found(tmp_path, files=files)
    assert tmp_path / "hatch.toml" in find_project(tmp_path).fingerprint_files


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {"setup.py": "from setuptools import setup\nsetup(tests_require=['pytest'])"},
            "tests_require (setup.py)",
            id="setup.py",
        ),
        pytest.param(
            {"setup.py": "import setuptools", "setup.cfg": "[options]\ntests_require =\n  pytest"},
            "tests_require (setup.cfg)",
            id="setup.cfg",
        ),
        pytest.param(
            {"setup.py": "from setuptools import setup\nsetup(tests_require=['tox'], install_requires=['attrs'])"},
            ". (setup.py)",
            id="runner-only",
        ),
        pytest.param(
            {"setup.py": "from setuptools import setup\nT = ['pytest']\nsetup(extras_require={'test': T})"},
            ".[test] (setup.py)",
            id="extra-in-setup.py",
        ),
        pytest.param(
            {
                "setup.cfg": "[metadata]\nname=a\n[options.extras_require]\ntesting =\n  pytest",
                "setup.py": "import setuptools",
            },
            ".[testing] (setup.cfg)",
            id="extra-in-setup.cfg",
        ),
    ],
)
def test_legacy_places_are_read(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    assert expected == find_project(write_tree(tmp_path, files)).origin
