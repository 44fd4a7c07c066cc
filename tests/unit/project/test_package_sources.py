"""Where the packages of a project come from, as the tables of its tools say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_pyimages.images.recipe import list_steps
from pytest_pyimages.project.package_sources import describe_packages
from pytest_pyimages.project.project import Project, find_project
from pytest_pyimages.project.requirements import LocalPackage
from pytest_pyimages.project.source_root import find_source_root
from tests.support.golden import message
from tests.support.project_tree import setuptools_project, write_tree

Tables = dict[str, list[dict[str, object]]]
HELPER = {"helper/pyproject.toml": '[project]\nname = "helper"\nversion = "1"\n'}
GROUP = '[dependency-groups]\ndev = ["pytest", "helper>=1"]\n'


def find(root: Path, pyproject: str, files: Mapping[str, str] = {}) -> Project:
    return find_project(write_tree(root, {"pyproject.toml": pyproject, **files}))


def tables(project: Project) -> Tables:
    return {name: [dict(table) for table in found] for name, found in project.sources.tables.items()}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{path = "helper"}', [{"path": "/ROOT/helper"}]),
        ('{path = "./helper", editable = true}', [{"path": "/ROOT/helper", "editable": True}]),
        ('{git = "https://a.example/x", rev = "v1"}', [{"git": "https://a.example/x", "rev": "v1"}]),
        ('{url = "https://a.example/x.whl"}', [{"url": "https://a.example/x.whl"}]),
        (
            '[{path = "helper", marker = "sys_platform == \'linux\'"}, {index = "a", marker = "os_name == \'nt\'"}]',
            [
                {"path": "/ROOT/helper", "marker": "sys_platform == 'linux'"},
                {"index": "a", "marker": "os_name == 'nt'"},
            ],
        ),
        (
            '[{path = "helper", group = "dev"}, {index = "a", extra = "gpu"}, {index = "b", group = "docs"}]',
            [{"path": "/ROOT/helper"}],
        ),
    ],
    ids=["path", "editable", "git", "url", "markers", "of a group"],
)
@pytest.mark.parametrize("is_installed", [True, False])
def test_sources_of_uv_are_read(
    tmp_path: Path, source: str, expected: list[dict[str, object]], *, is_installed: bool
) -> None:
    head = (
        setuptools_project()
        if is_installed
        else '[project]\nname = "shop"\nversion = "1"\n[tool.uv]\npackage = false\n'
    )
    project = find(tmp_path, f"{head}{GROUP}[tool.uv.sources]\nHelper = {source}\n", HELPER)
    rooted = [{key: str(value).replace("/ROOT", str(tmp_path)) for key, value in table.items()} for table in expected]
    assert [{key: str(value) for key, value in table.items()} for table in tables(project)["helper"]] == rooted
    assert project.sources.requirements == ("helper>=1",), "the installer learns the source of what is requested only"


WORKSPACE = """
    [tool.uv.workspace]
    members = ["packages/*", "tools/./one"]
    exclude = ["packages/old"]
    [tool.uv.sources]
    helper = {workspace = true}
    wheels = {path = "wheels/w.whl"}
    """
MEMBERS = {
    "packages/helper/pyproject.toml": '[project]\nname = "helper"\nversion = "1"\n',
    "packages/old/pyproject.toml": '[project]\nname = "old"\nversion = "1"\n',
    "packages/notes/README": "no project",
    "tools/one/pyproject.toml": '[project]\nname = "One_Tool"\nversion = "1"\n',
    "wheels/w.whl": "",
}


def test_members_of_a_workspace_are_sources_even_if_no_entry_names_them(tmp_path: Path) -> None:
    project = find(tmp_path, setuptools_project(GROUP + WORKSPACE), MEMBERS)
    assert tables(project) == {
        "helper": [{"editable": True, "path": f"{tmp_path}/packages/helper"}],
        "one-tool": [{"path": f"{tmp_path}/tools/one", "editable": True}],
        "wheels": [{"path": f"{tmp_path}/wheels/w.whl"}],
    }


def test_a_member_has_the_sources_of_its_workspace(tmp_path: Path) -> None:
    """Its own take precedence; the containers get the workspace, without which uv does not know them."""
    write_tree(tmp_path, {"pyproject.toml": WORKSPACE, **MEMBERS})
    own = '[tool.uv.sources]\nwheels = {path = "mine.whl"}\n'
    root = tmp_path / "packages" / "shop"
    project = find(root, setuptools_project(GROUP + own))
    assert tables(project)["helper"] == [{"editable": True, "path": f"{tmp_path}/packages/helper"}]
    assert tables(project)["wheels"] == [{"path": f"{root}/mine.whl"}]
    assert "shop" not in project.sources.tables
    assert find_source_root(project, root, root) == tmp_path


def test_a_folder_that_the_workspace_excludes_is_no_member(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pyproject.toml": WORKSPACE, **MEMBERS})
    project = find(tmp_path / "packages" / "old", setuptools_project())
    assert project.sources.tables == {}
    assert project.folders == ()


def test_a_virtual_root_installs_its_members_with_their_groups(tmp_path: Path) -> None:
    helper = setuptools_project('[dependency-groups]\ndev = ["trustme"]\n').replace("shop", "helper")
    application = (
        '[project]\nname = "app"\nversion = "1"\ndependencies = ["helper", "attrs"]\n[tool.uv]\npackage = false\n'
    )
    members = {"packages/helper/pyproject.toml": helper, "packages/app/pyproject.toml": application}
    project = find(tmp_path, "[tool.uv.workspace]\nmembers = ['packages/*']\n", members)
    assert project.requirements == ("helper", "attrs", f"-e {tmp_path}/packages/helper", "trustme")
    assert project.sources.requirements == ("helper",)
    assert "workspace members packages/app, packages/helper" in project.origin


def test_settings_of_uv_are_those_of_the_workspace_s_root(tmp_path: Path) -> None:
    settings = '[tool.uv]\nexclude-newer = "2026-01-01"\nfind-links = ["wheels"]\nmanaged = true\n'
    write_tree(tmp_path, {"pyproject.toml": settings + WORKSPACE, **MEMBERS})
    own = '[tool.uv]\nprerelease = "allow"\n[[tool.uv.index]]\nname = "mine"\nurl = "simple"\n'
    project = find(tmp_path / "packages" / "shop", setuptools_project(own))
    assert project.sources.settings == {"exclude-newer": "2026-01-01", "find-links": [f"{tmp_path}/wheels"]}
    assert project.sources.origin == str(tmp_path / "pyproject.toml")


@pytest.mark.parametrize("place", ["", "../"])
def test_uv_toml_goes_before_pyproject_toml(tmp_path: Path, place: str) -> None:
    settings = '[[index]]\nname = "corp"\nurl = "https://corp.example/simple"\ndefault = true\n'
    own = "" if place else '[tool.uv]\nresolution = "lowest"\n'
    project = find(tmp_path / "shop", setuptools_project(own), {f"{place}uv.toml": settings})
    index = {"name": "corp", "url": "https://corp.example/simple", "default": True}
    assert project.sources.settings == {"index": [index]}


def test_only_indexes_that_sources_name_go_with_them(tmp_path: Path) -> None:
    text = f"""{setuptools_project(GROUP)}
[tool.uv.sources]
helper = {{index = "ours"}}
[[tool.uv.index]]
name = "ours"
url = "wheels"
format = "flat"
explicit = true
[[tool.uv.index]]
name = "other"
url = "https://other.example/simple"
"""
    sources = find(tmp_path, text).sources
    index = {"name": "ours", "url": f"{tmp_path}/wheels", "format": "flat", "explicit": True}
    assert sources.indexes == (index,)
    assert [entry["name"] for entry in sources.settings["index"]] == ["ours", "other"]


def test_an_override_of_a_package_with_a_source_becomes_a_requirement(tmp_path: Path) -> None:
    """As an override, uv would take it from the public index."""
    tool = (
        '[tool.uv]\noverride-dependencies = ["helper>=2", "attrs==25.1"]\n[tool.uv.sources]\nhelper = {index = "a"}\n'
    )
    sources = find(tmp_path, setuptools_project(GROUP + tool)).sources
    assert sources.settings["override-dependencies"] == ["attrs==25.1"]
    assert sources.requirements == ("helper>=1", "helper>=2")


POETRY = """
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
[tool.poetry]
name = "shop"
version = "1"
[tool.poetry.dependencies]
python = "^3.10"
helper = {version = "^1", source = "Our Corp"}
[tool.poetry.group.dev.dependencies]
pytest = "*"
lib = {path = "lib", develop = true}
[[tool.poetry.group.dev.dependencies.old]]
version = "1"
python = "<3.12"
source = "backup"
[[tool.poetry.group.dev.dependencies.old]]
git = "https://a.example/x"
branch = "main"
python = ">=3.12"
"""
LIB = {"lib/pyproject.toml": setuptools_project().replace("shop", "lib")}


def test_sources_of_poetry_are_read(tmp_path: Path) -> None:
    sources = """
[[tool.poetry.source]]
name = "Our Corp"
url = "https://corp.example/simple"
priority = "explicit"
[[tool.poetry.source]]
name = "backup"
url = "https://backup.example/simple"
priority = "supplemental"
"""
    project = find(tmp_path, POETRY + sources, LIB)
    assert tables(project) == {
        "helper": [{"index": "Our-Corp"}],
        "lib": [{"path": f"{tmp_path}/lib", "editable": True}],
        "old": [
            {"index": "backup", "marker": "python_version < '3.12'"},
            {"git": "https://a.example/x", "branch": "main", "marker": "python_version >= '3.12'"},
        ],
    }
    assert project.sources.settings["index"] == [
        {"name": "Our-Corp", "url": "https://corp.example/simple", "explicit": True},
        {"name": "backup", "url": "https://backup.example/simple"},
    ]
    assert "lib" in project.sources.requirements, "editable, so that edits are seen"
    assert "helper>=1,<2" in project.sources.requirements
    assert project.sources.origin == "pyproject.toml [tool.poetry]"


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ((("corp", ""),), {"corp": True}),
        ((("corp", 'priority = "primary"'), ("more", "")), {"corp": False, "more": True}),
        ((("corp", ""), ("PyPI", "")), {"corp": False}),
        ((("corp", "default = true"),), {"corp": True}),
        ((("corp", "secondary = true"),), {"corp": False}),
    ],
    ids=["alone", "two", "with PyPI", "old default", "old secondary"],
)
def test_a_primary_source_of_poetry_replaces_the_public_index(
    tmp_path: Path, listed: tuple[tuple[str, str], ...], expected: dict[str, bool]
) -> None:
    text = "".join(
        f'[[tool.poetry.source]]\nname = "{name}"\n{key}\n'
        + ("" if name == "PyPI" else f'url = "https://{name}.example"\n')
        for name, key in listed
    )
    settings = find(tmp_path, POETRY + text, LIB).sources.settings
    assert {entry["name"]: entry.get("default", False) for entry in settings["index"]} == expected


PDM = """
[[tool.pdm.source]]
name = "corp"
url = "https://${TOKEN}@corp.example/simple"
include_packages = ["help*"]
[[tool.pdm.source]]
name = "pypi"
url = "https://mirror.example/simple"
[[tool.pdm.source]]
name = "more"
type = "find_links"
url = "https://more.example/list"
"""


def test_sources_of_pdm_are_read(tmp_path: Path) -> None:
    project = find(tmp_path, setuptools_project(GROUP + PDM))
    assert tables(project) == {"helper": [{"index": "corp"}]}
    assert project.sources.settings["index"] == [
        {"name": "corp", "url": "https://${TOKEN}@corp.example/simple", "explicit": True},
        {"name": "pypi", "url": "https://mirror.example/simple", "default": True},
        {"name": "more", "url": "https://more.example/list", "format": "flat"},
    ]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("-e file:///${PROJECT_ROOT}/lib#egg=lib", "-e ROOT/lib"),
        ("-e ./lib[extra]", "-e ROOT/lib[extra]"),
        ("-e lib", "-e ROOT/lib"),
        ("lib @ file:///${PROJECT_ROOT}/lib", "lib @ file://ROOT/lib"),
        ("-e git+https://a.example/x.git@main#egg=x", "x @ git+https://a.example/x.git@main"),
    ],
)
def test_entries_of_pdm_with_a_place_are_installed(tmp_path: Path, entry: str, expected: str) -> None:
    project = find(tmp_path, setuptools_project(f'[tool.pdm.dev-dependencies]\ntest = ["pytest", "{entry}"]\n'), LIB)
    assert project.requirements == ("pytest", expected.replace("ROOT", str(tmp_path)))
    assert [package.path for package in project.packages] == [tmp_path / "lib"] * ("lib" in entry)


def test_the_project_itself_is_no_package_beside_it(tmp_path: Path) -> None:
    text = setuptools_project('[tool.pdm.dev-dependencies]\ntest = ["pytest", "-e file:///${PROJECT_ROOT}#egg=shop"]\n')
    assert find(tmp_path, text).requirements == ("pytest",)


def test_sources_of_pipenv_are_read(tmp_path: Path) -> None:
    """Only packages that name it come from another source than the first."""
    pipfile = """
        [[source]]
        name = "pypi"
        url = "https://pypi.org/simple"
        verify_ssl = true
        [[source]]
        name = "corp"
        url = "https://corp.example/simple"
        [packages]
        helper = {version = "*", index = "corp"}
        lib = {path = "./lib", editable = true}
        [dev-packages]
        pytest = "*"
        """
    project = find_project(write_tree(tmp_path, {"Pipfile": pipfile, **LIB}))
    assert tables(project) == {
        "helper": [{"index": "corp"}],
        "lib": [{"path": f"{tmp_path}/lib", "editable": True}],
    }
    corp = {"name": "corp", "url": "https://corp.example/simple", "explicit": True}
    assert project.sources.settings["index"] == [corp]
    assert project.sources.requirements == ("helper", "lib")


def test_variables_of_hatch_s_environments_name_indexes(tmp_path: Path) -> None:
    tool = """
        [tool.hatch.envs.default.env-vars]
        UV_INDEX = "corp=https://{env:TOKEN}@corp.example/simple"
        PIP_INDEX_URL = "https://mirror.example/simple"
        OTHER = "https://other.example"
        [tool.hatch.envs.test]
        dependencies = ["pytest"]
        """
    assert find(tmp_path, setuptools_project(tool)).sources.settings["index"] == [
        {"name": "corp", "url": "https://${TOKEN}@corp.example/simple"},
        {"url": "https://mirror.example/simple", "default": True},
    ]


def test_members_of_hatch_s_workspaces_are_sources(tmp_path: Path) -> None:
    tool = """
        [tool.hatch.envs.test]
        dependencies = ["pytest", "helper"]
        workspace.members = [{path = "packages/h*"}]
        """
    project = find(tmp_path, setuptools_project(tool), MEMBERS)
    assert tables(project) == {"helper": [{"path": f"{tmp_path}/packages/helper", "editable": True}]}
    assert project.sources.requirements == ("helper",)


def test_sources_of_pixi_are_read(tmp_path: Path) -> None:
    tool = """
        [tool.pixi.pypi-options]
        extra-index-urls = ["https://corp.example/simple"]
        find-links = [{path = "wheels"}]
        [tool.pixi.pypi-dependencies]
        shop = {path = ".", editable = true}
        lib = {path = "lib", editable = true}
        [tool.pixi.feature.test.pypi-dependencies]
        helper = {version = "*", index = "https://one.example/simple"}
        """
    project = find(tmp_path, setuptools_project(GROUP + tool), LIB)
    assert tables(project) == {
        "lib": [{"path": f"{tmp_path}/lib", "editable": True}],
        "helper": [{"index": "index-1"}],
    }
    assert project.sources.settings["find-links"] == [f"{tmp_path}/wheels"]
    assert project.sources.indexes == ({"name": "index-1", "url": "https://one.example/simple", "explicit": True},)


def test_names_in_requirements_files_have_their_source(tmp_path: Path) -> None:
    files = {"requirements-test.txt": "pytest\nhelper\n", **HELPER}
    project = find(tmp_path, setuptools_project('[tool.uv.sources]\nhelper = {path = "helper"}\n'), files)
    assert project.sources.requirements == ("helper",)


@pytest.mark.parametrize("is_editable", [True, False])
def test_files_of_packages_in_the_tree_decide_about_a_new_build(tmp_path: Path, *, is_editable: bool) -> None:
    source = '{path = "helper"%s}' % (", editable = true" if is_editable else "")
    files = {**HELPER, "helper/helper.py": "", "helper/setup.py": "", "helper/tests/test_a.py": ""}
    project = find(tmp_path, setuptools_project(f"{GROUP}[tool.uv.sources]\nhelper = {source}\n"), files)
    found = {
        path.relative_to(tmp_path / "helper").as_posix()
        for path in project.fingerprint_files
        if "helper" in str(path.parent)
    }
    assert found == {"pyproject.toml", "setup.py", *(() if is_editable else ("helper.py",))}


@pytest.mark.parametrize(
    "line", ["-e ../lib", "../lib[x]", "lib @ file:///ROOT/lib", "-e ../lib --config-settings a=b"]
)
def test_containers_get_packages_that_requirements_files_name_beside_the_project(tmp_path: Path, line: str) -> None:
    root = tmp_path / "app"
    write_tree(tmp_path, {**LIB, "app/requirements/test.txt": f"pytest\n{line.replace('/ROOT', str(tmp_path))}\n"})
    project = find_project(root)
    assert [package.path for package in project.packages] == [tmp_path / "lib"]
    assert find_source_root(project, root, root) == tmp_path


def test_containers_get_files_that_requirements_files_include(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pins/c.txt": "attrs==25.1\n", "app/requirements-test.txt": "pytest\n-c ../pins/c.txt\n"})
    root = tmp_path / "app"
    assert find_source_root(find_project(root), root, root) == tmp_path


def test_versions_of_packages_are_set_by_variables(tmp_path: Path) -> None:
    (tmp_path / "w.whl").touch()
    write_tree(tmp_path, {**HELPER, **LIB, "nameless/setup.py": "from setuptools import setup\nsetup()\n"})
    names = ("helper", "lib", "nameless", "w.whl")
    packages = [LocalPackage(tmp_path / name, is_editable=True) for name in names]
    assert describe_packages(packages, {}) == {"helper": {}, "lib": {}, "": {}}


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("-e ./lib --config-settings editable_mode=compat", "--config-settings"),
        ('attrs --global-option="--x"', "--global-option"),
        ("attrs --config-setting=a=b", "--config-setting"),
        ("--prefer-binary", "--prefer-binary"),
        ("-e git+https://a.example/x#egg=x", "git+"),
        ("x @ hg+https://a.example/x", "hg+"),
        ("svn+https://a.example/x#egg=x", "svn+"),
    ],
)
def test_what_only_pip_knows_is_installed_by_pip(tmp_path: Path, line: str, option: str) -> None:
    files = {"requirements-test.txt": "-r requirements/more.txt\n", "requirements/more.txt": f"pytest\n{line}\n"}
    project = find_project(write_tree(tmp_path, {**files, **LIB}))
    assert project.needs_pip
    assert project.notes == (message("project", "needs-pip", options=f"more.txt:2: {option}"),)


@pytest.mark.parametrize(
    "line", ["attrs==25.1 --hash=sha256:abc", "x @ git+https://a.example/x", "attrs  # --prefer-binary", "-e ./lib"]
)
def test_what_uv_knows_is_installed_by_uv(tmp_path: Path, line: str) -> None:
    project = find_project(write_tree(tmp_path, {"requirements-test.txt": f"pytest\n{line}\n", **LIB}))
    assert not project.needs_pip
    assert project.notes == ()


def test_options_that_uv_ignores_in_files_are_given_to_it(tmp_path: Path) -> None:
    text = "--pre\n--trusted-host=a.example\npytest\n"
    project = find_project(write_tree(tmp_path, {"requirements-test.txt": text}))
    assert list_steps(project) == (("--pre", "--trusted-host", "a.example", "-r", "requirements-test.txt"),)


@pytest.mark.parametrize("entry", ["-e lib", "-e ./lib", "--editable=lib"])
def test_py_images_install_takes_packages_of_the_tree(tmp_path: Path, entry: str) -> None:
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(), **LIB})
    project = find_project(tmp_path, ini={"py_images_install": [entry]})
    assert project.requirements == (f"-e {tmp_path}/lib",)
    assert project.packages == (LocalPackage(tmp_path / "lib", is_editable=True),)
