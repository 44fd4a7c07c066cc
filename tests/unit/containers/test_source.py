"""Copies and overlays of the source, without a container."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.links import LinkedPath, LinkedPaths
from pytest_pyimages.containers.mounted_source import Decision
from pytest_pyimages.containers.source import Source
from pytest_pyimages.engines.base import Mount
from pytest_pyimages.engines.labels import SESSION_LABEL
from tests.support.fake_engine import FakeEngine


def write_more(path: Path) -> None:
    path.write_text(path.read_text() + "more")


def set_back(path: Path) -> None:
    os.utime(path, (1, 1))


@pytest.mark.parametrize("change", [write_more, set_back, Path.unlink], ids=lambda each: each.__name__)
def test_a_witness_that_has_changed_proves_nothing(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """It was saved while the container was started; one that always changes is not chosen again."""
    for name in ("log", "other"):
        (tmp_path / name).write_text("text")
    source = Source(tmp_path)
    assert [Path(each.path).name for each in source.choose_witnesses("overlay")] == ["log", "other"]
    change(tmp_path / "log")
    assert source.fall_back(Decision("overlay"), "not seen")
    assert source.decision is None
    assert [Path(each.path).name for each in source.choose_witnesses("overlay")] == ["other"]
    assert source.fall_back(Decision("overlay"), "not seen")
    assert source.decision == Decision("copy", "not seen")


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    return Lease(tmp_path)


def test_an_overlay_is_three_volumes_that_are_removed(lease: Lease) -> None:
    engine = FakeEngine()
    with Source(Path("/src/project")).mount(engine, lease) as mounted:
        assert len(engine.volumes) == 3
        assert [(mount.kind, mount.target) for mount in mounted.mounts] == [("volume", "/src/project")]
    assert engine.volumes == {}


def test_docker_removes_the_overlay_with_its_container(lease: Lease) -> None:
    """What the container mounts has no name; what has one is mounted by no container, and removed at once."""
    engine = FakeEngine()
    engine.info = replace(engine.info, name="docker")
    with Source(Path("/src/project")).mount(engine, lease, upper_target="/upper") as mounted:
        upper, work = (f"/volumes/{name}" for name in engine.volumes)
        assert [mount.source for mount in mounted.mounts] == ["", ""]
        overlay, shown = (mount.anonymous for mount in mounted.mounts)
        assert overlay is not None
        assert shown is not None
        assert overlay.options["o"] == f"lowerdir=/src/project,upperdir={upper},workdir={work}"
        assert shown.options == {"type": "none", "device": upper, "o": "bind,ro"}
        assert overlay.labels[SESSION_LABEL] == shown.labels[SESSION_LABEL] == lease.session
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
    with Source(tmp_path, linked=linked).mount(FakeEngine(), lease) as mounted:
        assert mounted.mounts[1:] == (
            Mount(kind="bind", source=str(tmp_path / "test_o.py"), target="/x/test_o.py", read_only=True),
            Mount(kind="bind", source=str(tmp_path / "far"), target="/hop", read_only=True),
        )


@pytest.mark.parametrize("path", ["/a,b", "/a:b", '/a"b', "/a\\b"])
def test_paths_with_special_characters_are_copied(path: str) -> None:
    assert Source(Path(path)).mode == "copy"


def test_each_way_is_left_once(tmp_path: Path) -> None:
    """Threads whose containers failed in the same way do not leave the way that one of them has chosen."""
    source = Source(tmp_path)
    overlay = Decision("overlay")
    assert source.fall_back(overlay, "not seen")
    assert source.fall_back(overlay, "other")
    copied = source.decision
    assert copied == Decision("copy", "not seen")
    assert source.fall_back(copied, "no overlay")
    assert source.decision == Decision("copy", "not seen", has_layer=False)
    assert not source.fall_back(source.decision, "no copy")


def test_mount_is_a_value() -> None:
    assert Mount(kind="tmpfs", target="/run") == Mount(kind="tmpfs", target="/run")
