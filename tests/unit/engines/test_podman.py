"""Responses of Podman's service that differ from Docker's, as Podman 4.3 sends them."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.errors import EngineError
from tests.support.scripted_engine import ScriptedEngine, answer, chunked

BASE = {"Cmd": ["python3"], "User": "app", "Labels": {"base": "1"}}
LABELS = {"org.pytest-pyimages.kind": "environment"}
IGNORED = {"Cmd": [], "Entrypoint": ["sh"], "User": "0", "Labels": {"org.pytest-pyimages.session": "dead"}}
RIGHT = {**BASE, "Labels": {"base": "1", **LABELS}}


@pytest.fixture
def committing(scripted: ScriptedEngine) -> ScriptedEngine:
    container = {"Image": "base", "Config": {"User": "0", "Labels": {"org.pytest-pyimages.session": "dead"}}}
    scripted.answers["GET /containers/c/json"] = answer(200, container)
    scripted.answers["GET /images/base/json"] = answer(200, {"Id": "base", "Config": BASE})
    scripted.answers["POST /commit"] = answer(201, {"Id": "new"})
    return scripted


def test_a_commit_that_keeps_the_configuration_is_enough(committing: ScriptedEngine, engine: DockerEngine) -> None:
    committing.answers["GET /images/new/json"] = answer(200, {"Id": "new", "Config": RIGHT})
    assert engine.commit("c", reference="r:1", labels=LABELS) == "new"
    assert committing.asked("POST /build") == []


def test_a_commit_that_ignores_the_configuration_is_repaired(committing: ScriptedEngine, engine: DockerEngine) -> None:
    committing.answers["GET /images/new/json"] = answer(200, {"Id": "new", "Config": IGNORED})
    committing.answers["POST /build"] = chunked({"stream": "STEP 1"})
    committing.answers["GET /images/r:1/json"] = answer(200, {"Id": "built"})
    committing.answers["GET /images/built/json"] = answer(200, {"Id": "built", "Config": RIGHT})
    assert engine.commit("c", reference="r:1", labels=LABELS) == "built"
    (request,) = committing.asked("POST /build")
    assert b'FROM new\nUSER app\nWORKDIR /\nENTRYPOINT []\nCMD ["python3"]\n' in request.body
    labels = json.loads(parse_qs(request.query)["labels"][0])
    assert labels == {"org.pytest-pyimages.session": "", "base": "1", **LABELS}


def test_a_configuration_that_is_never_kept_is_an_error(committing: ScriptedEngine, engine: DockerEngine) -> None:
    for image in ("new", "r:1"):
        committing.answers[f"GET /images/{image}/json"] = answer(200, {"Id": "new", "Config": IGNORED})
    committing.answers["POST /build"] = chunked({"stream": "STEP 1"})
    with pytest.raises(EngineError, match="does not keep the configuration of r:1"):
        engine.commit("c", reference="r:1", labels=LABELS)


def test_a_volume_that_another_session_has_just_created(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["POST /volumes/create"] = answer(500, {"message": "volume with name v already exists"})
    scripted.answers["GET /volumes/v"] = answer(200, {"Name": "v", "Mountpoint": "/volumes/v"})
    assert engine.create_volume("v", labels={}, options={}) == "/volumes/v"


def test_an_unknown_id_is_no_image(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    words = "invalid repository name (1234), cannot specify 64-byte hexadecimal strings"
    scripted.answers["GET /images/1234/json"] = answer(500, {"message": words})
    assert engine.find_image("1234") is None
