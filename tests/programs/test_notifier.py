"""The program that notices changed files, and git's opinion of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_pyimages.cli.watching.changes import ChangedFiles
from pytest_pyimages.cli.watching.notifier import HASHED_BYTES


def test_changes_before_a_call_are_read_and_others_are_not_noticed(tmp_path: Path) -> None:
    project = tmp_path / "venv" / "project"  # the name of a folder above it means nothing
    project.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / ".gitignore").write_text("*.log\nout/\n")
    (project / "out").mkdir()
    (project / "tracked.log").touch()
    subprocess.run(["git", "-C", project, "add", "-f", "tracked.log"], check=True)
    with ChangedFiles(project) as files:
        assert files.read_until_now() == []
        for name in ("a.py", "b.log", "out/c.py", "d.pyc", "tracked.log", "ä \n.py", ".git/e", ".pyimages-12345678"):
            (project / name).write_text("x")
        (project / "temporary").touch()
        (project / "temporary").unlink()
        found = {(str(change.path.relative_to(project)), change.kind) for change in files.read_until_now()}
        assert found == {("a.py", "added"), ("tracked.log", "modified"), ("ä \n.py", "added")}
        assert files.read_until_now() == []


def test_what_editors_do_after_a_save_is_no_change(tmp_path: Path) -> None:
    """Vim waits for the disk before it sets permissions and access lists."""
    path, large = tmp_path / "a.py", tmp_path / "large.bin"
    path.write_text("1")
    large.write_bytes(b"x" * (HASHED_BYTES + 1))
    with ChangedFiles(tmp_path) as files:

        def names() -> list[str]:
            return [f"{change.path.name} {change.kind}" for change in files.read_until_now()]

        assert names() == []
        path.write_text("2")
        assert names() == ["a.py modified"]
        path.chmod(path.stat().st_mode)
        assert names() == []
        os.link(path, tmp_path / "a.py~")
        assert names() == []
        path.write_text("3")
        assert names() == ["a.py modified"]
        path.chmod(0o755)
        assert names() == ["a.py modified"], "a test may execute it"
        path.touch()
        assert names() == ["a.py modified"], "by hand, to run the tests again"
        path.unlink()
        assert names() == ["a.py deleted"]
        path.write_text("3")
        assert names() == ["a.py added"]
        large.chmod(large.stat().st_mode)
        assert names() == ["large.bin modified"]


@pytest.mark.parametrize(
    "name",
    ["#a.py#", ".#a.py", "a.py~", ".a.py.swp", ".a.py.kate-swp", "4913", ".0123456789abcdef0123456789abcdef.tmp"],
)
def test_temporary_files_of_editors_are_not_noticed(tmp_path: Path, name: str) -> None:
    with ChangedFiles(tmp_path) as files:
        assert files.read_until_now() == [], "the folder is empty"
        (tmp_path / name).write_text("x")
        if name == "4913":  # of Vim, for a moment
            (tmp_path / name).unlink()
        (tmp_path / "a.py").write_text("x")
        assert [change.path.name for change in files.read_until_now()] == ["a.py"]


def test_files_of_new_folders_are_new(tmp_path: Path) -> None:
    with ChangedFiles(tmp_path) as files:
        files.read_until_now()
        assert not files.have_new_names
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "c.py").write_text("x")
        (tmp_path / "a" / "b" / "c.py").write_text("y")
        assert [(each.path.name, each.kind) for each in files.read_until_now()] == [("c.py", "added")]
        assert files.have_new_names
