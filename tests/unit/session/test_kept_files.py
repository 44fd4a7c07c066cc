"""Files of containers are written on this host only where that is safe."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.host import WantedFiles
from pytest_pyimages.runs import Change, SourceChanges
from pytest_pyimages.runs.events import ChangedContent, ChangedPath, ChangedPaths, ContentPart, Scanned
from pytest_pyimages.session.kept_files import KeptFiles, format_changes, write_below

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def change(tmp_path: Path) -> Callable[..., Change]:
    def change(path: str, *, executable: bool = False, host_changed: bool = False) -> Change:
        content = tmp_path / "content"
        content.write_bytes(b"of the container")
        return Change(path=path, kind="new", content=content, executable=executable, host_changed=host_changed)

    return change


def test_new_file_in_new_folders(root: Path, change: Callable[..., Change]) -> None:
    write_below(root, change("a/b/c.txt"))
    assert (root / "a" / "b" / "c.txt").read_bytes() == b"of the container"
    assert [path.name for path in (root / "a" / "b").iterdir()] == ["c.txt"]


@posix
def test_modes_are_those_of_new_files_and_of_changed_ones(root: Path, change: Callable[..., Change]) -> None:
    mask = os.umask(0o027)
    try:
        write_below(root, change("plain"))
        write_below(root, change("program", executable=True))
    finally:
        os.umask(mask)
    (root / "private").touch(0o600)
    write_below(root, change("private"))
    modes = [(root / name).stat().st_mode & 0o7777 for name in ("plain", "program", "private")]
    assert modes == [0o640, 0o750, 0o600]


@posix
@pytest.mark.parametrize("target", ["..", "/"])
def test_links_on_the_way_do_not_lead_out(root: Path, change: Callable[..., Change], target: str) -> None:
    (root / "link").symlink_to(target)
    with pytest.raises(PyimagesError, match="leads out of the project"):
        write_below(root, change("link/sub/file"))


@posix
def test_links_within_the_project_are_followed(root: Path, change: Callable[..., Change]) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to("real")
    write_below(root, change("link/file"))
    assert (root / "real" / "file").exists()


@posix
def test_file_that_is_a_link_is_left_alone(root: Path, change: Callable[..., Change]) -> None:
    (root.parent / "outside").write_text("of the host")
    (root / "file").symlink_to("../outside")
    with pytest.raises(PyimagesError, match="it is a symbolic link"):
        write_below(root, change("file"))
    assert (root.parent / "outside").read_text() == "of the host"


def test_file_that_the_host_changed_is_left_alone(root: Path, change: Callable[..., Change]) -> None:
    (root / "file").write_text("of the host")
    with pytest.raises(PyimagesError, match="changed on this host, too"):
        write_below(root, change("file", host_changed=True))
    assert (root / "file").read_text() == "of the host"


def test_folder_is_not_replaced(root: Path, change: Callable[..., Change]) -> None:
    (root / "name").mkdir()
    with pytest.raises(PyimagesError, match="not a file"):
        write_below(root, change("name"))
    (root / "file").touch()
    with pytest.raises(PyimagesError):
        write_below(root, change("file/below"))


def container(root: Path, **files: bytes) -> SourceChanges:
    """Return the changes of a container, with the content of all files; names have "__" for slashes."""
    found = SourceChanges(root, began=time.time() + 10)
    for name, data in files.items():
        path = name.replace("__", "/") + ".txt"
        found.take(ChangedPaths((ChangedPath(path, "file", len(data), False, hashlib.sha256(data).hexdigest()),)))
        found.take(ChangedContent(path, len(data)))
        found.take(ContentPart(data))
    found.take(Scanned(0, ""))
    return found


def finish(root: Path, wanted: WantedFiles, **containers: SourceChanges) -> KeptFiles:
    kept = KeptFiles(wanted, root, root)
    for label, found in containers.items():
        kept.take(label, found)
    kept.finish(containers, names_all=False)
    return kept


def test_unwanted_changes_are_named_once(root: Path) -> None:
    images = {"a": container(root, x=b"1", y=b"2"), "b": container(root, x=b"1", y=b"other")}
    kept = finish(root, WantedFiles(), **images)
    assert kept.notes == [
        "2 files changed in a, b: x.txt, y.txt · keep them with --py-images-keep-changes=a",
    ]
    assert list(root.iterdir()) == []
    assert not kept.is_incomplete


def test_one_image_is_kept_and_all_have_artifacts(root: Path) -> None:
    """What the first image wrote is a change of the second one, too, although the host has it by then."""
    images = {"a": container(root, out__x=b"1", y=b"2"), "b": container(root, out__x=b"1")}
    kept = finish(root, WantedFiles(label="a", kept=(".*",), artifacts=("out(/|$)",), asked=True), **images)
    assert kept.notes == [
        "2 files of a kept: out/x.txt, y.txt",
        "1 file of a in .pyimages/a: out/x.txt",
        "1 file of b in .pyimages/b: out/x.txt",
    ]
    assert (root / "y.txt").read_bytes() == b"2"
    assert (root / ".pyimages" / "b" / "out" / "x.txt").read_bytes() == b"1"
    assert (root / ".pyimages" / ".gitignore").read_text().splitlines()[-1] == "*"


def test_artifacts_of_the_last_run_are_removed(root: Path) -> None:
    wanted = WantedFiles(artifacts=("x",), asked=True)
    finish(root, wanted, a=container(root, x1=b""), b=container(root, x1=b""))
    finish(root, wanted, a=container(root, x2=b""))
    assert sorted(path.name for path in (root / ".pyimages" / "a").iterdir()) == ["x2.txt"]
    assert (root / ".pyimages" / "b" / "x1.txt").exists(), "an image that was not run keeps its files"


def test_files_that_this_host_writes_are_no_changes(root: Path) -> None:
    """Such as the junit file, which pytest writes in each container, too."""
    kept = KeptFiles(WantedFiles(), root, root)
    kept.ours.add(root / "x.txt")
    kept.take("a", container(root, x=b"1", y=b"2"))
    kept.finish(["a"], names_all=False)
    assert [change.path for change in kept.changes["a"]] == ["y.txt"]


@posix
def test_artifacts_do_not_follow_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / ".pyimages").symlink_to(tmp_path / "elsewhere")
    kept = finish(root, WantedFiles(artifacts=("x",), asked=True), a=container(root, x=b""))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert kept.is_incomplete


def test_lost_changes_are_reported(root: Path) -> None:
    lost = SourceChanges(root)
    kept = finish(root, WantedFiles(label="a", kept=(".*",), asked=True), a=lost)
    assert kept.notes == ["a: changed files are lost, since the container ended too early"]
    assert kept.is_incomplete
    assert finish(root, WantedFiles(), a=SourceChanges(root)).notes == [], "the image has an error of its own"


def test_incomplete_changes_are_reported(root: Path) -> None:
    found = SourceChanges(root)
    found.take(Scanned(2, "pkg: Permission denied"))
    assert finish(root, WantedFiles(), a=found).notes == [
        "a: 2 more files have changed, which are neither named nor kept",
        "a: not all changed files are known (pkg: Permission denied)",
    ]


def test_many_changes_are_abbreviated() -> None:
    changes = [Change(path=f"f{number}", kind="new") for number in range(5)]
    assert format_changes(changes) == "f0, f1, f2 and 2 more"
    assert format_changes(changes, names_all=True) == "f0, f1, f2, f3, f4"
    assert format_changes([Change(path="a\x1b[2J", kind="deleted")]).endswith(" (deleted)")
    assert "\x1b" not in format_changes([Change(path="a\x1b[2J", kind="deleted")])
