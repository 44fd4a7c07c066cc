"""The connection of a session to a Dask cluster, and the units that it submits: one for each container of a suite."""

from __future__ import annotations

import pickle
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pyimages.cluster.channel import LOST, Channel, describe
from pytest_pyimages.cluster.engine import MachineEngine
from pytest_pyimages.cluster.machine import read_version, serve
from pytest_pyimages.cluster.messages import Announcement, Beat, Unusable
from pytest_pyimages.errors import ConfigurationError, EngineError

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 10.0
BEAT_SECONDS = 2.0
LOOK_SECONDS = 0.2  # between two looks for the end of a session
RESOURCE = "engine"  # what a unit needs one of, in Dask's words


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
        self._units: dict[str, Unit] = {}
        self._is_closed = threading.Event()
        for work in (self._listen, self._beat):
            threading.Thread(target=work, name=f"pyimages-cluster{work.__name__}", daemon=True).start()

    def __str__(self) -> str:
        with suppress(Exception):  # of Dask: the scheduler may have ended a moment ago
            workers = self._client.scheduler_info()["workers"].values()
            count = sum(bool(worker.get("resources", {}).get(RESOURCE)) for worker in workers)
            return f"cluster at {self.address}, {count} {'machine' if count == 1 else 'machines'} with an engine"
        return f"cluster at {self.address}"

    def submit(self, name: str) -> Unit:
        """Submit a unit; Dask decides where and when it runs.

        :param name: shown on Dask's pages.
        :raises EngineError: if the scheduler is lost.
        """
        key = f"pytest-{name}-{uuid4().hex[:12]}"
        unit = self._units[key] = Unit(self, key)
        try:
            unit.future = self._client.submit(
                serve, self._session, key, read_version(), key=key, resources={RESOURCE: 1}, pure=False
            )
        except Exception as error:
            del self._units[key]
            raise EngineError(f"{self.address}: {describe(error)}") from error
        return unit

    def open_channel(self, name: str) -> Channel:
        """Return this host's end of the channel of a task."""
        return Channel(self._client, name, is_host=True)

    def forget(self, key: str) -> None:
        """Send no more beats for a unit."""
        self._units.pop(key, None)

    def _listen(self) -> None:
        """Hand the announcements of tasks to their units."""
        while not self._is_closed.is_set():
            try:
                announcement: Announcement = pickle.loads(self._announcements.get())  # noqa: S301 - see messages
            except Exception as error:  # noqa: BLE001 - of Dask, of its sockets, or that its loop has ended
                self._lose(error)
                return
            unit = self._units.get(announcement.unit)
            if unit is not None:
                unit.announced.put(announcement)

    def _beat(self) -> None:
        """Tell the tasks that this host waits for them, and the units which machines are lost."""
        while not self._is_closed.wait(BEAT_SECONDS):
            try:
                workers = self._client.scheduler_info()["workers"]
            except Exception as error:  # noqa: BLE001 - as above
                self._lose(error)
                return
            for engine in [unit.engine for unit in list(self._units.values()) if unit.engine is not None]:
                if engine.worker not in workers:
                    engine.lose(f"{engine.machine} is no longer a worker of the cluster")
                with suppress(EngineError):
                    engine.send(Beat())

    def _lose(self, error: Exception) -> None:
        if not self._is_closed.is_set() and not self.problem:
            self.problem = LOST.format(type(error).__name__)
            for unit in list(self._units.values()):
                if unit.engine is not None:
                    unit.engine.lose(self.problem)

    def close(self) -> None:
        """Cancel what has not begun, and disconnect. May be called more than once."""
        if not self._is_closed.is_set():
            self._is_closed.set()
            for unit in list(self._units.values()):
                unit.leave()
            with suppress(Exception):  # the scheduler may be gone
                self._client.close(timeout=2)


class Unit:
    """A task of the cluster that lends the engine of its machine. Belongs to one thread."""

    def __init__(self, cluster: Cluster, key: str) -> None:
        self.announced: queue.SimpleQueue[Announcement] = queue.SimpleQueue()
        self.engine: MachineEngine | None = None
        self.future: Future | None = None
        self._cluster = cluster
        self._key = key

    def wait(self, is_over: Callable[[], bool]) -> MachineEngine | None:
        """Wait until the task runs; return the engine of its machine, or None if the session ends.

        After its machine was lost, Dask runs the task on another one, so this may be called again.

        :raises EngineError: if Dask gives it up, or it runs where no engine can be used.
        """
        self.engine = None
        while not is_over():
            try:
                announcement = self.announced.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                self._check()
                continue
            if isinstance(announcement, Unusable):
                raise EngineError(f"{announcement.machine}: {announcement.problem}")
            self.engine = MachineEngine(self._cluster.open_channel(announcement.attempt), announcement)
            return self.engine
        return None

    def _check(self) -> None:
        if self._cluster.problem:
            raise EngineError(self._cluster.problem)
        if self.future is not None and self.future.status in ("error", "cancelled", "lost"):
            error = self.future.exception() if self.future.status == "error" else None
            reason = describe(error) if error is not None else self.future.status
            raise EngineError(f"Dask has given up the task: {reason}")

    def leave(self) -> None:
        """End the task, or cancel it if it has not begun."""
        self._cluster.forget(self._key)
        if self.engine is not None:
            self.engine.leave()
        elif self.future is not None:
            with suppress(Exception):  # the scheduler may be gone
                self.future.cancel()
