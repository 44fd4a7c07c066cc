"""Which changes of files are changes for the watch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pytest_pyimages.cli.watching.changes import FileChange, add_changes, require_watchfiles
from pytest_pyimages.cli.watching.notifier import KnownFiles
from pytest_pyimages.errors import ConfigurationError
from tests.support.golden import message


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        (["added", "deleted"], []),
        (["added", "modified"], ["added"]),
        (["modified", "deleted"], ["deleted"]),
        (["deleted", "added"], ["modified"]),
        (["deleted", "added", "deleted"], ["deleted"]),
        (["added", "modified", "deleted"], []),
    ],
    ids="-".join,
)
def test_changes_of_a_file_are_combined(kinds: list[str], left: list[str]) -> None:
    found: dict[Path, FileChange] = {}
    for kind in kinds:
        add_changes(found, [FileChange(Path("/a.py"), kind)])
    assert [change.kind for change in found.values()] == left


def test_kinds_are_those_of_the_tree(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    files = KnownFiles()
    files.find(str(tmp_path))

    def compare(name: str) -> list[tuple[str, str]]:
        return [(kind, os.path.relpath(path, tmp_path)) for kind, path in files.compare(str(tmp_path / name))]

    assert compare("a.py") == [("modified", "a.py")]
    assert compare("gone.py") == []
    (tmp_path / "b.py").touch()
    assert compare("b.py") == [("added", "b.py")]
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert [*compare("a.py"), *compare("b.py")] == [("deleted", "a.py"), ("modified", "b.py")]


def test_a_folder_that_is_moved_changes_its_files(tmp_path: Path) -> None:
    """Only the folder itself is noticed (inotify(7))."""
    project, outside = tmp_path / "project", tmp_path / "outside"
    (project / "package" / "__pycache__").mkdir(parents=True)
    for name in ("a.py", "b.py", "__pycache__/a.pyc"):
        (project / "package" / name).touch()
    files = KnownFiles()
    files.find(str(project))
    (project / "package").rename(outside)
    gone = [*files.compare(str(project / "package"))]
    assert gone == [("deleted", str(project / "package" / name)) for name in ("a.py", "b.py")]
    outside.rename(project / "other")
    assert {kind for kind, _ in files.compare(str(project / "other"))} == {"added"}


def test_the_extra_is_named_without_watchfiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(ConfigurationError) as caught:
        require_watchfiles()
    assert str(caught.value) == message("cli", "watch-needs-watchfiles")
