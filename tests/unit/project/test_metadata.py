from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from pytest_pyimages.project.files import read_project_files
from pytest_pyimages.project.literals import Unknown
from pytest_pyimages.project.metadata import Metadata, read_metadata
from pytest_pyimages.project.project import find_project
from pytest_pyimages.project.setup_py import SetupScript, read_setup_script
from tests.support.project_tree import write_tree

CONFIG = """
    [metadata]
    name = shop
    classifiers =
        Framework :: Pytest
        Typing :: Typed
    [options]
    python_requires = >=3.8
    install_requires =
        attrs>=22  # for validators
        # nothing more
    [options.extras_require]
    Test = pytest; mock
    docs =
        sphinx
"""
FLIT = """
    [build-system]
    requires = ["flit"]
    build-backend = "flit.buildapi"
    [tool.flit.metadata]
    module = "shop"
    dist-name = "the-shop"
    requires = ["attrs"]
    requires-python = ">=3.6"
    classifiers = ["Typing :: Typed"]
    [tool.flit.metadata.requires-extra]
    test = ["pytest"]
"""
POETRY = """
    [build-system]
    requires = ["poetry-core"]
    build-backend = "poetry.core.masonry.api"
    [tool.poetry]
    name = "shop"
    version = "1"
    classifiers = ["Typing :: Typed"]
    [tool.poetry.dependencies]
    python = "^3.9"
    attrs = "^22.1"
    Babel = {version = "*", optional = true}
    [tool.poetry.extras]
    money = ["babel", "gone"]
"""
NEW_POETRY = """
    [build-system]
    requires = ["poetry-core>=2"]
    build-backend = "poetry.core.masonry.api"
    [project]
    name = "shop"
    version = "1"
    requires-python = ">=3.10"
    [tool.poetry.dependencies]
    attrs = "*"
"""
DYNAMIC = """
    [build-system]
    requires = ["setuptools"]
    build-backend = "setuptools.build_meta"
    [project]
    name = "shop"
    dynamic = ["dependencies", "optional-dependencies", "version"]
    [tool.setuptools.dynamic]
    dependencies = {file = ["requirements.txt"]}
    optional-dependencies.test = {file = "test.txt"}
"""
HATCH = """
    [build-system]
    requires = ["hatchling", "hatch-requirements-txt"]
    build-backend = "hatchling.build"
    [project]
    name = "shop"
    dynamic = ["dependencies", "optional-dependencies"]
    [tool.hatch.metadata.hooks.requirements_txt]
    files = ["requirements.txt"]
    [tool.hatch.metadata.hooks.requirements_txt.optional-dependencies]
    test = ["test.txt"]
"""


def metadata(root: Path, files: dict[str, str]) -> Metadata:
    return read_metadata(read_project_files(write_tree(root, files)))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {"setup.cfg": CONFIG, "setup.py": "from setuptools import setup\nsetup()"},
            Metadata(
                name="shop",
                requires_python=">=3.8",
                classifiers=("Framework :: Pytest", "Typing :: Typed"),
                dependencies=("attrs>=22",),
                extras={"Test": ("pytest", "mock"), "docs": ("sphinx",)},
                extras_origin="setup.cfg",
            ),
            id="setup.cfg",
        ),
        pytest.param(
            {"pyproject.toml": FLIT},
            Metadata(
                name="the-shop",
                requires_python=">=3.6",
                classifiers=("Typing :: Typed",),
                dependencies=("attrs",),
                extras={"test": ("pytest",)},
            ),
            id="old-flit",
        ),
        pytest.param(
            {"pyproject.toml": POETRY},
            Metadata(
                name="shop",
                requires_python=">=3.9,<4.0",
                classifiers=("Typing :: Typed",),
                dependencies=("attrs>=22.1,<23.0",),
                extras={"money": ("babel",)},
            ),
            id="poetry",
        ),
        pytest.param(
            {"pyproject.toml": NEW_POETRY},
            Metadata(name="shop", requires_python=">=3.10", dependencies=("attrs",), extras={}),
            id="poetry-with-project",
        ),
    ],
)
def test_metadata_is_read_from_each_build_backends_files(
    tmp_path: Path, files: dict[str, str], expected: Metadata
) -> None:
    assert expected == metadata(tmp_path, files)


@pytest.mark.parametrize("pyproject", [pytest.param(DYNAMIC, id="setuptools"), pytest.param(HATCH, id="hatch")])
def test_dependencies_may_be_in_separate_files(tmp_path: Path, pyproject: str) -> None:
    files = {"pyproject.toml": pyproject, "requirements.txt": "# all\nattrs  # one\n\n", "test.txt": "pytest\n"}
    found = metadata(tmp_path, files)
    assert (("attrs",), {"test": ("pytest",)}) == (found.dependencies, found.extras)
    assert (tmp_path / "requirements.txt", tmp_path / "test.txt") == found.files


def test_a_missing_file_leaves_the_dependencies_unknown(tmp_path: Path) -> None:
    found = metadata(tmp_path, {"pyproject.toml": DYNAMIC})
    assert found.dependencies is None


def test_the_project_table_is_final(tmp_path: Path) -> None:
    """setup.py and setup.cfg may have other ideas; setuptools ignores them, too."""
    files = {
        "pyproject.toml": "[project]\nname = 'shop'\nversion = '1'",
        "setup.cfg": "[metadata]\nname = other\n[options.extras_require]\ntest = pytest",
        "setup.py": "from setuptools import setup\nsetup(name='third', install_requires=['attrs'])",
    }
    found = metadata(tmp_path, files)
    assert ("shop", (), {}) == (found.name, found.dependencies, found.extras)


def test_setup_py_takes_precedence_over_setup_cfg(tmp_path: Path) -> None:
    files = {
        "setup.cfg": CONFIG,
        "setup.py": "from setuptools import setup\nsetup(name='mine', install_requires=['a', 'b'])",
    }
    found = metadata(tmp_path, files)
    assert ("mine", ">=3.8", ("a", "b")) == (found.name, found.requires_python, found.dependencies)
    assert {"Test", "docs"} == set(found.extras or {})


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        pytest.param("setup(install_requires=['a'])", ("a",), id="literal"),
        pytest.param(
            "setup(install_requires='''\n a\n b ; os_name == 'nt'\n''')", ("a", "b ; os_name == 'nt'"), id="lines"
        ),
        pytest.param("setup()", (), id="none"),
        pytest.param("R = ['a']\nsetup(install_requires=R + ['b'])", ("a", "b"), id="names"),
        pytest.param("R = ['a']\nif X:\n    R.append('b')\nsetup(install_requires=R)", None, id="conditional"),
        pytest.param("setup(install_requires=read())", None, id="computed"),
        pytest.param("setup(install_requires=['a', *read()])", None, id="half-computed"),
        pytest.param("setup(**read())", None, id="hidden"),
        pytest.param("setup(pbr=True)", None, id="pbr"),
        pytest.param(
            "setup(extras_require={':os_name==\"nt\"': ['a', 'b; x']})",
            ('a ; os_name=="nt"', 'b ; (x) and (os_name=="nt")'),
            id="marker",
        ),
        pytest.param("if X:\n    setup(install_requires=['a'])\nelse:\n    setup()", None, id="two-calls"),
        pytest.param("if __name__ == '__main__':\n    setup(install_requires=['a'])", ("a",), id="main"),
        pytest.param("print 'two'\nsetup(install_requires=['a'])", None, id="python-2"),
    ],
)
def test_dependencies_in_setup_py_are_known_only_if_nothing_can_change_them(
    tmp_path: Path, setup: str, expected: tuple[str, ...] | None
) -> None:
    assert expected == metadata(tmp_path, {"setup.py": f"from setuptools import setup\n{setup}"}).dependencies


def script(root: Path, text: str) -> SetupScript:
    (root / "setup.py").write_text("from setuptools import setup\n" + dedent(text))
    return read_setup_script(root / "setup.py")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("setup(a=['x'], b=('y',), c={'z'})", {"a": ["x"], "b": ["y"], "c": ["z"]}, id="lists"),
        pytest.param("A = B = ['x']\nsetup(a=A, b=B)", {"a": ["x"], "b": ["x"]}, id="names"),
        pytest.param("A: list = ['x']\nA += ['y']\nsetup(a=A)", {"a": ["x", "y"]}, id="augmented"),
        pytest.param("A = []\nA.append('x')\nA.extend(['y'])\nsetup(a=A)", {"a": ["x", "y"]}, id="methods"),
        pytest.param(
            "E = {'t': ['x']}\nE['d'] = E['t'] + ['y']\nsetup(e=E)", {"e": {"t": ["x"], "d": ["x", "y"]}}, id="entries"
        ),
        pytest.param("E = dict(t=['x'], **{'d': 'y'})\nsetup(e=E)", {"e": {"t": ["x"], "d": "y"}}, id="dict-call"),
        pytest.param("E = {'t': ['x'], 'd': read(), **other}\nsetup(e=E)", {"e": {"t": ["x"]}}, id="what-is-known"),
        pytest.param("E = {}\nE.update({'t': 'x'})\nE['all'] = sum(E)\nsetup(e=E)", {"e": {"t": "x"}}, id="update"),
        pytest.param(
            "setup(a='x y'.split(), b=' x '.strip(), c='x\\ny'.splitlines())",
            {"a": ["x", "y"], "b": "x", "c": ["x", "y"]},
            id="text-methods",
        ),
        pytest.param("setup(a=list(['x']), b=sorted(('y',)), c=len('x'))", {"a": ["x"], "b": ["y"]}, id="calls"),
        pytest.param("kw = dict(a='x')\nsetup(**kw)", {"a": "x"}, id="keywords"),
        pytest.param("def run():\n    a = 'x'\n    setup(a=a)\nrun()", {"a": "x"}, id="function"),
        pytest.param("try:\n    a = read()\nexcept OSError:\n    a = 'x'\nsetup(a=a)", {"a": "x"}, id="try"),
        pytest.param("import setuptools\nsetuptools.setup(a='x')\nother.setup(a='y')", {"a": "x"}, id="module"),
        pytest.param(
            "with open('x') as f:\n    a = f.read()\nb = a + 'x'\nc = unknown['k']\nsetup(a=a, b=b, c=c)",
            {},
            id="unknown",
        ),
    ],
)
def test_literals_in_setup_py_are_followed(tmp_path: Path, text: str, expected: dict[str, object]) -> None:
    found = script(tmp_path, text)
    assert expected == dict(found.arguments)
    assert not any(isinstance(value, Unknown) for value in found.arguments.values())


def test_a_setup_py_that_cannot_be_parsed_tells_nothing(tmp_path: Path) -> None:
    for text in ("x = " + "(" * 5000 + ")" * 5000, "x = " + "-" * 100_000 + "1", "x = '\0'"):
        found = script(tmp_path, text)
        assert not found.is_closed


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {"setup.py": "import setuptools, shop\nsetuptools.setup(name=shop.NAME)"}, "FOLDER", id="computed"
        ),
        pytest.param(
            {"setup.py": "import setuptools", "PKG-INFO": "Metadata-Version: 2.1\nName: Shop\n"}, "Shop", id="sdist"
        ),
        pytest.param(
            {"setup.cfg": "[metadata]\nname = file: NAME", "setup.py": "import setuptools"}, "FOLDER", id="file"
        ),
        pytest.param({"setup.py": "import setuptools", "setup.cfg": "[metadata]\nname = shop"}, "shop", id="setup.cfg"),
    ],
)
def test_the_folders_name_is_used_if_only_a_build_knows_the_name(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    assert expected.replace("FOLDER", tmp_path.name) == find_project(write_tree(tmp_path, files)).name


def test_an_extra_that_only_a_build_knows_leaves_the_dependencies_unknown(tmp_path: Path) -> None:
    script = "from setuptools import setup\nsetup(install_requires=['attrs'])"
    files = {"setup.py": script, "tox.ini": "[testenv]\nextras = test"}
    project = find_project(write_tree(tmp_path, files))
    assert (("test",), ()) == (project.extras, project.dependencies)
    (tmp_path / "tox.ini").unlink()
    assert find_project(tmp_path).dependencies == ("attrs",)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("setup(name='a', extras_require={'test': ['pytest']})", True),
        ("setup(name='a')", True),
        ("setup(name='a', extras_require=make())", False),
        ("setup(**make())", False),
    ],
    ids=["literal", "none", "from a function", "hidden"],
)
def test_extras_that_only_a_build_knows(tmp_path: Path, script: str, *, expected: bool) -> None:
    write_tree(tmp_path, {"setup.py": f"from setuptools import setup\n{script}\n"})
    assert read_metadata(read_project_files(tmp_path)).are_extras_known is expected
    assert bool(find_project(tmp_path).built_extras) is not expected
    found = find_project(tmp_path, ini={"py_images_install": [".[test]"]}) if not expected else None
    assert found is None or found.extras == ("test",), "an extra that is not known may be one of the build"
