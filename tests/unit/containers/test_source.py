"""Copies, overlays and witnesses of the source, without a container."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.links import LinkedPath, LinkedPaths
from pytest_pyimages.containers.source import WITNESSES, Source, choose_witnesses, stream_tar
from pytest_pyimages.engines.base import Mount
from pytest_pyimages.errors import ConfigurationError, PyimagesError
from tests.support.fake_engine import FakeEngine


def members(root: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream_tar(root)))) as archive:
        return {"/" + member.name: member for member in archive.getmembers()}


def test_copy_keeps_files_modes_links_and_odd_names(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a b;ü,:.py").write_text("x = 1\n")
    (tmp_path / "pkg" / ("n" * 200 + ".py")).write_text("")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "dangling").symlink_to("/nonexistent")
    (tmp_path / "loop").symlink_to(".")
    found = members(tmp_path)
    assert found[f"{tmp_path}/pkg/a b;ü,:.py"].size == 6
    assert f"{tmp_path}/pkg/{'n' * 200}.py" in found
    assert found[f"{tmp_path}/run.sh"].mode == 0o755
    assert found[f"{tmp_path}/dangling"].linkname == "/nonexistent"
    assert found[f"{tmp_path}/loop"].issym()


@pytest.mark.parametrize(
    ("folder", "mode"),
    [("plain", "overlay"), ("with spaces ü", "overlay"), ("a:b", "copy"), ("not-utf8-\udcff", "copy")],
)
def test_what_a_mount_cannot_name_is_copied(tmp_path: Path, folder: str, mode: str) -> None:
    root = tmp_path / folder
    root.mkdir()
    (root / "test_a.py").touch()
    assert Source(root).mode == mode
    assert f"{root}/test_a.py" in members(root)


def test_copy_skips_environments_caches_and_special_files(tmp_path: Path) -> None:
    for name in (".git", ".venv", "node_modules", "__pycache__", ".tox"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        os.chdir(tmp_path)
        unix.bind("socket")
    assert {path for path in members(tmp_path) if path.startswith(f"{tmp_path}/")} == set()


def test_copy_contains_the_parent_folders(tmp_path: Path) -> None:
    assert str(tmp_path.parent) in members(tmp_path)


def test_a_too_large_copy_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 2000)
    with pytest.raises(PyimagesError, match="larger than"):
        list(stream_tar(tmp_path, limit=1000))


def test_witnesses_are_a_few_regular_files(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file0")
    for number in range(20):
        (tmp_path / f"file{number}").write_text("x" * number)
    found = choose_witnesses(tmp_path)
    assert len(found) == WITNESSES
    assert found[0].path == str(tmp_path / "file0")
    assert (found[1].size, found[1].seconds) == (1, int((tmp_path / "file1").stat().st_mtime))


def test_witnesses_of_a_folder_without_files_are_below_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / ".git" / "config").touch()
    (tmp_path / "a" / "deep" / "file").touch()
    assert [witness.path for witness in choose_witnesses(tmp_path)] == [str(tmp_path / "a" / "deep" / "file")]


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    return Lease(tmp_path)


def test_an_overlay_is_three_volumes_that_are_removed(lease: Lease) -> None:
    engine = FakeEngine()
    with Source(Path("/src/project")).mount(engine, lease) as mounts:
        assert len(engine.volumes) == 3
        assert [(mount.kind, mount.target) for mount in mounts] == [("volume", "/src/project")]
    assert engine.volumes == {}


@pytest.fixture
def linked(tmp_path: Path) -> LinkedPaths:
    """A file and a folder outside of a source; containers have the folder at another path."""
    (tmp_path / "far" / "sub").mkdir(parents=True)
    (tmp_path / "far" / "sub" / "a.txt").write_text("a")
    (tmp_path / "test_o.py").write_text("o")
    file = LinkedPath(link="test_o.py", target="/x/test_o.py", source=tmp_path / "test_o.py")
    return LinkedPaths([file, LinkedPath(link="data", target="/hop", source=tmp_path / "far")])


def test_what_links_lead_to_is_mounted_read_only(tmp_path: Path, lease: Lease, linked: LinkedPaths) -> None:
    with Source(tmp_path, linked=linked).mount(FakeEngine(), lease) as mounts:
        assert mounts[1:] == (
            Mount(kind="bind", source=str(tmp_path / "test_o.py"), target="/x/test_o.py", read_only=True),
            Mount(kind="bind", source=str(tmp_path / "far"), target="/hop", read_only=True),
        )


def test_what_links_lead_to_is_copied(tmp_path: Path, linked: LinkedPaths) -> None:
    (tmp_path / "root").mkdir()
    source = Source(tmp_path / "root", "copy", linked)
    with tarfile.open(fileobj=io.BytesIO(b"".join(source.stream_tar()))) as archive:
        names = archive.getnames()
        file = archive.extractfile("hop/sub/a.txt")
        assert file is not None
        assert file.read() == b"a"
    assert {"x/test_o.py", "hop", "hop/sub"} <= set(names)
    assert not any(name.endswith("far") for name in names)


def test_many_links_are_copied(tmp_path: Path, linked: LinkedPaths) -> None:
    linked.paths *= 40
    source = Source(tmp_path, linked=linked)
    assert source.mode == "copy"
    assert "80 other places" in source.reason
    with pytest.raises(ConfigurationError, match="use auto or copy"):
        Source(tmp_path, "overlay", linked)


def test_copy_mounts_nothing(tmp_path: Path, lease: Lease) -> None:
    engine = FakeEngine()
    with Source(tmp_path, "copy").mount(engine, lease) as mounts:
        assert (mounts, engine.volumes) == ((), {})


@pytest.mark.parametrize("path", ["/a,b", "/a:b", '/a"b', "/a\\b"])
def test_paths_with_special_characters_are_copied(path: str) -> None:
    assert Source(Path(path)).mode == "copy"


def test_the_first_reason_for_a_copy_is_kept() -> None:
    source = Source(Path("/src"))
    source.fall_back("not seen")
    source.fall_back("other")
    assert (source.mode, source.reason) == ("copy", "not seen")


def test_mount_is_a_value() -> None:
    assert Mount(kind="tmpfs", target="/run") == Mount(kind="tmpfs", target="/run")
