"""Which of several engines an image goes to, and when it goes to another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pyimages.containers import Source, WaitingContainers
from pytest_pyimages.engines.base import EngineInfo
from pytest_pyimages.errors import (
    BaseImageMissingError,
    BuildError,
    ConnectionLostError,
    EngineError,
    NoAnswerError,
    PyimagesError,
    RegistryUnreachableError,
)
from pytest_pyimages.images import Listener
from pytest_pyimages.matrix import parse_matrix
from pytest_pyimages.session.placement.backends import Backend, Backends
from tests.support.golden import message

INFO = EngineInfo(name="fake", version="1", api_version="1.41", endpoint="", platform="linux/amd64")


class Engine:
    """Answers until it is lost."""

    def __init__(self, address: str, platform: str) -> None:
        self.info = replace(INFO, endpoint=address, platform=platform)
        self.is_lost = False
        self.asked = 0

    def find_image(self, reference: str) -> None:
        self.asked += 1
        if self.is_lost:
            raise ConnectionLostError("connection refused")


class Session:
    """Some engines, each of which runs two images at once."""

    def __init__(self, folder: Path, *engines: Engine, suites: int = 2) -> None:
        self.notes: list[str] = []
        self.waits: list[str] = []
        self.over = False
        listener = Listener(note=self.notes.append, progress=lambda label, text: self.waits.append(label))
        settings: Any = SimpleNamespace(pull="missing", registries=((), "", False), lock_file=None)
        lease: Any = None
        given: Any = engines
        self.backends = Backends(given, settings, Source(folder, "copy"), lease, listener)
        concurrency: Any = SimpleNamespace(suites=suites)
        for backend in self.backends:
            backend._concurrency = concurrency

    def choose(self, label: str) -> str:
        backend = self.backends.try_choose(plan(label))
        return "full" if backend is None else backend.address

    def run(self, label: str, work: Callable[[str], None]) -> None:
        chosen = self.backends.try_choose(plan(label))
        self.backends.run_image(plan(label), chosen, lambda each: work(each.address), is_over=lambda: self.over)


def plan(label: str) -> Any:
    (tag,) = parse_matrix([label])
    return SimpleNamespace(tag=tag)


def engines(*platforms: str) -> list[Engine]:
    return [Engine(name, platform) for name, platform in zip("abc", platforms, strict=False)]


def test_an_image_goes_where_least_is_under_way(tmp_path: Path) -> None:
    session = Session(tmp_path, *engines("linux/amd64", "linux/amd64"))
    assert [session.choose("3.12") for _ in range(7)] == ["a", "b", "a", "b", "a", "b", "full"]


def test_a_larger_engine_gets_more(tmp_path: Path) -> None:
    session = Session(tmp_path, *engines("linux/amd64", "linux/amd64"))
    large, _ = session.backends
    large._concurrency = SimpleNamespace(suites=4)  # type: ignore[assignment]
    assert "".join(session.choose("3.12") for _ in range(6)) == "abaaba"


def test_one_engine_is_never_full(tmp_path: Path) -> None:
    session = Session(tmp_path, *engines("linux/amd64"))
    assert {session.choose(label) for label in ("3.12", "3.12@linux/s390x") for _ in range(9)} == {"a"}


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        pytest.param("3.12", {"a"}, id="none named: that of the first engine"),
        pytest.param("3.12@linux/arm64", {"b"}, id="another engine's"),
        pytest.param("3.12@linux/amd64", {"a"}, id="the first engine's"),
        pytest.param("3.12@linux/s390x", {"a", "b"}, id="emulated"),
    ],
)
def test_an_image_goes_where_its_platform_runs(tmp_path: Path, label: str, expected: set[str]) -> None:
    session = Session(tmp_path, *engines("linux/amd64", "linux/arm64"))
    assert {session.choose(label) for _ in range(2)} == expected


def test_a_full_platform_is_waited_for(tmp_path: Path) -> None:
    session = Session(tmp_path, *engines("linux/amd64", "linux/arm64"))
    assert [session.choose("3.12@linux/arm64") for _ in range(4)] == ["b", "b", "b", "full"]
    assert session.choose("3.12") == "a"


@pytest.mark.parametrize(
    "error", [ConnectionLostError("gone"), NoAnswerError("late"), EngineError("x"), BuildError("x")]
)
def test_an_image_moves_from_a_lost_engine(tmp_path: Path, error: PyimagesError) -> None:
    lost, other = engines("linux/amd64", "linux/amd64")
    session, ran = Session(tmp_path, lost, other), []

    def work(address: str) -> None:
        ran.append(address)
        if address == "a":
            lost.is_lost = True
            raise error

    session.run("3.12", work)
    session.run("3.13", work)
    assert ran == ["a", "b", "b"]
    assert session.notes == [message("engines", "moved", label="3.12", address="a", problem=error.message)]
    assert lost.asked == 1


def test_an_error_of_an_engine_that_answers_stays(tmp_path: Path) -> None:
    session, ran = Session(tmp_path, *engines("linux/amd64", "linux/amd64")), []

    def work(address: str) -> None:
        ran.append(address)
        raise BuildError("pip failed")

    with pytest.raises(BuildError, match="pip failed"):
        session.run("3.12", work)
    assert ran == ["a"]
    assert session.notes == []


def test_what_has_begun_does_not_move(tmp_path: Path) -> None:
    lost, other = engines("linux/amd64", "linux/amd64")
    session = Session(tmp_path, lost, other)

    def work(_: str) -> None:
        session.over = lost.is_lost = True
        raise ConnectionLostError("gone")

    with pytest.raises(EngineError) as caught:
        session.run("3.12", work)
    assert str(caught.value) == message("engines", "lost", address="a", problem="gone")


@pytest.mark.parametrize("kind", [BaseImageMissingError, RegistryUnreachableError])
def test_a_base_image_may_be_on_another_engine(tmp_path: Path, kind: type[PyimagesError]) -> None:
    session, ran = Session(tmp_path, *engines("linux/amd64", "linux/amd64", "linux/amd64")), []

    def work(address: str) -> None:
        ran.append(address)
        if address != "c":
            raise kind(f"{address} has no such image")

    session.run("own:1", work)
    assert ran == ["a", "b", "c"]
    with pytest.raises(kind, match="b has no such image"):
        Session(tmp_path, *engines("linux/amd64", "linux/amd64")).run("own:1", work)


def test_no_engine_is_left(tmp_path: Path) -> None:
    """Another engine that answers, but not for this platform, does not get the image."""
    first, lost = engines("linux/amd64", "linux/arm64")
    session = Session(tmp_path, first, lost)

    def work(address: str) -> None:
        assert address == "b"
        lost.is_lost = True
        raise ConnectionLostError("gone")

    for _ in range(2):
        with pytest.raises(EngineError) as caught:
            session.run("3.12@linux/arm64", work)
        assert str(caught.value) == message("engines", "none-left", addresses="b")


def test_a_single_engine_is_asked_nothing_more(tmp_path: Path) -> None:
    (only,) = engines("linux/amd64")
    session = Session(tmp_path, only)

    def work(_: str) -> None:
        raise ConnectionLostError("gone")

    with pytest.raises(ConnectionLostError, match="gone"):
        session.run("3.12", work)
    assert (only.asked, session.notes, session.waits) == (0, [], [])


def test_an_error_of_the_preparation_names_the_engine(tmp_path: Path) -> None:
    def step(_: Backend) -> None:
        raise EngineError("the engine did not answer in time")

    for platforms, expected in ((["x"], ""), (["x", "x"], "a: ")):
        with pytest.raises(EngineError) as caught:
            Session(tmp_path, *engines(*platforms)).backends.prepare(step)
        assert str(caught.value) == f"{expected}the engine did not answer in time"


@pytest.mark.parametrize(("found", "adopts"), [(None, False), ((), True), (("volume x was not removed",), True)])
def test_a_session_of_a_watch_takes_over_what_was_swept_while_it_waited(
    tmp_path: Path, found: tuple[str, ...] | None, *, adopts: bool
) -> None:
    (backend,) = Session(tmp_path, *engines("linux/amd64")).backends
    problems: list[str] = []
    assert not backend.adopt_sweep(problems)
    backend.source.ahead = WaitingContainers()
    backend.source.ahead.problems = found
    assert backend.adopt_sweep(problems) == adopts
    assert problems == [*(found or ())]
