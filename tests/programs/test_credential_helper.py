"""Credential helpers of the Docker CLI: one that hangs must not hang a run, nor leave a process behind."""

from __future__ import annotations

import base64
import json
import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pytest_pyimages.engines import connect, pulls
from tests.support.golden import message
from tests.support.scripted_engine import answer, chunked, scripted_engine

HELPER = """#!{python}
import os, sys, time
with open({record!r}, "w") as file:
    file.write(str(os.getpid()))
time.sleep({seconds})
print('{{"Username": "me", "Secret": "password"}}')
"""
IMAGE = {"Id": "sha256:1", "Os": "linux", "Architecture": "amd64"}
PULL = "POST /images/create"


@pytest.mark.parametrize("seconds", [0, 60], ids=["answers", "hangs"])
def test_helper_is_waited_for_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(pulls, "HELPER_SECONDS", 2.0)
    (tmp_path / "config.json").write_text('{"credsStore": "slow"}')
    helper, record = tmp_path / "docker-credential-slow", tmp_path / "record"
    helper.write_text(HELPER.format(python=sys.executable, record=str(record), seconds=seconds))
    helper.chmod(0o755)
    with scripted_engine(tmp_path) as scripted:
        scripted.answers |= {"GET /images/python:3.12/json": answer(200, IMAGE), PULL: chunked({"status": "Done"})}
        with closing(connect(scripted.url)) as engine:
            first, *others = engine.pull("python:3.12")
        (request,) = scripted.asked(PULL)
    credentials = json.loads(base64.b64decode(request.headers["x-registry-auth"]))
    assert str(first) == "waiting for docker-credential-slow"
    problem = message("engines", "late-helper", helper=helper.name, seconds="2")
    assert [(str(each), each.is_problem) for each in others] == ([(problem, True)] if seconds else [])
    assert credentials.get("Password") == (None if seconds else "password")
    with pytest.raises(ProcessLookupError):
        os.kill(int(record.read_text()), 0)
