"""The connection of a session to a Dask cluster, and the tasks that it submits: one for each unit."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pyimages.cluster.channel import LOST, describe
from pytest_pyimages.cluster.messages import Announcement
from pytest_pyimages.cluster.scheduler import (
    ANSWER_SECONDS,
    RESOURCE,
    RETRY_SECONDS,
    Attempts,
    Scheduler,
    read_workers,
)
from pytest_pyimages.cluster.task import MachineTask
from pytest_pyimages.errors import ConfigurationError, EngineError

if TYPE_CHECKING:
    from distributed import Client

    from pytest_pyimages.cluster.engine import MachineEngine

CONNECT_SECONDS = 10.0
BEAT_SECONDS = 2.0
CLOSE_SECONDS = 2.0


def connect_cluster(address: str) -> Cluster:
    """Connect to the scheduler of a Dask cluster.

    :param address: such as ``tcp://10.0.0.1:8786``.
    :raises ConfigurationError: if Dask is not installed, the scheduler does not answer in time, or none of its workers
        has an engine.
    """
    option = "--py-images-cluster"
    try:
        from distributed import Client
    except ImportError as error:
        problem = f"{option} needs Dask: {error}"
        raise ConfigurationError(problem, 'install it with: pip install "pytest-pyimages[dask]"') from error
    client: Client | None = None
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        workers = read_workers(client)
    except Exception as error:
        if client is not None:
            client.close(timeout=CLOSE_SECONDS)
        problem = f"{option}: no scheduler answers at {address} ({describe(error)})"
        raise ConfigurationError(problem, "start one with: dask scheduler") from error
    if workers and not any(workers.values()):
        client.close()
        problem = f"{option}: none of the {len(workers)} workers at {address} has the resource {RESOURCE}"
        raise ConfigurationError(problem, f"start them with: dask worker {address} --resources {RESOURCE}=1")
    return Cluster(client, address)


class Cluster:
    """A Dask cluster. ``submit`` may be called from any thread.

    :param address: of the scheduler, for users.
    """

    def __init__(self, client: Client, address: str) -> None:
        from distributed import Queue

        self.scheduler = Scheduler(client, address)
        self._client = client
        self._announcements = Queue(self.scheduler.session, client=client)
        self._tasks: dict[str, MachineTask] = {}
        self._leaving: list[MachineEngine] = []  # of tasks that the host is done with, which may not have ended
        self._is_closed = threading.Event()
        for work in (self._listen, self._beat):
            threading.Thread(target=work, name=f"pyimages-cluster{work.__name__}", daemon=True).start()

    def __str__(self) -> str:
        text = f"cluster at {self.scheduler.address}"
        with suppress(Exception):  # of Dask: the scheduler may have ended a moment ago
            count = sum(read_workers(self._client).values())
            return f"{text}, {count} {'machine' if count == 1 else 'machines'} with an engine"
        return text

    def submit(self, name: str, avoided: Iterable[str] = ()) -> MachineTask:
        """Submit a task; Dask decides where and when it runs.

        :param name: shown on Dask's pages.
        :param avoided: addresses of workers where it does not run, if there are others.
        :raises EngineError: if the scheduler is lost.
        """
        key = f"pytest-{name}-{uuid4().hex[:12]}"
        task = self._tasks[key] = MachineTask(self.scheduler, key, avoided, self._forget)
        try:
            task.start()
        except EngineError:
            del self._tasks[key]
            raise
        return task

    def _forget(self, task: MachineTask) -> None:
        """Send no more beats to a task."""
        if self._tasks.pop(task.key, None) is not None and task.engine is not None:
            self._leaving = [engine for engine in [*self._leaving, task.engine] if engine.is_open]

    def _listen(self) -> None:
        """Hand the announcements to their tasks."""
        attempts = Attempts(self._client)
        while not self._is_closed.is_set():
            began = time.monotonic()
            try:
                announcement: Announcement | None = pickle.loads(self._announcements.get())  # noqa: S301 - see messages
            except Exception as error:  # noqa: BLE001 - see Attempts
                if time.monotonic() - began > ANSWER_SECONDS:  # it has waited in vain, and not failed
                    attempts.succeed()
                if attempts.fail() or isinstance(error, KeyError):
                    self._lose()
                    return
                self._is_closed.wait(RETRY_SECONDS)
                continue
            attempts.succeed()
            task = None if announcement is None else self._tasks.get(announcement.task)
            if task is not None and announcement is not None:
                task.announce(announcement)

    def _beat(self) -> None:
        """Tell the tasks that this host waits for them, and let those of lost machines fail."""
        attempts = Attempts(self._client)
        while not self._is_closed.wait(BEAT_SECONDS):
            for task in list(self._tasks.values()):
                task.beat()
            try:
                workers = self.scheduler.look_for_workers()
            except Exception:  # noqa: BLE001 - as above
                if attempts.fail():
                    self._lose()
                    return
                continue
            attempts.succeed()
            for task in list(self._tasks.values()):
                task.look_for_loss(workers)

    def _lose(self) -> None:
        if not self._is_closed.is_set() and not self.scheduler.problem:
            self.scheduler.problem = LOST
            for task in list(self._tasks.values()):
                if task.engine is not None:
                    task.engine.lose(self.scheduler.problem)

    def close(self) -> None:
        """Cancel what has not begun, and disconnect. May be called more than once."""
        if not self._is_closed.is_set():
            self._is_closed.set()
            for task in list(self._tasks.values()):
                task.leave()
            deadline = time.monotonic() + CLOSE_SECONDS
            for engine in self._leaving:
                engine.release(max(deadline - time.monotonic(), 0))
            with suppress(Exception):  # the scheduler may be gone
                if not self.scheduler.problem:
                    self._announcements.put(pickle.dumps(None), timeout=CLOSE_SECONDS, callback_timeout=CLOSE_SECONDS)
                    self._announcements.close()
                self._client.close(timeout=CLOSE_SECONDS)
