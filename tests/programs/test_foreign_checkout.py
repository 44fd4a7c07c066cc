"""A checkout of another user: git refuses it, but its version is found, and nothing that it configures is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.project.files import read_project_files
from pytest_pyimages.project.scm.git import Git
from pytest_pyimages.project.scm.versioning import Versioning, find_versioning
from tests.programs.test_scm import ENVIRON, TODAY, Checkout
from tests.support.golden import message

# git's own tests set it, too.
STRANGER = {**ENVIRON, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
SCM = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools-scm"]\n[project]\nname = "shop"\ndynamic = ["version"]\n'
    "[tool.setuptools_scm]\n"
}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "shop", SCM)
    made.git("tag", "v1.4.0")
    return made


def find(folder: Path) -> Versioning:
    found = find_versioning(read_project_files(folder), "shop")
    assert found is not None
    return found


def test_git_refuses_it(checkout: Checkout) -> None:
    git = Git(checkout.folder, STRANGER)
    assert git.run("rev-parse", "HEAD") == checkout.git("rev-parse", "HEAD")
    assert git.refusal.startswith("fatal: detected dubious ownership in repository at ")


@pytest.mark.parametrize("change", ["tag", "commit", "edit", "pack", "autocrlf"])
def test_version_is_that_of_the_owner(checkout: Checkout, change: str) -> None:
    if change == "commit":
        checkout.commit(2)
    elif change == "edit":
        checkout.edit()
    elif change == "pack":
        checkout.git("pack-refs", "--all")
        checkout.git("gc", "-q")
    elif change == "autocrlf":
        checkout.git("config", "core.autocrlf", "true")
        (checkout.folder / "README").write_bytes(b"one\r\ntwo\r\n")
        checkout.git("add", ".")
        checkout.commit()
        (checkout.folder / "README").touch()
    found = find(checkout.folder)
    assert found.version(STRANGER, today=TODAY) == found.version(ENVIRON, today=TODAY)
    assert found.last_tag(STRANGER) == "v1.4.0"
    assert found.explain_refusal(STRANGER) == ""


def test_worktree_and_submodule(checkout: Checkout, tmp_path: Path) -> None:
    checkout.git("worktree", "add", "-q", str(tmp_path / "worktree"))
    outer = Checkout(tmp_path / "outer", {})
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(checkout.folder), "inner")
    for folder in (tmp_path / "worktree", tmp_path / "outer" / "inner"):
        assert find(folder).version(STRANGER, today=TODAY) == "1.4.0"


def test_nothing_that_it_configures_is_run(checkout: Checkout, tmp_path: Path) -> None:
    trap = tmp_path / "run-by-git"
    program = f"touch {trap}; cat"
    outer = Checkout(tmp_path / "outer", {**SCM, ".gitattributes": "* filter=trap diff=trap\n"})
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(checkout.folder), "inner")
    outer.git("config", "-f", ".gitmodules", "submodule.inner.ignore", "none")
    outer.git("add", ".")
    outer.git("commit", "-q", "-m", "a submodule")
    outer.git("tag", "v2.0")
    hook = outer.folder / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{program}")
    hook.chmod(0o755)
    for arguments in ((), ("-C", "inner")):
        for key in (
            "core.fsmonitor",
            "filter.trap.clean",
            "filter.trap.process",
            "diff.trap.textconv",
            "core.sshCommand",
        ):
            outer.git(*arguments, "config", key, program)
    for name in ("README", "inner/README"):
        (outer.folder / name).write_text("edited")
    assert (find(outer.folder).version(STRANGER, today=TODAY) or "").startswith("2.1.dev0+g")
    assert not trap.exists()
    assert find(outer.folder).version(ENVIRON, today=TODAY)
    assert trap.exists()  # the owner's own git runs it


def test_a_repository_that_cannot_be_read(checkout: Checkout) -> None:
    (checkout.folder / ".git/refs/heads/main").unlink()
    found = find(checkout.folder)
    assert found.version(STRANGER, today=TODAY) is None
    assert found.explain_refusal(STRANGER) == message("project", "git-refuses", folder=checkout.folder)
