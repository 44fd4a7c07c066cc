"""A real cluster of one machine, whose connection with this host fails in ways that a session seldom meets."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.cluster import connect_cluster, scheduler
from pytest_pyimages.cluster.channel import LOST
from pytest_pyimages.cluster.client import BEAT_SECONDS
from pytest_pyimages.cluster.engine import MachineEngine
from pytest_pyimages.cluster.machine import SILENT_SECONDS
from pytest_pyimages.cluster.scheduler import LOST_SECONDS
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.errors import ConnectionLostError

from .test_cluster import Cluster

REFERENCE = "python:3.12-slim"
WAIT_SECONDS = 120.0
RELEASE_SECONDS = 0.5  # in which a machine gives up its share of the queue, after its announcement


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
        found = client.run(lambda: [thread.name for thread in threading.enumerate()])
    names = [name for each in found.values() for name in each]
    return [name for name in names if name not in ("MainThread", "Profile") and "Dask" not in name]


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
    time.sleep(RELEASE_SECONDS)
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
    time.sleep(RELEASE_SECONDS)
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


@pytest.mark.parametrize("is_short", [True, False])
def test_a_scheduler_that_does_not_answer(machine: Cluster, monkeypatch: pytest.MonkeyPatch, is_short: bool) -> None:
    """For a moment, which no unit notices, or for longer."""
    cluster = connect_cluster(machine.address)
    task = cluster.submit("unit")
    engine = task.wait(lambda: False)
    assert engine is not None
    until = time.monotonic() + (LOST_SECONDS / 2 if is_short else 60)
    read = scheduler.read_workers

    def fail(each: Any) -> dict[str, bool]:
        if time.monotonic() < until:
            raise TimeoutError
        return read(each)

    monkeypatch.setattr(scheduler, "read_workers", fail)
    deadline = time.monotonic() + (LOST_SECONDS + 5 if is_short else 60)
    while not cluster.scheduler.problem and time.monotonic() < deadline:
        time.sleep(0.2)
    assert cluster.scheduler.problem == ("" if is_short else LOST)
    if is_short:
        assert engine.as_engine.find_image(REFERENCE) is not None
        assert cluster.submit("another").future is not None
    else:
        assert engine.problem == cluster.scheduler.problem
    cluster.close()


def test_all_workers_are_known(machine: Cluster, engine: DockerEngine) -> None:
    """Also those that Dask's own summary leaves out."""
    for number in range(6):
        words = ("--no-nanny", "--nthreads", "1", *(("--resources", "engine=1") if number < 5 else ()))
        machine.start_worker(f"more{number}", engine.info.endpoint, *words)
    cluster = connect_cluster(machine.address)
    assert str(cluster) == f"cluster at {machine.address}, 6 machines with an engine"
    tasks = [cluster.submit("unit") for _ in range(6)]
    engines = [task.wait(lambda: False) for task in tasks]
    time.sleep(2 * BEAT_SECONDS + 1)
    assert {each.machine for each in engines if each is not None} == {"near", *(f"more{n}" for n in range(5))}
    assert [each.problem for each in engines if each is not None] == [""] * 6
    cluster.close()


def test_a_machine_that_joins_gets_what_waits_for_others(machine: Cluster, engine: DockerEngine) -> None:
    """Units wait for certain machines once another one was found without a usable engine."""
    words = ("--resources", "engine=1", "--no-nanny")
    cluster = connect_cluster(machine.address)
    first = cluster.submit("unit").wait(lambda: False)
    assert first is not None
    machine.start_worker("broken", "unix:///nonexistent/docker.sock", *words)
    task = cluster.submit("unit")
    deadline = time.monotonic() + WAIT_SECONDS
    found: list[MachineEngine | None] = []
    waiting = threading.Thread(target=lambda: found.append(task.wait(lambda: time.monotonic() > deadline)))
    waiting.start()
    while not cluster.scheduler.unusable:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    assert not found, "the only machine is in use"
    machine.start_worker("late", engine.info.endpoint, *words)
    waiting.join(WAIT_SECONDS)
    assert [each.machine for each in found if each is not None] == ["late"]
    assert first.problem == ""
    cluster.close()


def test_a_task_moves_to_machines_that_it_has_not_had(machine: Cluster, engine: DockerEngine) -> None:
    machine.start_worker("other", engine.info.endpoint, "--resources", "engine=1", "--no-nanny")
    cluster = connect_cluster(machine.address)
    task = cluster.submit("unit")
    first = task.wait(lambda: False)
    assert first is not None
    assert task.move([first.worker])
    second = task.wait(lambda: False)
    assert second is not None
    assert {first.machine, second.machine} == {"near", "other"}
    assert not task.move([second.worker])
    third = cluster.submit("unit", [second.worker]).wait(lambda: False)
    assert third is not None
    assert third.machine == first.machine
    cluster.close()
    wait_until_forgotten(machine.address)
