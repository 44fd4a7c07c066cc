"""The connection of a session to a Dask cluster, and the tasks that it submits: one for each unit."""

from __future__ import annotations

import itertools
import math
import pickle
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pyimages.cluster.channel import LOST, Channel, describe
from pytest_pyimages.cluster.machine import read_version, serve
from pytest_pyimages.cluster.messages import Announcement, Unusable
from pytest_pyimages.cluster.task import MachineTask
from pytest_pyimages.errors import ConfigurationError, EngineError

if TYPE_CHECKING:
    from distributed import Client

    from pytest_pyimages.cluster.engine import MachineEngine

CONNECT_SECONDS = 10.0
BEAT_SECONDS = 2.0
CLOSE_SECONDS = 2.0
ANSWER_SECONDS = 5.0  # that the scheduler may take
RETRY_SECONDS = 0.5
LOST_SECONDS = 10.0  # without an answer, after which the scheduler is lost; tasks wait longer for beats
RESOURCE = "engine"  # what a task needs one of, in Dask's words


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


def read_workers(client: Client) -> dict[str, bool]:
    """Return the addresses of all workers, and whether they have an engine.

    ``Client.scheduler_info`` is no help: it leaves out workers, or all of them if the scheduler does not answer.
    """
    workers = client.sync(client.scheduler.identity, callback_timeout=ANSWER_SECONDS)["workers"]
    return {address: bool(worker.get("resources", {}).get(RESOURCE)) for address, worker in workers.items()}


class Cluster:
    """A Dask cluster. ``submit`` may be called from any thread.

    :param address: of the scheduler, for users.
    """

    def __init__(self, client: Client, address: str) -> None:
        from distributed import Queue

        self.address = address
        self.problem = ""  # why the scheduler is lost; empty if it is not
        self._client = client
        self._session = f"pyimages-{uuid4().hex}"
        self._announcements = Queue(self._session, client=client)
        self._tasks: dict[str, MachineTask] = {}
        self.unusable: dict[str, str] = {}  # problems of machines by address
        self._leaving: list[MachineEngine] = []  # of tasks that the host is done with, which may not have ended
        self._numbers = itertools.count(1)  # of tasks
        self._workers: frozenset[str] = frozenset()  # addresses of those with an engine, a moment ago
        self._is_closed = threading.Event()
        self._failures = Failures(), Failures()  # to hear announcements, and to look for workers
        for work in (self._listen, self._beat):
            threading.Thread(target=work, name=f"pyimages-cluster{work.__name__}", daemon=True).start()

    def __str__(self) -> str:
        with suppress(Exception):  # of Dask: the scheduler may have ended a moment ago
            count = sum(read_workers(self._client).values())
            return f"cluster at {self.address}, {count} {'machine' if count == 1 else 'machines'} with an engine"
        return f"cluster at {self.address}"

    def submit(self, name: str, avoided: Iterable[str] = ()) -> MachineTask:
        """Submit a task; Dask decides where and when it runs.

        :param name: shown on Dask's pages.
        :param avoided: addresses of workers where it does not run, if there are others.
        :raises EngineError: if the scheduler is lost.
        """
        key = f"pytest-{name}-{uuid4().hex[:12]}"
        task = self._tasks[key] = MachineTask(self, key)
        task.avoided.update(avoided)
        try:
            self.start(task)
        except EngineError:
            del self._tasks[key]
            raise
        return task

    def start(self, task: MachineTask) -> None:
        """Submit a task, once more if it has ended.

        :raises EngineError: if the scheduler is lost.
        """
        try:
            task.bound = self.list_usable(task) if self.unusable or task.avoided else frozenset()
            task.future = self._client.submit(
                serve,
                self._session,
                task.key,
                read_version(),
                key=f"{task.key}-{next(self._numbers)}",
                resources={RESOURCE: 1},
                workers=sorted(task.bound) or None,
                pure=False,
            )
        except Exception as error:
            raise EngineError(f"{self.address}: {describe(error)}") from error

    def avoid(self, task: MachineTask, announcement: Unusable) -> bool:
        """Let no further task run on a machine without a usable engine; return whether others are left for this one.

        Such a machine is always free, and would get, and fail, every task of the session.

        :raises EngineError: if the scheduler is lost.
        """
        text = f"{announcement.machine}: {announcement.problem}"
        self.unusable[announcement.address] = text
        return bool(self.list_usable(task))

    def list_usable(self, task: MachineTask) -> frozenset[str]:
        """Return the addresses of the workers where a task may run. Asks again if the scheduler does not answer.

        :raises EngineError: if the scheduler is lost.
        """
        deadline = time.monotonic() + LOST_SECONDS
        while True:
            try:
                self._look_for_workers()
            except Exception as error:
                if self._is_disconnected or time.monotonic() > deadline:
                    raise EngineError(f"{self.address}: {describe(error)}") from error
                time.sleep(RETRY_SECONDS)
            else:
                return self._workers - self.unusable.keys() - task.avoided

    def has_more(self, task: MachineTask) -> bool:
        """Return whether workers have joined where a task may run that waits for others."""
        return bool(task.bound and self._workers - self.unusable.keys() - task.avoided - task.bound)

    def _look_for_workers(self) -> dict[str, bool]:
        workers = read_workers(self._client)
        self._workers = frozenset(address for address, has_engine in workers.items() if has_engine)
        return workers

    @property
    def _is_disconnected(self) -> bool:
        """Whether the client has given the scheduler up."""
        return self._client.status in ("closing", "closed")

    @property
    def is_connected(self) -> bool:
        """Whether the client has a connection; without one, it looks for the scheduler for some time."""
        return bool(self._client.status == "running")

    def open_channel(self, name: str) -> Channel:
        """Return this host's end of the channel of a task."""
        return Channel(self._client, name, is_host=True)

    def forget(self, key: str) -> None:
        """Send no more beats to a task."""
        task = self._tasks.pop(key, None)
        if task is not None and task.engine is not None:
            self._leaving = [engine for engine in [*self._leaving, task.engine] if engine.is_open]

    def _listen(self) -> None:
        """Hand the announcements to their tasks."""
        failures, _ = self._failures
        while not self._is_closed.is_set():
            began = time.monotonic()
            try:
                announcement: Announcement | None = pickle.loads(self._announcements.get())  # noqa: S301 - see messages
            except Exception as error:  # noqa: BLE001 - of Dask, of its sockets, or that its loop has ended
                if time.monotonic() - began > ANSWER_SECONDS:  # it has waited in vain, and not failed
                    failures.forget()
                if failures.add() or self._is_disconnected or isinstance(error, KeyError):
                    self._lose()
                    return
                self._is_closed.wait(RETRY_SECONDS)
                continue
            failures.forget()
            task = None if announcement is None else self._tasks.get(announcement.task)
            if task is not None and announcement is not None:
                task.announce(announcement)

    def _beat(self) -> None:
        """Tell the tasks that this host waits for them, and let those of lost machines fail."""
        _, failures = self._failures
        while not self._is_closed.wait(BEAT_SECONDS):
            for task in list(self._tasks.values()):
                task.beat()
            try:
                workers = self._look_for_workers()
            except Exception:  # noqa: BLE001 - as above
                if failures.add() or self._is_disconnected:
                    self._lose()
                    return
                continue
            failures.forget()
            for task in list(self._tasks.values()):
                task.look_for_loss(workers)

    def _lose(self) -> None:
        if not self._is_closed.is_set() and not self.problem:
            self.problem = LOST
            for task in list(self._tasks.values()):
                if task.engine is not None:
                    task.engine.lose(self.problem)

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
                if not self.problem:
                    self._announcements.put(pickle.dumps(None), timeout=CLOSE_SECONDS, callback_timeout=CLOSE_SECONDS)
                    self._announcements.close()
                self._client.close(timeout=CLOSE_SECONDS)


class Failures:
    """Consecutive errors of a call that is repeated."""

    def __init__(self) -> None:
        self._began = math.inf

    def add(self) -> bool:
        """Note an error; return whether it has failed for too long."""
        self._began = min(self._began, time.monotonic())
        return time.monotonic() - self._began > LOST_SECONDS

    def forget(self) -> None:
        """Note a success."""
        self._began = math.inf
