"""Versions from git tags: the tool, its number, and what requires a new build."""

from __future__ import annotations

import os
import subprocess
from datetime import date
from pathlib import Path

import pytest

from pytest_pyimages.project.files import read_project_files
from pytest_pyimages.project.scm.versioning import Versioning, find_versioning
from tests.support.project_tree import write_tree

TODAY = date(2026, 11, 23)
NODE = "NODE"  # stands for the commit's hash
ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    **{f"GIT_{who}_{what}": "shop@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


class Checkout:
    """A git repository with a project's files in it."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.folder = write_tree(folder, {"README": "", **files})
        self.git("init", "-q", "-b", "main")
        self.git("add", ".")
        self.commit()

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=ENVIRON, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, count: int = 1) -> None:
        for _ in range(count):
            self.git("commit", "-q", "--allow-empty", "-m", "a commit")

    def edit(self) -> None:
        (self.folder / "README").write_text("edited")

    def versioning(self, below: str = ".", name: str = "shop") -> Versioning:
        found = find_versioning(read_project_files(self.folder / below), name)
        assert found is not None
        return found

    def version(self, below: str = ".") -> str | None:
        """Return the number, with NODE in place of what the hash begins with."""
        found = self.versioning(below).version(ENVIRON, today=TODAY)
        node = self.git("rev-parse", "HEAD")
        for length in range(40, 6, -1):
            found = found and found.replace(node[:length], NODE)
        return found


def pyproject(backend: str, requires: str, tables: str = "", *, head: str = 'dynamic = ["version"]') -> str:
    return (
        f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n[project]\nname = "shop"\n{head}\n'
        + tables
    )


def setuptools(options: str = "", requires: str = "setuptools-scm>=8") -> str:
    return pyproject("setuptools.build_meta", requires, f"[tool.setuptools_scm]\n{options}\n")


HATCH = pyproject("hatchling.build", "hatch-vcs", '[tool.hatch.version]\nsource = "vcs"\n')
PDM = pyproject("pdm.backend", "pdm-backend", '[tool.pdm.version]\nsource = "scm"\n')
UV = pyproject("hatchling.build", "uv-dynamic-versioning", '[tool.hatch.version]\nsource = "uv-dynamic-versioning"\n')
POETRY = pyproject(
    "poetry_dynamic_versioning.backend", "x", "[tool.poetry-dynamic-versioning]\nenable = true\nbump = true\n"
)
VERSIONINGIT = pyproject("setuptools.build_meta", "versioningit", "[tool.versioningit.vcs]\nmethod = 'git'\n")
GIT_VERSIONING = pyproject(
    "setuptools.build_meta", "setuptools-git-versioning", "[tool.setuptools-git-versioning]\nenabled = true\n"
)
PBR = "import setuptools\nsetuptools.setup(setup_requires=['pbr'], pbr=True)\n"


@pytest.mark.parametrize(
    ("files", "tag", "exact", "later", "edited"),
    [
        pytest.param(
            {"pyproject.toml": setuptools()},
            "v1.2.3",
            "1.2.3",
            f"1.2.4.dev2+g{NODE}",
            f"1.2.4.dev2+g{NODE}.d20261123",
            id="setuptools-scm",
        ),
        pytest.param(
            {"pyproject.toml": HATCH}, "1.2", "1.2", f"1.3.dev2+g{NODE}", f"1.3.dev2+g{NODE}.d20261123", id="hatch-vcs"
        ),
        pytest.param(
            {"pyproject.toml": pyproject("flit_scm:buildapi", "flit_scm")},
            "1.0rc1",
            "1.0rc1",
            f"1.0rc2.dev2+g{NODE}",
            f"1.0rc2.dev2+g{NODE}.d20261123",
            id="flit-scm",
        ),
        pytest.param(
            {"pyproject.toml": PDM}, "v1.2", "1.2", f"1.3.dev2+g{NODE}", f"1.3.dev2+g{NODE}.d20261123", id="pdm-backend"
        ),
        pytest.param(
            {"setup.py": PBR, "setup.cfg": "[metadata]\nname = shop\n"},
            "1.2.3",
            "1.2.3",
            "1.2.4.dev2",
            "1.2.4.dev2",
            id="pbr",
        ),
        pytest.param(
            {"pyproject.toml": UV},
            "v1.2.3",
            "1.2.3",
            f"1.2.3.post2.dev0+{NODE}",
            f"1.2.3.post2.dev0+{NODE}",
            id="uv-dynamic-versioning",
        ),
        pytest.param(
            {"pyproject.toml": POETRY},
            "v1.2.3",
            "1.2.3",
            f"1.2.4.dev2+{NODE}",
            f"1.2.4.dev2+{NODE}",
            id="poetry-dynamic-versioning",
        ),
    ],
)
def test_versions_of_each_tool(
    tmp_path: Path, files: dict[str, str], tag: str, exact: str, later: str, edited: str
) -> None:
    checkout = Checkout(tmp_path, files)
    checkout.git("tag", tag)
    assert checkout.version() == exact
    checkout.commit(2)
    assert checkout.version() == later
    checkout.edit()
    assert checkout.version() == edited


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        pytest.param({"pyproject.toml": VERSIONINGIT}, "add git to py_images_apt", id="versioningit"),
        pytest.param({"pyproject.toml": GIT_VERSIONING}, "add git to py_images_apt", id="setuptools-git-versioning"),
        pytest.param(
            {"pyproject.toml": PDM + 'version_format = "shop:version"\n'},
            "add git to py_images_apt, or set PDM_BUILD_SCM_VERSION by py_images_env",
            id="pdm-backend-with-a-function",
        ),
    ],
)
def test_other_numbers_are_left_to_the_tool_in_the_container(tmp_path: Path, files: dict[str, str], hint: str) -> None:
    checkout = Checkout(tmp_path, files)
    checkout.git("tag", "v1.2.3")
    assert checkout.version() is None
    versioning = checkout.versioning()
    assert versioning.tool.hint == hint
    assert versioning.last_tag(ENVIRON) == "v1.2.3"


@pytest.mark.parametrize(
    ("options", "tag", "exact", "later"),
    [
        pytest.param("", "v1.2rc1", "1.2rc1", f"1.2rc1.post2.dev0+{NODE}", id="pre-release"),
        pytest.param("bump = true", "v1.2rc1", "1.2rc1", f"1.2rc2.dev2+{NODE}", id="bump"),
        pytest.param("bump = {enable = true}", "v1!1.2", "1!1.2", f"1!1.3.dev2+{NODE}", id="epoch"),
        pytest.param("bump = {enable = true, index = 0}", "v1.2", None, None, id="another-place"),
        pytest.param("metadata = false", "v1.2", "1.2", "1.2.post2.dev0", id="no-metadata"),
        pytest.param('pattern = "default-unprefixed"', "1.2-beta.3", "1.2b3", f"1.2b3.post2.dev0+{NODE}", id="pattern"),
        pytest.param('pattern = "^rel-(?P<base>.+)$"', "rel-1.2", "1.2", f"1.2.post2.dev0+{NODE}", id="own-pattern"),
        pytest.param("", "v1.2.post1", "1.2.post1", None, id="post-release"),
        pytest.param('style = "semver"', "v1.2", None, None, id="style"),
    ],
)
def test_options_of_dunamai(tmp_path: Path, options: str, tag: str, exact: str | None, later: str | None) -> None:
    checkout = Checkout(tmp_path, {"pyproject.toml": f"{UV}[tool.uv-dynamic-versioning]\n{options}\n"})
    checkout.git("tag", tag)
    assert checkout.version() == exact
    checkout.commit(2)
    assert checkout.version() == later


@pytest.mark.parametrize(
    ("options", "tag", "version"),
    [
        pytest.param('version_scheme = "no-guess-dev"', "1.2", f"1.2.post1.dev2+g{NODE}", id="no-guess-dev"),
        pytest.param('version_scheme = "post-release"', "1.2", f"1.2.post2+g{NODE}", id="post-release"),
        pytest.param('local_scheme = "no-local-version"', "1.2", "1.3.dev2", id="no-local-version"),
        pytest.param('local_scheme = "dirty-tag"', "1.2", "1.3.dev2", id="dirty-tag"),
        pytest.param('tag_regex = "^rel-(?P<version>.+)$"', "rel-3.4", f"3.5.dev2+g{NODE}", id="tag_regex"),
        pytest.param('tag_regex = "^rel-(.+)$"', "v3.4", None, id="a tag that does not fit"),
        pytest.param(
            '[tool.vcs-versioning]\nlocal_scheme = "no-local-version"', "1.2", "1.3.dev2", id="its newer table"
        ),
        pytest.param('tag.prefix = "shop-v"', "shop-v3.4", f"3.5.dev2+g{NODE}", id="tag.prefix"),
        pytest.param("", "2.0.dev0", f"2.0.dev2+g{NODE}", id="a tag for development"),
        pytest.param("", "event", f"0.1.dev3+g{NODE}", id="no tag with a number"),
        pytest.param('fallback_version = "5.1"', "event", f"5.2.dev3+g{NODE}", id="fallback_version"),
        pytest.param(
            'git_describe_command = "git describe --dirty --tags --long --match v*"',
            "rel-1.0",
            f"0.1.dev3+g{NODE}",
            id="git_describe_command",
        ),
    ],
)
def test_options_of_setuptools_scm(tmp_path: Path, options: str, tag: str, version: str | None) -> None:
    checkout = Checkout(tmp_path, {"pyproject.toml": setuptools(options)})
    checkout.git("tag", tag)
    checkout.commit(2)
    assert checkout.version() == version


def test_a_configured_command_is_not_run(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, {"pyproject.toml": setuptools('git_describe_command = "touch ran --match v*"')})
    checkout.git("tag", "v1.0")
    assert checkout.version() == "1.0"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("files", "is_certain"),
    [
        pytest.param({"pyproject.toml": setuptools()}, True, id="defaults"),
        pytest.param({"pyproject.toml": setuptools('version_scheme = "calver-by-date"')}, False, id="other scheme"),
        pytest.param({"pyproject.toml": setuptools('version_scheme = "release-branch-semver"')}, False, id="semver"),
        pytest.param({"pyproject.toml": setuptools('parse = "shop:parse"')}, False, id="own parser"),
        pytest.param(
            {"setup.py": "from setuptools import setup\nsetup(use_scm_version={'local_scheme': 'dirty-tag'})"},
            True,
            id="a dict",
        ),
        pytest.param(
            {"setup.py": "from setuptools import setup\nsetup(use_scm_version={'version_scheme': scheme()})"},
            False,
            id="a dict with a function",
        ),
    ],
)
def test_whether_the_version_is_certain(tmp_path: Path, files: dict[str, str], is_certain: bool) -> None:
    assert Checkout(tmp_path, files).versioning().tool.is_certain is is_certain


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"pyproject.toml": setuptools().replace('dynamic = ["version"]', 'version = "1"')}, id="static"),
        pytest.param({"pyproject.toml": setuptools(requires="setuptools").split("[tool")[0]}, id="no tool"),
        pytest.param({"pyproject.toml": HATCH.replace("vcs", "regex")}, id="another source"),
        pytest.param({"pyproject.toml": POETRY.replace("true", "false")}, id="switched off"),
        pytest.param(
            {
                "setup.cfg": "[metadata]\nname = shop\nversion = 1\n",
                "pyproject.toml": "[build-system]\nrequires = []\n",
            },
            id="setup.cfg",
        ),
    ],
)
def test_projects_without_a_version_from_git(tmp_path: Path, files: dict[str, str]) -> None:
    checkout = Checkout(tmp_path, files)
    assert find_versioning(read_project_files(checkout.folder), "shop") is None


def test_without_a_checkout_the_version_is_left_to_the_build(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pyproject.toml": setuptools()})
    assert find_versioning(read_project_files(tmp_path), "shop") is None


def test_a_project_below_the_top_of_the_checkout(tmp_path: Path) -> None:
    checkout = Checkout(
        tmp_path,
        {
            "here/pyproject.toml": setuptools(),
            "up/pyproject.toml": setuptools('root = ".."'),
            "pdm/pyproject.toml": PDM,
        },
    )
    checkout.git("tag", "v1.2.3")
    assert find_versioning(read_project_files(tmp_path / "here"), "shop") is None, "setuptools-scm does not look above"
    assert checkout.version("up") == checkout.version("pdm") == "1.2.3"


def test_only_tags_require_a_new_build(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, {"pyproject.toml": setuptools()})
    versioning = checkout.versioning()
    assert versioning.last_tag(ENVIRON) == ""
    checkout.git("tag", "v1.0")
    checkout.commit(2)
    checkout.edit()
    assert versioning.last_tag(ENVIRON) == "v1.0"
    checkout.git("tag", "v1.1")
    assert versioning.last_tag(ENVIRON) == "v1.1"


def test_the_users_variable_takes_precedence(tmp_path: Path) -> None:
    versioning = Checkout(tmp_path, {"pyproject.toml": setuptools()}).versioning(name="Shop.Front")
    assert versioning.variables == (
        "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_SHOP_FRONT",
        "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_SHOP.FRONT",
        "SETUPTOOLS_SCM_PRETEND_VERSION",
    )
    environ = {**ENVIRON, "SETUPTOOLS_SCM_PRETEND_VERSION": "7.0"}
    assert versioning.version(environ) == versioning.last_tag(environ) == "7.0"


def test_git_variables_of_a_hook_are_ignored(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "one", {"pyproject.toml": setuptools()})
    checkout.git("tag", "v1.0")
    other = Checkout(tmp_path / "other", {})
    other.git("tag", "v9.0")
    assert checkout.versioning().last_tag({**ENVIRON, "GIT_DIR": str(other.folder / ".git")}) == "v1.0"


def test_without_git_on_the_host_there_is_no_version(tmp_path: Path) -> None:
    versioning = Checkout(tmp_path, {"pyproject.toml": setuptools()}).versioning()
    nowhere = {"PATH": str(tmp_path)}
    assert versioning.last_tag(nowhere) == ""
    assert versioning.version(nowhere) is None
