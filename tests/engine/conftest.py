"""A real engine. Without one these tests fail: what they prove cannot be had in another way."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pytest_pyimages.engines.base import Leftover
from pytest_pyimages.engines.docker import DockerEngine, connect
from pytest_pyimages.engines.labels import HOST, KIND, LABEL
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.runs.ownership import host_identity, state_directory

LEAK_SECONDS = 10.0


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerEngine]:
    try:
        connected = connect()
    except ConfigurationError as error:
        pytest.fail(f"{error}; or run the tests by tox, which provides an engine", pytrace=False)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Label and lock folder of these tests' own, so that other sessions on the same engine are not taken for leaks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield host_identity(state_directory())


@pytest.fixture(autouse=True)
def _nothing_is_left(engine: DockerEngine, host: str) -> Iterator[None]:
    before = {entry.id for entry in engine.leftovers(LABEL)}

    def leaked() -> list[Leftover]:
        # A volume for all sessions is no leak, nor is what belongs to another host's session.
        return [
            entry
            for entry in engine.leftovers(LABEL)
            if entry.id not in before and entry.labels.get(KIND) != "cache" and entry.labels.get(HOST, host) == host
        ]

    yield
    deadline = time.monotonic() + LEAK_SECONDS  # a process that was killed leaves its removals to the engine
    left = leaked()
    while left and time.monotonic() < deadline:
        time.sleep(0.2)
        left = leaked()
    assert not left
