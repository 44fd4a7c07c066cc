"""What containers must not see of the host's tree, and what git says of it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pytest_pyimages.containers.copied_files import CopyPattern
from pytest_pyimages.containers.hidden_files import MOST_REMOVED, find_hidden_files
from pytest_pyimages.containers.links import find_repository
from tests.programs.test_copied_files import git, write
from tests.support.permissions import obeyed_permissions

EXTENSION = "src/shop/fast.cpython-312-x86_64-linux-gnu.so"
GENERATED = ("build/lib.linux/a.so", "src/shop.egg-info/PKG-INFO", "venv/pyvenv.cfg", EXTENSION, "shop/pure.abi3.so")
HIDDEN = {"build", "src/shop.egg-info", "venv", EXTENSION, "shop/pure.abi3.so"}
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    write(root, "pyproject.toml", "src/shop/__init__.py", *GENERATED)
    return root


def hidden(root: Path, *patterns: CopyPattern, compiles: bool = True, needed: tuple[Path, ...] = ()) -> set[str]:
    return set(find_hidden_files(root, patterns, compiles=compiles, needed=needed).paths)


def test_what_the_host_has_built_is_hidden(tree: Path) -> None:
    assert hidden(tree) == HIDDEN


def test_without_git_extensions_are_source_unless_the_project_is_compiled(tree: Path) -> None:
    assert hidden(tree, compiles=False) == {"build", "src/shop.egg-info", "venv"}


def test_what_only_looks_generated_is_shown(tree: Path) -> None:
    shutil.rmtree(tree / "build")
    write(tree, "build/__init__.py", "docs/build/lib/a.txt", "tests/data/other.egg-info/PKG-INFO", "src/shop/plain.so")
    assert hidden(tree) == HIDDEN - {"build"}


def test_folders_that_this_user_cannot_read_are_not_searched(tree: Path) -> None:
    """As a database in a container leaves one, for example."""
    write(tree, "data/db/file", "data/build/lib/a.txt")
    for name in ("data/db", "data/build", "src"):
        (tree / name).chmod(0)
    with obeyed_permissions():
        assert hidden(tree) == HIDDEN - {"src/shop.egg-info", EXTENSION}


@needs_git
def test_what_git_tracks_is_shown(tree: Path) -> None:
    git(tree, "init")
    assert hidden(tree, compiles=False) == HIDDEN
    git(tree, "add", "--force", ".")
    assert hidden(tree) == set()
    assert hidden(tree, CopyPattern(re.compile("src(/|$)"), copies=False)) == set()


@needs_git
def test_an_excluded_folder_keeps_what_git_tracks(tree: Path) -> None:
    write(tree, "data/README", "data/large.bin")
    git(tree, "init")
    git(tree, "add", "data/README")
    assert hidden(tree, CopyPattern(re.compile("data(/|$)"), copies=False)) == {*HIDDEN, "data/large.bin"}


def test_a_pattern_shows_what_would_be_hidden(tree: Path) -> None:
    assert hidden(tree, CopyPattern(re.compile("build(/|$)"), copies=True)) == HIDDEN - {"build"}


def test_what_is_used_is_shown(tree: Path) -> None:
    """The working folder, and what links lead to: pytest skips silently what dangles."""
    (tree / "linked").symlink_to("venv/lib")
    write(tree, "venv/lib/a.py")
    assert hidden(tree, needed=(tree / "build" / "lib.linux",)) == HIDDEN - {"venv", "build"}


def test_folders_of_many_files_are_told_apart(tree: Path) -> None:
    write(tree, *(f"venv/lib/{number}.py" for number in range(MOST_REMOVED)))
    assert find_hidden_files(tree).large == ("venv",)


@needs_git
def test_the_repository_of_a_worktree_or_submodule_is_found(tmp_path: Path) -> None:
    main = tmp_path / "main"
    write(main, "a.txt")
    git(main, "init")
    git(main, "add", ".")
    git(main, "commit", "-m", "a")
    git(main, "worktree", "add", str(tmp_path / "linked"))
    git(main, "submodule", "add", str(main), "sub")
    assert find_repository(main) == ()
    for root, folder in ((tmp_path / "linked", main / ".git"), (main / "sub", main / ".git" / "modules" / "sub")):
        (found,) = find_repository(root)
        assert (found.target, found.source, found.is_repository) == (str(folder), folder, True)


@pytest.mark.parametrize("text", ["", "gitdir: ../nowhere", "other"])
def test_a_broken_repository_is_left_alone(tmp_path: Path, text: str) -> None:
    root = tmp_path / "tree"
    write(root, "a.txt")
    (root / ".git").write_text(text)
    assert find_repository(root) == ()
