"""What an engine is asked to remove, how often, and what is waited for."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from pytest_pyimages.engines import client, docker
from pytest_pyimages.engines.docker import DockerEngine, connect
from pytest_pyimages.errors import EngineError, NoAnswerError
from tests.support.scripted_engine import Request, ScriptedEngine, answer, scripted_engine

REMOVED, BUSY, MISSING = answer(204, b""), answer(409, {"message": "in progress"}), answer(404, {"message": "none"})


@pytest.mark.parametrize(
    "said",
    [[REMOVED], [MISSING], [BUSY, BUSY, MISSING], [answer(500, {"message": "device or resource busy"}), REMOVED]],
    ids=["removed", "gone", "in progress", "busy"],
)
@pytest.mark.parametrize("what", ["containers", "volumes"])
def test_removal_is_retried(scripted: ScriptedEngine, engine: DockerEngine, said: list[bytes], what: str) -> None:
    times = len(said)
    scripted.answers[f"DELETE /{what}/x"] = list(said)
    (engine.remove_container if what == "containers" else engine.remove_volume)("x")
    asked = scripted.asked(f"DELETE /{what}/x")
    assert len(asked) == times
    assert parse_qs(asked[0].query) == ({"force": ["True"], "v": ["True"]} if what == "containers" else {})


def test_network_is_removed_once_it_is_free(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["DELETE /networks/x"] = [answer(403, {"message": "network x has active endpoints"}), REMOVED]
    engine.remove_network("x")
    assert len(scripted.asked("DELETE /networks/x")) == 2


def test_removal_retries_end(scripted: ScriptedEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "VOLUME_REMOVAL_SECONDS", 0.3)
    scripted.answers["DELETE /volumes/x"] = answer(409, {"message": "volume is in use - [abc]"})
    with pytest.raises(EngineError, match="volume is in use"):
        engine.remove_volume("x")
    assert len(scripted.asked("DELETE /volumes/x")) > 1


@pytest.mark.parametrize("what", ["containers", "images"])
def test_removal_is_retried_once_after_a_timeout(
    scripted: ScriptedEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    silent_requests = 1

    def silent(_: Request, peer: socket.socket) -> None:
        if len(scripted.asked(f"DELETE /{what}/x")) <= silent_requests:
            peer.recv(1)
        peer.sendall(REMOVED)

    monkeypatch.setattr(client, "REMOVAL_CALL_SECONDS", 0.2)
    monkeypatch.setattr(docker, "IMAGE_REMOVAL_CALL_SECONDS", 0.2)
    scripted.answers[f"DELETE /{what}/x"] = silent
    remove = engine.remove_container if what == "containers" else engine.remove_image
    remove("x")
    assert len(scripted.asked(f"DELETE /{what}/x")) == 2
    silent_requests = 4
    with pytest.raises(NoAnswerError):
        remove("x")
    assert len(scripted.asked(f"DELETE /{what}/x")) == 4


@pytest.mark.parametrize("status", [403, 500])
def test_refused_removal_of_an_image_is_not_retried(
    scripted: ScriptedEngine, engine: DockerEngine, status: int
) -> None:
    """Only a container may release an image in a moment."""
    scripted.answers["DELETE /images/x"] = answer(status, {"message": "the container store is read-only"})
    with pytest.raises(EngineError, match="read-only"):
        engine.remove_image("x")
    assert len(scripted.asked("DELETE /images/x")) == 1


class Slow:
    """Answers a removal when the test says so."""

    def __init__(self, said: bytes = REMOVED) -> None:
        self.said = said
        self.go_on = threading.Event()
        self.answered = threading.Event()

    def __call__(self, _: Request, peer: socket.socket) -> None:
        self.go_on.wait(60)
        self.answered.set()
        peer.sendall(self.said)


def test_removal_is_left_to_the_engine(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    """The engine has the request when the call returns, and its answer is still to come."""
    slow = scripted.answers["DELETE /containers/x"] = Slow()
    engine.remove_container("x", wait=False)
    assert not slow.answered.is_set()
    slow.go_on.set()
    assert slow.answered.wait(60)
    assert len(scripted.asked("DELETE /containers/x")) == 1


def test_removal_that_is_left_to_the_engine_is_retried(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["DELETE /containers/x"] = [BUSY, REMOVED]
    engine.remove_container("x", wait=False)
    deadline = time.monotonic() + 60
    while len(scripted.asked("DELETE /containers/x")) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(scripted.asked("DELETE /containers/x")) == 2


def test_removal_that_the_engine_does_not_get_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with scripted_engine(tmp_path) as scripted:
        engine = connect(scripted.url)
    with pytest.raises(EngineError, match="lost: connection refused"):
        engine.remove_container("x", wait=False)
    engine.close()


@pytest.mark.parametrize("name", ["podman", "docker"])
def test_other_engines_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Of Podman it is not known that it goes on, and on TCP not that it has the request."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with scripted_engine(tmp_path if name == "podman" else None) as scripted:
        engine = connect(scripted.url)
        engine.info = replace(engine.info, name=name)
        slow = scripted.answers["DELETE /containers/x"] = Slow()
        threading.Timer(0.1, slow.go_on.set).start()
        engine.remove_container("x", wait=False)
        assert slow.answered.is_set()
        engine.close()
