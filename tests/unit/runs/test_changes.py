"""What a container reports about the source is compared with this host's tree; nothing of it is trusted."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.runs.changes import MAX_CHANGES, NOT_COPIED_PROBLEM, Change, SourceChanges, is_safe
from pytest_pyimages.runs.events import ChangedContent, ChangedPath, ChangedPaths, ContentPart, ListedFolder, Scanned
from pytest_pyimages.runs.fields import WireError
from pytest_pyimages.runs.wire import decode_record


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file(path: str, data: bytes, *, executable: bool = False) -> ChangedPath:
    return ChangedPath(path, "file", len(data), executable, digest(data))


@pytest.fixture
def changes(tmp_path: Path) -> Iterator[SourceChanges]:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.txt").write_bytes(b"old")
    found = SourceChanges(tmp_path, began=time.time() + 10)  # nothing is changed on the host meanwhile
    yield found
    found.close()


def kinds(changes: SourceChanges) -> dict[str, str]:
    return {change.path: change.kind for change in changes.compare()}


def test_only_differences_are_changes(changes: SourceChanges) -> None:
    """A file that was opened for writing is in the upper layer, whether or not it was changed."""
    changes.take(ChangedPaths((file("tests/a.txt", b"old"), file("tests/b.txt", b"new"))))
    assert kinds(changes) == {"tests/b.txt": "new"}
    changes.take(ChangedPaths((file("tests/a.txt", b"nex"),)))
    assert kinds(changes) == {"tests/a.txt": "changed", "tests/b.txt": "new"}


@pytest.mark.skipif(os.name != "posix", reason="there are no executable files")
def test_executable_bit_is_a_change(changes: SourceChanges) -> None:
    changes.take(ChangedPaths((file("tests/a.txt", b"old", executable=True),)))
    assert kinds(changes) == {"tests/a.txt": "changed"}


def test_removed_files_and_folders_are_named(changes: SourceChanges, tmp_path: Path) -> None:
    (tmp_path / "tests" / "old").mkdir()
    (tmp_path / "tests" / "c.txt").touch()
    (tmp_path / "tests" / "__pycache__").mkdir()
    changes.take(ChangedPaths((ChangedPath("tests/a.txt", "removed", 0, False, ""),)))
    changes.take(ChangedPaths((ChangedPath("tests/never.txt", "removed", 0, False, ""),)))
    changes.take(ListedFolder("tests", frozenset({"a.txt"})))
    assert kinds(changes) == {"tests/a.txt": "deleted", "tests/c.txt": "deleted", "tests/old/": "deleted"}


def test_files_that_the_host_made_meanwhile_are_not_missing(tmp_path: Path) -> None:
    changes = SourceChanges(tmp_path, began=time.time() - 10)
    (tmp_path / "new.txt").touch()
    changes.take(ListedFolder("", frozenset()))
    assert kinds(changes) == {}


@pytest.mark.parametrize("gone", ["file", "folder"])
def test_what_the_host_removes_meanwhile_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """An editor or another program may remove files while they are compared."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.txt").touch()
    (tmp_path / "tests" / "b.txt").touch()
    changes = SourceChanges(tmp_path, began=time.time() + 10)
    changes.take(ListedFolder("tests", frozenset()))
    scan = os.scandir

    def scan_and_remove(folder: Path) -> contextlib.closing[Generator[os.DirEntry[str], None, None]]:
        if gone == "folder":
            folder.rename(folder.with_name("elsewhere"))
        with scan(folder) as found:
            entries = list(found)
        (folder / "a.txt").unlink()
        return contextlib.closing(entry for entry in entries)

    monkeypatch.setattr(os, "scandir", scan_and_remove)
    assert kinds(changes) == ({} if gone == "folder" else {"tests/b.txt": "deleted"})


def test_host_changes_are_seen(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("of the host")
    changes = SourceChanges(tmp_path, began=time.time() - 10)
    changes.take(ChangedPaths((file("a.txt", b"of the suite"),)))
    (change,) = changes.compare()
    assert change.host_changed


@pytest.mark.parametrize(
    "path",
    [
        *(".coverage.host.1.2", "pkg/mod.pyc", ".testmondata-wal"),
        *(".hypothesis/unicode_data/15/charmap.json.gz", "sub/.hypothesis/constants/ab"),
    ],
)
def test_caches_are_left_out(changes: SourceChanges, path: str) -> None:
    changes.take(ChangedPaths((file(path, b"x"),)))
    assert kinds(changes) == {}


def test_examples_of_hypothesis_are_no_cache(changes: SourceChanges) -> None:
    changes.take(ChangedPaths((file(".hypothesis/examples/ab/cd", b"x"),)))
    assert kinds(changes) == {".hypothesis/examples/ab/cd": "new"}


UNSAFE = [
    *("/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "", ".", "a/", "a\nb", "a\x1b[2Jb", "a\udc80"),
    *(
        ".git/hooks/pre-commit",
        "sub/.git/config",
        ".GIT/config",
        ".git./config",
        "node_modules/x.js",
        ".venv/bin/python",
    ),
    ".pyimages/3.12/x",
]


@pytest.mark.parametrize("path", UNSAFE)
def test_unsafe_paths_are_never_written(changes: SourceChanges, path: str) -> None:
    assert not is_safe(path)
    send(changes, path, b"evil")
    for change in changes.compare():
        assert change.content is None
        assert change.problem


@pytest.mark.parametrize("path", ["a", "a/b.txt", "ü/ß, x", ".github/x", "..a/b", ".hypothesis/examples/x"])
def test_safe_paths(path: str) -> None:
    assert is_safe(path)


def send(changes: SourceChanges, path: str, data: bytes, *, size: int | None = None) -> None:
    changes.take(ChangedPaths((file(path, data),)))
    changes.take(ChangedContent(path, len(data) if size is None else size))
    changes.take(ContentPart(data))


def test_content_is_stored_until_closed(changes: SourceChanges) -> None:
    send(changes, "b.txt", b"content")
    send(changes, "c.txt", b"cut", size=5)
    complete, cut = changes.compare()
    assert complete.content is not None
    assert complete.content.read_bytes() == b"content"
    assert (cut.content, cut.problem) == (None, "it was not received completely")
    changes.close()
    assert not complete.content.exists()


@pytest.mark.parametrize("kind", ["link", "other"])
def test_links_and_special_files_are_not_written(changes: SourceChanges, kind: str) -> None:
    changes.take(ChangedPaths((ChangedPath("x", kind, 0, False, ""),)))
    changes.take(ChangedContent("x", 1))
    changes.take(ContentPart(b"x"))
    (change,) = changes.compare()
    assert (change.content, change.is_file) == (None, False)
    assert change.problem


def test_changes_are_limited(changes: SourceChanges) -> None:
    for start in range(0, MAX_CHANGES + 400, 200):
        changes.take(ChangedPaths(tuple(file(f"f{start + number}", b"") for number in range(200))))
    assert len(list(changes.compare())) == MAX_CHANGES


def test_end_is_known(changes: SourceChanges) -> None:
    assert not changes.is_complete
    changes.take(Scanned(3, "pkg: Permission denied"))
    assert (changes.is_complete, changes.more, changes.problem) == (True, 3, "pkg: Permission denied")


def test_links_of_the_host_do_not_lead_out(tmp_path: Path) -> None:
    """A folder of the container may be a link on this host."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    changes = SourceChanges(tmp_path / "root", began=time.time() + 10)
    changes.take(ListedFolder("link", frozenset()))
    assert kinds(changes) == {}


RECORDS: list[dict[str, Any]] = [
    {"t": "changed", "rows": [["a", "file", 1, False, "0" * 64]]},
    {"t": "listed", "path": "", "names": ["a"]},
    {"t": "content", "path": "a", "size": 1},
    {"t": "part", "data": "YQ=="},
    {"t": "scanned", "more": 0, "problem": ""},
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: str(record["t"]))
def test_records_are_decoded(record: dict[str, Any]) -> None:
    assert decode_record(json.dumps(record).encode()) is not None


@pytest.mark.parametrize(
    "record",
    [
        {"t": "changed", "rows": [["a", "file", 1, False]]},
        {"t": "changed", "rows": [["a", "device", 1, False, ""]]},
        {"t": "changed", "rows": [["a", "file", -1, False, ""]]},
        {"t": "changed", "rows": [["a", "file", 1, 0, ""]]},
        {"t": "changed", "rows": [["a" * 5000, "file", 1, False, ""]]},
        {"t": "changed", "rows": [["a", "file", 1, False, "0" * 65]]},
        {"t": "listed", "path": None, "names": []},
        {"t": "listed", "path": "", "names": [1]},
        {"t": "content", "path": "a", "size": -1},
        {"t": "part", "data": ""},
        {"t": "part", "data": "YQ"},
        {"t": "scanned", "more": "0", "problem": ""},
    ],
    ids=json.dumps,
)
def test_wrong_records_are_refused(record: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        decode_record(json.dumps(record).encode())


def test_change_is_a_value() -> None:
    assert Change(path="a", kind="new") == Change(path="a", kind="new")


def test_files_that_were_not_copied_are_neither_deleted_nor_overwritten(tmp_path: Path) -> None:
    """The container has not seen them, so that it cannot have changed them."""
    for name in ("a.py", ".env"):
        (tmp_path / name).write_text("the host's")
    found = SourceChanges(tmp_path, present=frozenset({"a.py"}), began=time.time() + 100)
    found.take(ListedFolder(path="", names=frozenset()))
    assert [(change.path, change.kind) for change in found.compare()] == [("a.py", "deleted")]
    found = SourceChanges(tmp_path, present=frozenset({"a.py"}))
    found.take(ChangedPaths((ChangedPath(path=".env", kind="file", size=1, executable=False, digest="x"),)))
    (change,) = found.compare()
    assert (change.content, change.problem) == (None, NOT_COPIED_PROBLEM)
