"""Which leaked containers and volumes a session removes."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest
from filelock import FileLock

from pytest_pyimages.containers.leases import Lease, make_state_directory
from pytest_pyimages.engines.base import Leftover
from pytest_pyimages.engines.labels import CREATED_LABEL, HOST_LABEL, KIND_LABEL, LABEL, SESSION_LABEL
from pytest_pyimages.errors import ConfigurationError, EngineError
from tests.support.fake_engine import FakeEngine


class SweptEngine(FakeEngine):
    """Records what is removed."""

    def __init__(self, *found: Leftover, fails: bool = False) -> None:
        super().__init__(found=found)
        self.removed: list[str] = []
        self.fails = fails

    def remove_container(self, container: str, *, wait: bool = True) -> None:
        if self.fails:
            raise EngineError("device busy")
        self.removed.append(container)

    def remove_network(self, name: str) -> None:
        self.removed.append(name)

    def remove_volume(self, name: str) -> None:
        self.removed.append(name)


def leftover(
    session: str,
    host: str,
    *,
    kind: Literal["container", "network", "volume"] = "container",
    age: float = 0.0,
    is_running: bool = False,
) -> Leftover:
    labels = {
        LABEL: "1",
        SESSION_LABEL: session,
        HOST_LABEL: host,
        KIND_LABEL: "run",
        CREATED_LABEL: str(int(time.time() - age)),
    }
    name = f"{kind}-{session}"
    return Leftover(kind=kind, id=name, name=name, labels=labels, is_running=is_running)


def test_a_dead_session_of_this_host_is_swept_and_a_live_one_is_not(tmp_path: Path) -> None:
    with Lease(tmp_path) as mine, Lease(tmp_path) as other:
        engine = SweptEngine(
            leftover("dead", mine.host),
            leftover("dead", mine.host, kind="volume"),
            leftover("dead", mine.host, kind="network"),
            leftover(other.session, mine.host),
            leftover(mine.session, mine.host),
        )
        assert mine.sweep(engine) == ()
    assert engine.removed == ["container-dead", "network-dead", "volume-dead"]


def test_two_engines_are_swept_at_once(tmp_path: Path) -> None:
    with Lease(tmp_path) as mine, ThreadPoolExecutor() as pool:
        engines = [SweptEngine(*[leftover("dead", mine.host)] * 300) for _ in range(2)]
        assert [*pool.map(mine.sweep, engines)] == [(), ()]
    assert [len(engine.removed) for engine in engines] == [300, 300]


def test_leaks_of_another_host_are_kept_for_a_day(tmp_path: Path) -> None:
    with Lease(tmp_path) as mine:
        engine = SweptEngine(leftover("young", "elsewhere", age=3600), leftover("old", "elsewhere", age=25 * 3600))
        mine.sweep(engine)
    assert engine.removed == ["container-old"]


def test_a_running_container_of_another_host_keeps_its_session(tmp_path: Path) -> None:
    """A shell may be open for days."""
    with Lease(tmp_path) as mine:
        engine = SweptEngine(
            leftover("shell", "elsewhere", age=25 * 3600, is_running=True),
            leftover("shell", "elsewhere", age=25 * 3600, kind="volume"),
            leftover("old", "elsewhere", age=25 * 3600),
            leftover("dead", mine.host, is_running=True),
        )
        mine.sweep(engine)
    assert engine.removed == ["container-old", "container-dead"]


def test_a_volume_without_a_session_is_kept(tmp_path: Path) -> None:
    with Lease(tmp_path) as mine:
        cache = Leftover(kind="volume", id="cache", name="cache", labels={LABEL: "1", KIND_LABEL: "cache"})
        engine = SweptEngine(cache)
        mine.sweep(engine)
    assert engine.removed == []


def test_a_failed_removal_is_reported_with_the_command(tmp_path: Path) -> None:
    with Lease(tmp_path) as mine:
        engine = SweptEngine(leftover("dead", mine.host), fails=True)
        (line,) = mine.sweep(engine)
    assert "device busy" in line
    assert "docker rm -f -v container-dead" in line


def test_the_file_lock_is_removed_with_the_session(tmp_path: Path) -> None:
    with Lease(tmp_path) as mine:
        assert (tmp_path / "sessions" / f"{mine.session}.lock").exists()
    assert list((tmp_path / "sessions").iterdir()) == []


def test_file_locks_of_killed_sessions_are_removed_after_a_day(tmp_path: Path) -> None:
    with Lease(tmp_path) as mine, Lease(tmp_path) as other:
        folder = tmp_path / "sessions"
        for name in ("old", "young"):
            (folder / f"{name}.lock").touch()
        for name in ("old", mine.session, other.session):
            os.utime(folder / f"{name}.lock", (0, 0))
        assert mine.sweep(SweptEngine()) == ()
        left = {path.stem for path in folder.iterdir()}
    assert left == {"young", mine.session, other.session}


def test_labels_name_session_and_host(tmp_path: Path) -> None:
    mine = Lease(tmp_path)
    labels = mine.labels("build")
    assert labels[SESSION_LABEL] == mine.session
    assert labels[HOST_LABEL] == mine.host
    assert labels[KIND_LABEL] == "build"
    assert Lease(tmp_path).host == mine.host
    assert Lease(tmp_path).session != mine.session


@pytest.mark.parametrize("kind", ["file", "another user's"])
def test_a_folder_for_locks_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if kind == "file":
        (tmp_path / "pytest-pyimages").touch()
    else:
        monkeypatch.setattr(os, "getuid", lambda: -1)
    with pytest.raises(ConfigurationError, match=r"the folder for locks .* set XDG_CACHE_HOME"):
        make_state_directory()


def test_an_interrupted_acquire_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: FileLock, timeout: float) -> None:
        Path(self.lock_file).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(FileLock, "acquire", interrupt)
    with pytest.raises(KeyboardInterrupt), Lease(tmp_path):
        pass
    assert list((tmp_path / "sessions").iterdir()) == []
