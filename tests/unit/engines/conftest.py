"""An engine that answers as a test says, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pyimages.engines.docker import DockerEngine, connect
from tests.support.scripted_engine import ScriptedEngine, scripted_engine


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEngine]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with scripted_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
def engine(scripted: ScriptedEngine) -> Iterator[DockerEngine]:
    connected = connect(scripted.url)
    yield connected
    connected.close()
