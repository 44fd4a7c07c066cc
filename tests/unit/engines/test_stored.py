"""Stored images, volumes and leaks as the engine describes them."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from pytest_pyimages.engines import docker
from pytest_pyimages.engines.descriptions import parse_image
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.errors import EngineError
from tests.support.scripted_engine import ScriptedEngine, answer

IMAGE = {"Id": "sha256:1", "Os": "linux", "Architecture": "amd64"}


def test_image_with_all_fields() -> None:
    info = parse_image(
        {
            **IMAGE,
            "RepoTags": ["a:1", "<none>:<none>"],
            "RepoDigests": ["a@sha256:2"],
            "RootFS": {"Type": "layers", "Layers": ["sha256:3", "sha256:4"]},
            "Parent": "sha256:5",
            "Created": "2026-11-23T12:00:00.123456789Z",
            "Size": 7,
        }
    )
    assert (info.tags, info.digests, info.parent, info.size) == (("a:1",), ("a@sha256:2",), "sha256:5", 7)
    assert info.layers == ("sha256:3", "sha256:4")
    assert info.created == pytest.approx(1795435200.123456)


@pytest.mark.parametrize("more", [{}, {"RepoTags": None, "RootFS": None, "Parent": None, "Created": "0001-01-01"}])
def test_image_with_few_fields(more: dict[str, object]) -> None:
    """The containerd image store knows no parents; a zero time is what Go writes for none."""
    info = parse_image({**IMAGE, **more})
    assert (info.tags, info.layers, info.parent, info.created) == ((), (), "", 0.0)


@pytest.mark.parametrize(("parents", "noprune"), [(True, "False"), (False, "True")])
def test_remove_image_with_and_without_parents(
    scripted: ScriptedEngine, engine: DockerEngine, parents: bool, noprune: str
) -> None:
    scripted.answers["DELETE /images/a:1"] = answer(200, [])
    engine.remove_image("a:1", parents=parents)
    (request,) = scripted.asked("DELETE /images/a:1")
    assert parse_qs(request.query) == {"noprune": [noprune]}


def test_remove_image_in_use(scripted: ScriptedEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "IMAGE_REMOVAL_SECONDS", 0.2)
    scripted.answers["DELETE /images/a:1"] = answer(409, {"message": "container x is using its referenced image"})
    with pytest.raises(EngineError, match="container x is using"):
        engine.remove_image("a:1")
    assert len(scripted.asked("DELETE /images/a:1")) > 1


def test_leak_has_its_image(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    listed = [{"Id": "c", "Names": ["/n"], "Labels": {}, "ImageID": "sha256:1"}, {"Id": "d", "Names": ["/m"]}]
    scripted.answers["GET /containers/json"] = answer(200, listed)
    scripted.answers["GET /networks"] = answer(200, [])
    scripted.answers["GET /volumes"] = answer(200, {"Volumes": [{"Name": "v"}]})
    assert [entry.image for entry in engine.leftovers("l")] == ["sha256:1", "", ""]


@pytest.mark.parametrize(
    ("volumes", "size"),
    [
        pytest.param(
            [{"Name": "other", "UsageData": {"Size": 1}}, {"Name": "v", "UsageData": {"Size": 9}}], 9, id="size"
        ),
        pytest.param([{"Name": "v", "UsageData": {"Size": -1}}], 0, id="not known"),
        pytest.param([{"Name": "v"}], 0, id="not said"),
        pytest.param([{"Name": "other", "UsageData": {"Size": 1}}], 0, id="gone"),
        pytest.param(None, 0, id="no volumes"),
    ],
)
def test_volume_size(scripted: ScriptedEngine, engine: DockerEngine, volumes: object, size: int) -> None:
    scripted.answers["GET /system/df"] = answer(200, {"Volumes": volumes})
    assert engine.volume_sizes().get("v", 0) == size
