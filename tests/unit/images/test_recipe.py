"""Digests of environment images: what changes them, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import ImageInfo
from pytest_pyimages.images.recipe import Recipe, list_steps, make_recipe, read_content
from pytest_pyimages.project.project import find_project
from pytest_pyimages.project.settings.configuration import ImageConfiguration

PLAIN = ImageConfiguration()
PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "shop"
version = "1.0"
dependencies = ["idna"]
[project.optional-dependencies]
test = ["pytest", "six"]
[dependency-groups]
docs = ["sphinx"]
[tool.ruff]
line-length = 80
[tool.setuptools]
packages = ["shop"]
"""


def recipe(root: Path, configuration: ImageConfiguration = PLAIN) -> Recipe:
    project = find_project(root)
    return make_recipe(project, configuration, read_content(project))


def base(identifier: str = "sha256:base", platform: str = "linux/amd64") -> ImageInfo:
    return ImageInfo(id=identifier, digests=(), platform=platform, environment={}, labels={}, size=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("x = 1\n")
    return tmp_path


def replace(old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / "pyproject.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "rebuilds"),
    [
        pytest.param(replace('"idna"', '"idna>=3"'), True, id="a dependency"),
        pytest.param(replace('"six"', '"six", "attrs"'), True, id="a test requirement"),
        pytest.param(replace('version = "1.0"', 'version = "1.1"'), True, id="the version"),
        pytest.param(replace('["setuptools"]', '["setuptools>=70"]'), True, id="the build backend"),
        pytest.param(replace('packages = ["shop"]', 'packages = ["shop", "more"]'), True, id="the packages"),
        pytest.param(replace("line-length = 80", "line-length = 100"), False, id="a linter's table"),
        pytest.param(replace('docs = ["sphinx"]', 'docs = ["mkdocs"]'), False, id="a group that is not installed"),
        pytest.param(replace("[tool.ruff]", "# a comment\n[tool.ruff]"), False, id="a comment"),
        pytest.param(lambda root: (root / "shop" / "new.py").write_text("y = 2\n"), False, id="the source"),
    ],
)
def test_digest_follows_the_requirements(root: Path, change: Callable[[Path], None], rebuilds: bool) -> None:
    before = recipe(root).compute_digest(base())
    assert recipe(root).compute_digest(base()) == before
    change(root)
    assert (recipe(root).compute_digest(base()) != before) is rebuilds


def test_digest_depends_on_base_image_and_platform(root: Path) -> None:
    digests = {
        recipe(root).compute_digest(base()),
        recipe(root).compute_digest(base("sha256:other")),
        recipe(root).compute_digest(base(platform="linux/arm64")),
    }
    assert len(digests) == 3


def test_compiled_projects_are_rebuilt_when_a_source_changes(root: Path) -> None:
    (root / "setup.py").write_text(
        "from setuptools import Extension, setup\nsetup(ext_modules=[Extension('a', ['a.c'])])\n"
    )
    (root / "a.c").write_text("int x;\n")
    before = recipe(root)
    assert before.steps[0][-1] == f"{root}[test]"
    (root / "a.c").write_text("int y;\n")
    assert recipe(root).compute_digest(base()) != before.compute_digest(base())


@pytest.mark.parametrize(
    ("path", "rebuilds", "with_pyargs"),
    [
        pytest.param("a.c", True, True, id="a source"),
        pytest.param("shop/data.json", True, True, id="data"),
        pytest.param("tests/test_it.py", False, False, id="tests beside the package"),
        pytest.param("shop/tests/test_it.py", False, True, id="tests inside of it"),
        pytest.param("shop/tests/conftest.py", False, True, id="their conftest"),
        pytest.param("shop/tests/helper.pyx", True, True, id="what is compiled for them"),
        pytest.param("shop/test_mode.py", True, True, id="a module with such a name"),
    ],
)
def test_content_of_a_compiled_project(root: Path, path: str, rebuilds: bool, with_pyargs: bool) -> None:
    (root / "setup.py").write_text(
        "from setuptools import Extension, setup\nsetup(ext_modules=[Extension('a', ['a.c'])])\n"
    )
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text("one")
    project = find_project(root)
    before = read_content(project), read_content(project, with_tests=True)
    (root / path).write_text("two")
    assert (read_content(project) != before[0]) is rebuilds
    assert (read_content(project, with_tests=True) != before[1]) is with_pyargs


def test_projects_without_a_package_share_images(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name / "requirements").mkdir(parents=True)
        (tmp_path / name / "requirements" / "test.txt").write_text("pytest\nsix\n")
        digests.add(recipe(tmp_path / name).compute_digest(base()))
    assert len(digests) == 1


def test_pytest_and_project_are_resolved_together(root: Path) -> None:
    assert list_steps(find_project(root)) == (("pytest", "-e", f"{root}[test]"),)


@pytest.mark.parametrize(
    ("deps", "arguments"),
    [
        pytest.param("pytest", ("pytest",), id="pytest"),
        pytest.param("pytest>=7\n  six", ("pytest>=7", "six"), id="a version of it"),
        pytest.param("pytest-mock", ("pytest", "pytest-mock"), id="a plugin"),
    ],
)
def test_pytest_is_required_once(root: Path, deps: str, arguments: tuple[str, ...]) -> None:
    (root / "tox.ini").write_text(f"[testenv]\ndeps =\n  {deps}\n")
    replace('test = ["pytest', 'docs = ["pytest')(root)
    assert list_steps(find_project(root)) == ((*arguments, "-e", str(root)),)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        pytest.param("pytest==8.4.2 --hash=sha256:00\n", ("-r", "requirements.txt"), id="pytest"),
        pytest.param("pytest-mock\n", ("pytest", "-r", "requirements.txt"), id="a plugin"),
        pytest.param("pytest ; python_version < '3'\n", ("pytest", "-r", "requirements.txt"), id="pytest, sometimes"),
    ],
)
def test_files_with_hashes_must_pin_pytest(tmp_path: Path, text: str, arguments: tuple[str, ...]) -> None:
    (tmp_path / "requirements.txt").write_text(text)
    assert list_steps(find_project(tmp_path, ini={"py_images_install": "-r requirements.txt"})) == (arguments,)


@pytest.mark.parametrize(
    ("requirements", "configuration", "is_shared"),
    [
        ("six\nidna==3.6 ; python_version > '3'\n", PLAIN, True),
        ("--extra-index-url https://packages.example/simple\nsix @ https://packages.example/six.whl\n", PLAIN, True),
        ("# see docs/install.md\n-r more/requirements.txt\n", PLAIN, True),
        ("six\n", ImageConfiguration(setup=("python tools/prepare.py",)), False),
        ("--find-links wheels\nsix\n", PLAIN, False),
        ("--index-url=index\nsix\n", PLAIN, False),
        ("./helper\n", PLAIN, False),
        ("helper/dist/helper-1.0-py3-none-any.whl\n", PLAIN, False),
        ("helper @ file:///srv/helper\n", PLAIN, False),
        ("-e helper\n", PLAIN, False),
        ("-r more/requirements.in\n", PLAIN, False),
    ],
)
def test_projects_share_images_that_depend_on_nothing_but_the_recipe(
    tmp_path: Path, requirements: str, configuration: ImageConfiguration, is_shared: bool
) -> None:
    names = set()
    for folder in (tmp_path / "one", tmp_path / "two"):
        (folder / "more").mkdir(parents=True)
        (folder / "more" / "requirements.txt").write_text("idna\n")
        (folder / "more" / "requirements.in").write_text("../helper\n")
        (folder / "requirements-test.txt").write_text(f"pytest\n{requirements}")
        names.add(recipe(folder, configuration).name_image(base()))
    assert (len(names) == 1) == is_shared


@pytest.mark.parametrize(
    ("settings", "is_shared"), [('find-links = ["wheels"]', False), ('index-url = "https://packages.example"', True)]
)
def test_projects_with_folders_of_packages_share_no_image(tmp_path: Path, settings: str, is_shared: bool) -> None:
    names = set()
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "requirements-test.txt").write_text("pytest\n")
        (folder / "uv.toml").write_text(f"{settings}\n")
        names.add(recipe(folder).name_image(base()))
    assert (len(names) == 1) == is_shared
