"""Whether a process would read the same of the host again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pyimages.cli.watching.reads import Reads

Edit = Callable[[Path], object]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder that is watched, whose files were not changed a moment ago."""
    root = tmp_path / "above" / "project"
    (root / "src").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    for path in (root / "pyproject.toml", root / "src" / "cart.py", tmp_path / "outside" / "pip.conf"):
        path.write_text("1")
        os.utime(path, (1, 1))
    time.sleep(0.15)
    return root


def record(root: Path, read: Callable[[], object] = lambda: None) -> Reads:
    """Record what is read; as a session does, that of the project and of a folder outside."""
    reads = Reads(root, [root])
    reads.start()
    (root / "pyproject.toml").read_text()
    (root.parents[1] / "outside" / "pip.conf").read_bytes()
    list(os.scandir(root.parents[1] / "outside"))
    list(os.walk(root))
    (root / "missing.toml").exists()
    read()
    reads.stop()
    return reads


def test_what_was_not_changed_is_the_same(root: Path) -> None:
    reads = record(root)
    (root / "src" / "cart.py").write_text("2")  # was listed, but not read
    (root.parent / "notes.txt").touch()
    assert reads.are_complete
    assert reads.are_same()


@pytest.mark.parametrize(
    "edit",
    [
        lambda root: (root / "pyproject.toml").write_text("2"),
        lambda root: os.utime(root / "pyproject.toml", (2, 2)),
        lambda root: (root / "pyproject.toml").unlink(),
        lambda root: (root / "src" / "cart.py").replace(root / "pyproject.toml"),
        lambda root: (root.parents[1] / "outside" / "pip.conf").write_text("2"),
        lambda root: (root.parents[1] / "outside" / "uv.toml").touch(),
        lambda root: (root.parent / "pytest.ini").touch(),
        lambda root: (root / ".venv").mkdir(),
    ],
    ids=["written", "touched", "removed", "replaced", "outside", "new outside", "new above", "new environment"],
)
def test_a_change_is_found(root: Path, edit: Edit) -> None:
    reads = record(root)
    edit(root)
    assert not reads.are_same()


def test_a_file_that_was_written_a_moment_ago_may_be_written_again(root: Path) -> None:
    (root / "pyproject.toml").write_text("2")
    assert not record(root).are_same()


def test_a_file_that_is_written_was_not_read(root: Path) -> None:
    reads = record(root, lambda: (root.parent / "log").write_text("1"))
    (root.parent / "log").write_text("2")
    assert reads.are_same()


def test_what_git_lists_depends_on_its_index(root: Path) -> None:
    subprocess.run(["git", "init", "-q", root], check=True)
    subprocess.run(["git", "-C", root, "add", "."], check=True)
    time.sleep(0.15)
    reads = record(root, lambda: subprocess.run(["git", "-C", root, "ls-files"], capture_output=True, check=True))
    assert reads.are_complete
    assert reads.are_same()
    subprocess.run(["git", "-C", root, "rm", "-q", "--cached", "src/cart.py"], check=True)
    assert not reads.are_same()


def test_what_other_programs_read_is_not_known(root: Path) -> None:
    reads = record(root, lambda: subprocess.run([sys.executable, "-c", ""], check=True))
    assert not reads.are_complete
