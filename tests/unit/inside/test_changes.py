"""The worker finds what a suite has changed in a copied source, and in the upper layer of an overlay."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

CHANGES: Any = import_module("pytest_pyimages.inside.worker.changes")  # without annotations, for Python 2.7
SKIP = ["__pycache__", ".git"]


class Suite:
    """A copied source, and the time at which its suite begins."""

    def __init__(self, root: Path) -> None:
        self.wanted: dict[str, Any] = {"root": str(root), "upper": None, "skip": SKIP, "send": []}

    def begin(self) -> None:
        self.wanted["folders"] = CHANGES.list_folders(self.wanted)
        read, write = os.pipe()
        self.since = os.fstat(read).st_ctime
        os.close(read)
        os.close(write)

    def scan(self) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        CHANGES.send_changes(lambda **fields: records.append(fields), self.wanted, self.since)
        assert records[-1]["t"] == "scanned"
        return records

    def kinds(self) -> dict[str, str]:
        return {row[0]: row[1] for record in self.scan() if record["t"] == "changed" for row in record["rows"]}

    def names(self) -> dict[str, list[str]]:
        return {record["path"]: record["names"] for record in self.scan() if record["t"] == "listed"}


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "pkg" / "sub").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for name in ("a.txt", "pkg/b.txt", "pkg/sub/c.txt", ".git/config"):
        (tmp_path / name).write_text(name)
    return Suite(tmp_path)


def wait_for_clock(path: Path, since: float) -> None:
    """Wait until the kernel's clock of files has moved on; it ticks some 250 times a second."""
    while True:
        path.touch()
        if path.stat().st_ctime > since:
            path.unlink()
            return


@pytest.fixture
def begin(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], None]:
    def begin() -> None:
        suite.begin()
        wait_for_clock(tmp_path_factory.mktemp("clock") / "file", suite.since)

    return begin


def test_nothing_has_changed(suite: Suite, begin: Callable[[], None]) -> None:
    begin()
    assert suite.scan() == [{"t": "scanned", "more": 0, "problem": ""}]


def test_written_files_of_each_kind(suite: Suite, begin: Callable[[], None], tmp_path: Path) -> None:
    begin()
    (tmp_path / "a.txt").write_text("other")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "ü.txt").write_text("")
    (tmp_path / "link").symlink_to("a.txt")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / ".git" / "hook").write_text("")
    assert suite.kinds() == {"a.txt": "file", "new/ü.txt": "file", "link": "link", "pipe": "other"}
    os.utime(tmp_path / "pkg" / "b.txt", (0, 0))  # whatever time it pretends
    assert "pkg/b.txt" in suite.kinds()


def test_moved_folder_has_new_files(suite: Suite, begin: Callable[[], None], tmp_path: Path) -> None:
    """A file does not show that a folder above it was moved."""
    begin()
    (tmp_path / "pkg" / "sub").rename(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / "again")
    assert suite.kinds() == {"again/c.txt": "file"}
    assert suite.names()["pkg"] == ["b.txt"]


def test_removed_file_is_missing_in_its_folder(suite: Suite, begin: Callable[[], None], tmp_path: Path) -> None:
    begin()
    (tmp_path / "pkg" / "b.txt").unlink()
    assert suite.names() == {"pkg": ["sub"]}


def test_upper_layer_shows_only_what_was_written(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Files that the image's build generated are older than the suite."""
    upper = tmp_path_factory.mktemp("upper")
    (upper / "generated.so").write_text("")
    suite.wanted["upper"] = str(upper)
    suite.begin()
    wait_for_clock(upper / "clock", suite.since)
    (upper / "pkg").mkdir()
    (upper / "pkg" / "new.txt").write_text("content")
    suite.wanted["send"] = ["pkg(/|$)"]
    assert suite.kinds() == {"pkg/new.txt": "file"}
    assert content(suite.scan()) == {"pkg/new.txt": b"content"}


def test_a_renamed_folder_has_its_files_in_the_lower_layer(
    suite: Suite, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The upper layer has the folder alone (redirect_dir)."""
    upper = tmp_path_factory.mktemp("upper")
    suite.wanted["upper"] = str(upper)
    suite.begin()
    (tmp_path / "pkg").rename(tmp_path / "moved")
    (upper / "moved").mkdir()
    assert suite.kinds() == {"moved/b.txt": "file", "moved/sub/c.txt": "file"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make the device that is a whiteout")
def test_whiteout_is_a_removed_entry(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> None:
    upper = tmp_path_factory.mktemp("upper")
    suite.wanted["upper"] = str(upper)
    suite.begin()
    os.mknod(upper / "a.txt", 0o020000, os.makedev(0, 0))
    assert suite.kinds() == {"a.txt": "removed"}


def content(records: list[dict[str, Any]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    path = ""
    for record in records:
        if record["t"] == "content":
            path = record["path"]
            found[path] = b""
        elif record["t"] == "part":
            found[path] += base64.b64decode(record["data"])
    return found


def test_content_of_wanted_files_is_sent_in_parts(
    suite: Suite, begin: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CHANGES, "PART", 1000)
    monkeypatch.setattr(CHANGES, "MAX_CONTENT", 5000)
    begin()
    (tmp_path / "a.txt").write_bytes(bytes(range(250)) * 10)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "large.txt").write_bytes(b"x" * 5001)
    (tmp_path / "other.bin").touch()
    suite.wanted["send"] = [r"(.*/)?[^/]*\.txt(/|$)"]
    assert content(suite.scan()) == {"a.txt": bytes(range(250)) * 10, "empty.txt": b""}
    assert set(suite.kinds()) == {"a.txt", "empty.txt", "large.txt", "other.bin"}


def test_many_changes_are_counted(
    suite: Suite, begin: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CHANGES, "MOST_ROWS", 3)
    begin()
    for number in range(5):
        (tmp_path / f"new{number}").touch()
    assert suite.scan()[-1]["more"] == 2
    assert len(suite.kinds()) == 3


def test_removed_source_is_a_problem(suite: Suite, begin: Callable[[], None], tmp_path: Path) -> None:
    begin()
    shutil.rmtree(tmp_path)
    assert suite.scan() == [{"t": "scanned", "more": 0, "problem": ".: No such file or directory"}]


def test_files_that_other_processes_change_while_they_are_read(tmp_path: Path) -> None:
    """The host sees that a content is short; files without content are named all the same."""
    path, scan = tmp_path / "log", CHANGES.Scan({"root": str(tmp_path), "upper": None, "skip": []}, 0.0)
    path.write_bytes(b"x" * 100)
    status = path.stat()
    sent: list[dict[str, Any]] = []

    def truncate(**fields: Any) -> None:
        sent.append(fields)
        path.write_bytes(b"")

    assert CHANGES.send_content(truncate, str(path), "log", 1000) == 100
    assert sent == [{"t": "content", "path": "log", "size": 100}]
    path.write_bytes(b"x" * 100)
    assert CHANGES.send_content(truncate, str(path), "log", 99) == 0
    path.unlink()
    assert CHANGES.send_content(truncate, str(path), "log", 1000) == 0
    assert len(sent) == 1
    assert scan.describe("log", "file", status) == ["log", "file", 100, False, ""]
    assert scan.read_status(str(tmp_path), "log") is None
    assert scan.has_lost_entries("log", str(path)) is False
