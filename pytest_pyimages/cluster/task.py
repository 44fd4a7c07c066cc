"""The task of a unit in Dask, as this host sees it: waiting for a machine, running on one, or lost with it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_pyimages.cluster.channel import describe
from pytest_pyimages.cluster.engine import MachineEngine
from pytest_pyimages.cluster.messages import Announcement, Unusable
from pytest_pyimages.errors import EngineError

if TYPE_CHECKING:
    from distributed import Future

    from pytest_pyimages.cluster.scheduler import Scheduler

LOOK_SECONDS = 0.2  # between two looks for the end of a session
ANNOUNCED_SECONDS = 2.0  # after which no announcement of a task that has ended can come
_ENDED = ("error", "cancelled", "lost", "finished")


class MachineTask:
    """The task of a unit, which lends the engine of its machine; submitted again if it ends. Belongs to one thread."""

    def __init__(
        self, scheduler: Scheduler, key: str, avoided: Iterable[str], forget: Callable[[MachineTask], object]
    ) -> None:
        """Prepare a task.

        :param key: of its announcements, and the start of its name on Dask's pages.
        :param avoided: addresses of workers where it does not run, if there are others.
        :param forget: called when the host is done with it.
        """
        self._announced: queue.SimpleQueue[Announcement] = queue.SimpleQueue()
        self.engine: MachineEngine | None = None
        self.future: Future | None = None
        self._avoided = set(avoided)
        self._bound: frozenset[str] = frozenset()  # addresses of the workers that Dask chooses from; empty for all
        self.key = key
        self._scheduler = scheduler
        self._forget = forget
        self._looks = 0  # that have found the task at its end

    def start(self) -> None:
        """Submit the task, once more if it has ended.

        :raises EngineError: if the scheduler is lost.
        """
        self.future, self._bound = self._scheduler.submit(self.key, self._avoided)

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
                self._scheduler.exclude(announcement)
                if not self._scheduler.list_usable(self._avoided):
                    raise EngineError(f"{announcement.machine}: {announcement.problem}")
                self.start()
                continue
            self.engine = MachineEngine(self._scheduler.open_channel(announcement.attempt), announcement)
            return self.engine
        return None

    def move(self, avoided: Iterable[str]) -> bool:
        """Let the task run on another machine; return False if the cluster has no other one.

        :param avoided: addresses of workers where it cannot do its work.
        :raises EngineError: if the scheduler is lost.
        """
        self._avoided.update(avoided)
        if not self._scheduler.list_usable(self._avoided):
            return False
        if self.engine is not None:
            self.engine.leave()
        self.engine = None
        self.start()
        return True

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
        if self._scheduler.problem:
            raise EngineError(self._scheduler.problem)
        status = "" if self.future is None else self.future.status
        if status == "cancelled" and not self._scheduler.is_connected:  # all tasks are, when the connection breaks
            return
        if self.future is not None and status in ("error", "cancelled", "lost"):
            error = self.future.exception() if status == "error" else None
            reason = describe(error) if error is not None else status
            raise EngineError(f"Dask has given up the task: {reason}")
        self._looks = self._looks + 1 if status == "finished" else 0
        if self._looks * LOOK_SECONDS > ANNOUNCED_SECONDS:  # it heard nothing of this host for some time
            self._looks = 0
            self.start()
        elif status == "pending" and self._scheduler.has_more(self._bound, self._avoided):
            old = self.future
            self.start()
            if old is not None:
                old.cancel()

    def leave(self) -> None:
        """End the task, or cancel it if it has not begun."""
        self._forget(self)
        if self.engine is not None:
            self.engine.leave()
        elif self.future is not None:
            with suppress(Exception):  # the scheduler may be gone
                self.future.cancel()
