"""Containers that are started ahead: which ones a session takes, and what becomes of the others."""

from __future__ import annotations

import pickle
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pyimages.containers.ahead import Waiting, Wanted
from pytest_pyimages.containers.bytecode import BytecodeLayer
from pytest_pyimages.containers.hidden_files import HiddenFiles
from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.links import LinkedPath, LinkedPaths
from pytest_pyimages.containers.process import ContainerProcess, StoppedError
from pytest_pyimages.containers.source import Source
from pytest_pyimages.containers.waiting import VARIABLE, WaitingContainers
from pytest_pyimages.engines import Waits, watch_engine
from pytest_pyimages.engines.base import STDOUT, ContainerOptions, ContainerSpec, Leftover, Mount
from pytest_pyimages.errors import EngineError
from tests.unit.containers.test_process import RecordingEngine

SPEC = ContainerSpec(name="", image="sha256:1", command=("python",), labels={}, environment={"LANG": "C"})
REMOVED = ["close", "remove", *["remove volume"] * 2]


def make_engine(**errors: EngineError) -> RecordingEngine:
    engine = RecordingEngine(**errors)
    engine.info = replace(engine.info, name="docker")
    return engine


class World:
    """A project with folders, a link and mounts, and a container that has waited since they were as they are first."""

    def __init__(self, folder: Path) -> None:
        self.root, self.shared, self.data = folder / "source", folder / "shared.py", folder / "data"
        (self.root / "src" / "cart").mkdir(parents=True)
        (self.root / "src" / "cart" / "total.py").touch()
        (self.root / "lib").symlink_to("src")
        self.shared.touch()
        self.data.mkdir()
        self.engine = make_engine()
        self.waiting = WaitingContainers()
        self.spec = replace(SPEC, options=ContainerOptions(mount=(Mount("bind", "/data", str(self.data)),)))
        self.waiting.start(lambda: self.engine, [self.wanted()])

    @property
    def source(self) -> Source:
        """As a session plans it."""
        linked = LinkedPaths([LinkedPath("link", "/shared.py", self.shared)])
        source = Source(self.root, None, linked, (), HiddenFiles(("build",), ()))
        source.ahead = self.waiting
        return source

    def wanted(self) -> Wanted:
        return Wanted(self.spec, self.root, self.source.linked, (), "/upper")

    def take(self, **changes: object) -> Waiting | None:
        spec = replace(self.spec, name="of the session", labels={"its": "label"}, **changes)  # type: ignore[arg-type]
        return self.source.take_ahead(self.engine, spec, "/upper")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    world = World(tmp_path)
    yield world
    world.waiting.close()


def test_a_container_is_taken_once_and_removed_by_who_took_it(world: World) -> None:
    process = ContainerProcess(world.engine, Lease(), world.source, upper="/upper")
    spec = replace(world.spec, name="of the session")
    with process.create(spec, may_be_ahead=True) as container, process.start(container) as stream:
        stream.send(b"job")
        assert world.take() is None
        assert [witness.path for witness in process.witness] == [str(world.root / "src" / "cart" / "total.py")]
    world.waiting.close()
    assert world.engine.lifecycle == ["volume", "volume", "create", "attach", "start", "close", *REMOVED]
    assert world.engine.stream.sent == b"job"
    assert world.engine.specs[0].environment == {"LANG": "C", VARIABLE: str(world.root)}


def test_a_session_shows_that_it_waits_for_such_a_container(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, seen = Waits(), []

    def frames() -> Iterator[tuple[int, bytes]]:
        seen.append(waits.find(threading.get_ident()))
        yield STDOUT, b"output"

    monkeypatch.setattr(world.engine.stream, "frames", frames)
    process = ContainerProcess(watch_engine(world.engine, waits), Lease(), world.source, upper="/upper")
    with process.create(world.spec, may_be_ahead=True) as container, process.start(container) as stream:
        assert not waits.are_long.is_set()
        assert list(stream.frames()) == [(STDOUT, b"output")]
    assert [wait and wait.text for wait in seen] == ["waiting for a sign of life from the container"]
    assert waits.are_long.is_set()  # nothing is started that the session's other threads could delay


def test_the_next_session_needs_the_same_containers(world: World) -> None:
    assert world.take() is not None
    assert world.take() is None
    assert pickle.loads(pickle.dumps(world.waiting.used)) == [world.wanted()]  # noqa: S301 - our own


def test_a_container_that_is_stopped_before_it_gets_the_job_is_removed(world: World) -> None:
    process = ContainerProcess(world.engine, Lease(), world.source, upper="/upper")
    process.stop(b"stop\n", 1)
    with (
        process.create(world.spec, may_be_ahead=True) as container,
        pytest.raises(StoppedError),
        process.start(container),
    ):
        pass
    world.waiting.close()
    assert world.engine.lifecycle[-len(REMOVED) :] == REMOVED


@pytest.mark.parametrize(
    "change",
    [
        {"image": "sha256:2"},
        {"environment": {"LANG": "de"}},
        {"options": ContainerOptions(network="none")},
        {"privileges": "engine"},
    ],
)
def test_another_configuration_is_not_taken(world: World, change: dict[str, object]) -> None:
    assert world.take(**change) is None
    world.waiting.close()
    assert world.engine.lifecycle[-len(REMOVED) :] == REMOVED


def replace_folder(path: Path) -> None:
    """Replace a folder by an equal one, as a version control system may do."""
    shutil.copytree(path, path.with_name("new"), symlinks=True)
    path.rename(path.with_name("old"))
    path.with_name("new").rename(path)


def replace_file(path: Path) -> None:
    """Save a file as editors do."""
    path.with_name("new").touch()
    path.with_name("new").rename(path)


def replace_link(path: Path) -> None:
    path.with_name("new").symlink_to(".")
    path.with_name("new").rename(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda world: replace_folder(world.root),
        lambda world: replace_folder(world.root / "src" / "cart"),
        lambda world: (world.root / "tests").mkdir(),
        lambda world: shutil.rmtree(world.root / "src" / "cart"),
        lambda world: replace_link(world.root / "lib"),
        lambda world: replace_file(world.shared),
        lambda world: replace_folder(world.data),
    ],
    ids=["root", "folder", "new folder", "removed folder", "link", "linked file", "mount"],
)
def test_what_a_mount_or_python_may_have_looked_up_must_be_the_same(
    world: World, change: Callable[[World], object]
) -> None:
    for thread in world.waiting._threads:
        thread.started.result()
    change(world)
    assert world.take() is None
    world.waiting.close()
    assert world.engine.lifecycle[-len(REMOVED) :] == REMOVED


def test_changed_files_are_seen(world: World) -> None:
    replace_file(world.root / "src" / "cart" / "total.py")
    (world.root / "test_new.py").touch()
    assert world.take() is not None


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_PRELOAD", "MALLOC_CONF"])
def test_no_container_waits_whose_start_uses_files_of_the_project(world: World, name: str) -> None:
    """Or files of a mount: whether they were replaced is not known."""
    value = f"{world.root}/settings" if name == "MALLOC_CONF" else "/data/files"
    assert world.take(environment={name: value}) is None
    assert world.waiting.used == []


def test_a_container_with_other_bytecode_is_removed(world: World) -> None:
    layer = BytecodeLayer("volume", "/folder")
    assert world.waiting.take(world.engine, world.wanted(), layer) is None
    world.waiting.close()
    assert world.engine.lifecycle[-len(REMOVED) :] == REMOVED


def test_no_container_waits_with_a_copy(world: World) -> None:
    source = Source(world.root, "copy")
    source.ahead = world.waiting
    assert source.take_ahead(world.engine, world.spec, "/upper") is None
    assert world.waiting.used == []


def test_a_container_that_cannot_be_started_is_missing(world: World) -> None:
    engine, waiting = make_engine(start=EngineError("no memory")), WaitingContainers()
    waiting.start(lambda: engine, [world.wanted()])
    assert waiting.take(engine, world.wanted()) is None
    assert engine.lifecycle[-3:] == ["remove", *["remove volume"] * 2]
    waiting.close()


def test_a_container_of_another_engine_is_removed(world: World) -> None:
    """The Docker context may be changed during a watch."""
    other = make_engine()
    other.info = replace(other.info, endpoint="unix:///other.sock")
    assert world.waiting.take(other, world.wanted()) is None
    world.waiting.close()
    assert world.engine.lifecycle[-len(REMOVED) :] == REMOVED


@pytest.mark.parametrize(
    ("error", "problems"),
    [
        (None, ()),
        (EngineError("busy"), ("container abc was not removed (busy); remove it with: docker rm -f -v abc",)),
    ],
)
def test_what_dead_sessions_have_leaked_is_removed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: EngineError | None, problems: Sequence[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    engine, waiting, dead = make_engine(), WaitingContainers(), Lease()
    left = Leftover("container", "abc", "abc", is_running=False, labels=dead.labels("run"))
    monkeypatch.setattr(engine, "leftovers", lambda _: (left,))
    if error is not None:
        monkeypatch.setattr(engine, "remove_container", lambda _: raise_error(error))
    waiting.start(lambda: engine, [])
    waiting.close()
    assert waiting.problems == problems
    assert ("remove" in engine.lifecycle) == (error is None)


def raise_error(error: EngineError) -> None:
    raise error
