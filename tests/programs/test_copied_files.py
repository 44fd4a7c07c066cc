"""What git says of a tree decides what is copied of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_pyimages.containers.copied_files import GIT_LIMIT, CopyPattern, find_copied_files

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")
    subprocess.run(("git", *settings, *arguments), cwd=folder, check=True, capture_output=True)


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def files(root: Path, *patterns: CopyPattern) -> set[str]:
    found = find_copied_files(root, patterns).entries
    return {path for path in found if (root / path).is_file() and not path.startswith(".git/")}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    git(root, "init")
    (root / ".gitignore").write_text("*.bin\nbuild/\n.env\nvenv/\n")
    return root


def test_tracked_and_new_files_are_copied(tree: Path) -> None:
    """Also what would be ignored, or is rubbish elsewhere, if git tracks it."""
    write(tree, "a.py", "src/pkg/venv/b.py", "data/c.bin", "fake/pyvenv.cfg", "fake/d", "new.py", "gone.py")
    git(tree, "add", "--force", ".")
    (tree / "gone.py").unlink()
    write(tree, "newer.py", "e.bin", "build/x", ".env", "venv/pyvenv.cfg", "__pycache__/a.pyc")
    found = find_copied_files(tree)
    assert files(tree) == {".gitignore", "a.py", "data/c.bin", "fake/d", "fake/pyvenv.cfg", "new.py", "newer.py"} | {
        "src/pkg/venv/b.py"
    }
    assert found.left_out == [".env", "e.bin"]


def test_empty_folders_are_copied(tree: Path) -> None:
    (tree / "empty" / "deep").mkdir(parents=True)
    assert {"empty", "empty/deep"} <= find_copied_files(tree).entries.keys()


def test_the_last_pattern_decides(tree: Path) -> None:
    write(tree, "a.py", "build/kept/x", "build/y", "b.bin", "c.bin")
    patterns = (CopyPattern(re.compile("build(/|$)"), copies=True), CopyPattern(re.compile("(.*/)?y$"), copies=False))
    assert files(tree, *patterns) == {".gitignore", "a.py", "build/kept/x"}
    assert files(tree, CopyPattern(re.compile("build/kept/x$"), copies=True)) == {".gitignore", "a.py", "build/kept/x"}


def test_a_link_never_dangles_only_in_the_copy(tree: Path) -> None:
    write(tree, "build/kept/x", "build/y", "e.bin")
    (tree / "link").symlink_to("build/kept")
    (tree / "build" / "kept" / "next").symlink_to("../../e.bin")
    assert files(tree) >= {"build/kept/x", "e.bin"}
    assert "build/y" not in files(tree)


def test_git_itself_is_copied_without_hooks(tree: Path) -> None:
    write(tree, ".git/hooks/pre-commit", ".git/index.lock")
    git_files = {path for path in find_copied_files(tree).entries if path.startswith(".git/")}
    assert {".git/HEAD", ".git/config", ".git/objects", ".git/refs"} <= git_files
    assert not any("hooks" in path or path.endswith(".lock") for path in git_files)


def test_a_large_history_is_left_out_by_name(tree: Path) -> None:
    with (tree / ".git" / "objects" / "large.pack").open("wb") as file:
        file.truncate(GIT_LIMIT + 1)
    found = find_copied_files(tree)
    assert ".git/HEAD" not in found.entries
    assert found.left_out == [".git/"]


def test_checkouts_in_checkouts_have_rules_of_their_own(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other, "m.py")
    git(other, "init")
    (other / ".gitignore").write_text("*.log\n")
    git(other, "add", ".")
    git(other, "commit", "-m", "a")
    git(tree, "submodule", "add", str(other), "sub")
    write(tree, "sub/x.log", "sub/y.bin", "x.log")
    assert files(tree) >= {"sub/m.py", "sub/y.bin", "x.log"}
    assert find_copied_files(tree).left_out == ["sub/x.log"]


@pytest.mark.parametrize("folder", ["build/project", "build"])
def test_a_folder_that_another_checkout_ignores_is_copied(tree: Path, folder: str) -> None:
    write(tree, f"{folder}/a.py", f"{folder}/b.bin")
    assert files(tree / folder) == {"a.py", "b.bin"}


def test_a_folder_of_a_checkout(tree: Path) -> None:
    write(tree, "packages/one/a.py", "packages/one/b.bin")
    assert files(tree / "packages" / "one") == {"a.py"}
