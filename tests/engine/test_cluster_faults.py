"""A real cluster of one machine, whose connection with this host fails in ways that a session seldom meets."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pyimages.cluster import connect_cluster
from pytest_pyimages.cluster.engine import MachineEngine
from pytest_pyimages.cluster.machine import SILENT_SECONDS
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.errors import ConnectionLostError

from .test_cluster import Cluster

REFERENCE = "python:3.12-slim"
WAIT_SECONDS = 120.0


@pytest.fixture
def machine(engine: DockerEngine, tmp_path: Path) -> Iterator[Cluster]:
    started = Cluster(tmp_path)
    try:
        started.start_scheduler()
        started.start_worker("near", engine.info.endpoint, "--resources", "engine=1", "--no-nanny")
        yield started
    finally:
        for name in list(started.programs):
            started.kill(name)


def list_queues(address: str) -> list[str]:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        found: list[str] = client.run_on_scheduler(
            lambda dask_scheduler: list(dask_scheduler.extensions["queues"].queues)
        )
    return found


def list_threads(address: str) -> list[str]:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        (found,) = client.run(lambda: [thread.name for thread in threading.enumerate()]).values()
    return [name for name in found if name != "MainThread" and "Dask" not in name]


def wait_until_forgotten(address: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while left := list_queues(address) + list_threads(address):
        assert time.monotonic() < deadline, left
        time.sleep(0.5)


def test_nothing_of_a_session_stays_in_dask(machine: Cluster) -> None:
    cluster = connect_cluster(machine.address)
    for _ in range(2):
        task = cluster.submit("unit")
        engine = task.wait(lambda: False)
        assert engine is not None
        assert engine.as_engine.find_image(REFERENCE) is not None
        task.leave()
    cluster.submit("unit").wait(lambda: False)
    cluster.close()  # while it runs
    wait_until_forgotten(machine.address)


def test_a_silent_host_begins_again(machine: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a host was suspended: the machine has given it up, and answers nothing that it still asks."""
    cluster = connect_cluster(machine.address)
    task = cluster.submit("unit")
    with monkeypatch.context() as patch:
        patch.setattr(MachineEngine, "beat", lambda self: None)
        engine = task.wait(lambda: False)
        assert engine is not None
        deadline = time.monotonic() + SILENT_SECONDS + WAIT_SECONDS
        while not engine.problem:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        with pytest.raises(ConnectionLostError):
            engine.as_engine.find_image(REFERENCE)
    again = task.wait(lambda: time.monotonic() > deadline)
    assert again is not None
    assert again.as_engine.find_image(REFERENCE) is not None
    cluster.close()
    wait_until_forgotten(machine.address)


def test_a_stalled_machine_does_not_hold_up_the_end(machine: Cluster) -> None:
    cluster = connect_cluster(machine.address)
    engine = cluster.submit("unit").wait(lambda: False)
    assert engine is not None
    os.kill(machine.programs["near"].pid, signal.SIGSTOP)
    errors: list[Exception] = []

    def upload() -> None:
        try:
            engine.upload("none", "/", iter([bytes(1 << 17)] * 1000))
        except ConnectionLostError as error:
            errors.append(error)

    thread = threading.Thread(target=upload, daemon=True)
    thread.start()
    time.sleep(3)
    assert thread.is_alive(), "the queues are full"
    closing = threading.Thread(target=cluster.close, daemon=True)
    closing.start()
    closing.join(30)
    thread.join(30)
    assert not closing.is_alive()
    assert errors
    deadline = time.monotonic() + 10
    while left := list_queues(machine.address):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def test_a_machine_that_starts_again_at_its_address_is_lost(machine: Cluster, engine: DockerEngine) -> None:
    machine.kill("near")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    words = ("--resources", "engine=1", "--no-nanny", "--worker-port", port)
    machine.start_worker("fixed", engine.info.endpoint, *words)
    cluster = connect_cluster(machine.address)
    task = cluster.submit("unit")
    first = task.wait(lambda: False)
    assert first is not None
    machine.kill("fixed")
    machine.start_worker("again", engine.info.endpoint, *words)
    deadline = time.monotonic() + WAIT_SECONDS
    while not first.problem:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    second = task.wait(lambda: time.monotonic() > deadline)
    assert second is not None
    assert second.worker == first.worker
    assert second.as_engine.find_image(REFERENCE) is not None
    cluster.close()
    wait_until_forgotten(machine.address)
