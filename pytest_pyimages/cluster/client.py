"""The connection of a session to a Dask cluster, and the tasks that it submits: one for each unit."""

from __future__ import annotations

import itertools
import pickle
import queue
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pyimages.cluster.channel import LOST, Channel, describe
from pytest_pyimages.cluster.engine import MachineEngine
from pytest_pyimages.cluster.machine import read_version, serve
from pytest_pyimages.cluster.messages import Announcement, Unusable
from pytest_pyimages.errors import ConfigurationError, EngineError

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 10.0
BEAT_SECONDS = 2.0
CLOSE_SECONDS = 2.0
LOOK_SECONDS = 0.2  # between two looks for the end of a session
ANNOUNCED_SECONDS = 2.0  # after which no announcement of a task that has ended can come
_ENDED = ("error", "cancelled", "lost", "finished")
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
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        workers = client.scheduler_info()["workers"].values()
    except Exception as error:
        problem = f"{option}: no scheduler answers at {address} ({describe(error)})"
        raise ConfigurationError(problem, "start one with: dask scheduler") from error
    if workers and not any(worker.get("resources", {}).get(RESOURCE) for worker in workers):
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

        self.address = address
        self.problem = ""  # why the scheduler is lost; empty if it is not
        self._client = client
        self._session = f"pyimages-{uuid4().hex}"
        self._announcements = Queue(self._session, client=client)
        self._tasks: dict[str, MachineTask] = {}
        self.unusable: dict[str, str] = {}  # problems of machines by address
        self._leaving: list[MachineEngine] = []  # of tasks that the host is done with, which may not have ended
        self._numbers = itertools.count(1)  # of tasks
        self._is_closed = threading.Event()
        for work in (self._listen, self._beat):
            threading.Thread(target=work, name=f"pyimages-cluster{work.__name__}", daemon=True).start()

    def __str__(self) -> str:
        with suppress(Exception):  # of Dask: the scheduler may have ended a moment ago
            workers = self._client.scheduler_info()["workers"].values()
            count = sum(bool(worker.get("resources", {}).get(RESOURCE)) for worker in workers)
            return f"cluster at {self.address}, {count} {'machine' if count == 1 else 'machines'} with an engine"
        return f"cluster at {self.address}"

    def submit(self, name: str) -> MachineTask:
        """Submit a task; Dask decides where and when it runs.

        :param name: shown on Dask's pages.
        :raises EngineError: if the scheduler is lost.
        """
        key = f"pytest-{name}-{uuid4().hex[:12]}"
        task = self._tasks[key] = MachineTask(self, key)
        try:
            self.start(task, key)
        except EngineError:
            del self._tasks[key]
            raise
        return task

    def start(self, task: MachineTask, key: str) -> None:
        """Submit a task, once more if it has ended.

        :raises EngineError: if the scheduler is lost.
        """
        try:
            task.future = self._client.submit(
                serve,
                self._session,
                key,
                read_version(),
                key=f"{key}-{next(self._numbers)}",
                resources={RESOURCE: 1},
                workers=self._list_usable() if self.unusable else None,
                pure=False,
            )
        except Exception as error:
            raise EngineError(f"{self.address}: {describe(error)}") from error

    def avoid(self, announcement: Unusable) -> bool:
        """Let no further task run on a machine without a usable engine; return whether others are left.

        Such a machine is always free, and would get, and fail, every task of the session.

        :raises EngineError: if the scheduler is lost.
        """
        text = f"{announcement.machine}: {announcement.problem}"
        self.unusable[announcement.address] = text
        try:
            return bool(self._list_usable())
        except Exception as error:
            raise EngineError(f"{self.address}: {describe(error)}") from error

    def _list_usable(self) -> list[str]:
        """Return the addresses of the workers that may have a usable engine."""
        workers = self._client.scheduler_info()["workers"].items()
        has_engine = (address for address, worker in workers if worker.get("resources", {}).get(RESOURCE))
        return [address for address in has_engine if address not in self.unusable]

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
        while not self._is_closed.is_set():
            try:
                announcement: Announcement | None = pickle.loads(self._announcements.get())  # noqa: S301 - see messages
            except Exception as error:  # noqa: BLE001 - of Dask, of its sockets, or that its loop has ended
                self._lose(error)
                return
            task = None if announcement is None else self._tasks.get(announcement.task)
            if task is not None and announcement is not None:
                task.announce(announcement)

    def _beat(self) -> None:
        """Tell the tasks that this host waits for them, and let those of lost machines fail."""
        while not self._is_closed.wait(BEAT_SECONDS):
            for task in list(self._tasks.values()):
                task.beat()
            try:
                workers = self._client.scheduler_info()["workers"]
            except Exception as error:  # noqa: BLE001 - as above
                self._lose(error)
                return
            for task in list(self._tasks.values()):
                task.look_for_loss(workers)

    def _lose(self, error: Exception) -> None:
        if not self._is_closed.is_set() and not self.problem:
            self.problem = LOST.format(type(error).__name__)
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


class MachineTask:
    """The task of a unit, which lends the engine of its machine; submitted again if it ends. Belongs to one thread."""

    def __init__(self, cluster: Cluster, key: str) -> None:
        self._announced: queue.SimpleQueue[Announcement] = queue.SimpleQueue()
        self.engine: MachineEngine | None = None
        self.future: Future | None = None
        self._cluster = cluster
        self._key = key
        self._looks = 0  # that have found the task at its end

    def wait(self, is_over: Callable[[], bool]) -> MachineEngine | None:
        """Wait until the task runs; return the engine of its machine, or None if the session ends.

        After its machine was lost, Dask runs the task on another one, so this may be called again.

        :raises EngineError: if Dask gives it up, or it runs where no engine can be used.
        """
        if self.engine is not None:
            self.engine.leave()
        self.engine, self._looks = None, 0
        while not is_over():
            try:
                announcement = self._take_announcement()
            except queue.Empty:
                self._check()
                continue
            if isinstance(announcement, Unusable):
                if not self._cluster.avoid(announcement):
                    raise EngineError(f"{announcement.machine}: {announcement.problem}")
                self._cluster.start(self, self._key)
                continue
            self.engine = MachineEngine(self._cluster.open_channel(announcement.attempt), announcement)
            return self.engine
        return None

    def announce(self, announcement: Announcement) -> None:
        """Take the announcement of a task; one that comes again has lost its machine, of which Dask knows first."""
        self._announced.put(announcement)
        if self.engine is not None:
            self.engine.lose(f"{self.engine.machine} was lost to the cluster")

    def _take_announcement(self) -> Announcement:
        announcement = self._announced.get(timeout=LOOK_SECONDS)
        with suppress(queue.Empty):
            while True:  # those before the last one are of lost machines
                announcement = self._announced.get_nowait()
        return announcement

    def beat(self) -> None:
        """Tell the task, if it runs, that this host waits for it."""
        if self.engine is not None:
            self.engine.beat()

    def look_for_loss(self, workers: Collection[str]) -> None:
        """Let the engine fail if its machine, or the task, is no more.

        :param workers: addresses of those that the cluster has.
        """
        engine, future = self.engine, self.future
        if engine is None or future is None:
            return
        if engine.worker not in workers:
            engine.lose(f"{engine.machine} is no longer a worker of the cluster")
        elif future.status in _ENDED:
            engine.lose(f"the task on {engine.machine} is {future.status}")

    def _check(self) -> None:
        if self._cluster.problem:
            raise EngineError(self._cluster.problem)
        status = "" if self.future is None else self.future.status
        if self.future is not None and status in ("error", "cancelled", "lost"):
            error = self.future.exception() if status == "error" else None
            reason = describe(error) if error is not None else status
            raise EngineError(f"Dask has given up the task: {reason}")
        self._looks = self._looks + 1 if status == "finished" else 0
        if self._looks * LOOK_SECONDS > ANNOUNCED_SECONDS:  # it heard nothing of this host for some time
            self._looks = 0
            self._cluster.start(self, self._key)

    def leave(self) -> None:
        """End the task, or cancel it if it has not begun."""
        self._cluster.forget(self._key)
        if self.engine is not None:
            self.engine.leave()
        elif self.future is not None:
            with suppress(Exception):  # the scheduler may be gone
                self.future.cancel()
