"""The program that notices changed files, and git's opinion of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pytest_pyimages.cli.watching.changes import ChangedFiles


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
