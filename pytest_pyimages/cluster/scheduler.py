"""The scheduler of a Dask cluster: the workers that it has, tasks for them, and whether it can still be reached."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pyimages.cluster.channel import Channel, describe
from pytest_pyimages.cluster.machine import read_version, serve
from pytest_pyimages.errors import EngineError

if TYPE_CHECKING:
    from distributed import Client, Future

    from pytest_pyimages.cluster.messages import Unusable

ANSWER_SECONDS = 5.0  # that the scheduler may take
RETRY_SECONDS = 0.5
LOST_SECONDS = 10.0  # without an answer, after which the scheduler is lost; tasks wait longer for beats
RESOURCE = "engine"  # what a task needs one of, in Dask's words


def read_workers(client: Client) -> dict[str, bool]:
    """Return the addresses of all workers, and whether they have an engine.

    ``Client.scheduler_info`` is no help: it leaves out workers, or all of them if the scheduler does not answer.
    """
    workers = client.sync(client.scheduler.identity, callback_timeout=ANSWER_SECONDS)["workers"]
    return {address: bool(worker.get("resources", {}).get(RESOURCE)) for address, worker in workers.items()}


class Attempts:
    """A call to the scheduler that is repeated until it succeeds, or the scheduler is lost."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._began = math.inf  # when the first of consecutive errors came, by time.monotonic

    def fail(self) -> bool:
        """Note an error, of Dask, of its sockets, or that its loop has ended; return whether the scheduler is lost."""
        self._began = min(self._began, time.monotonic())
        has_given_up = self._client.status in ("closing", "closed")
        return has_given_up or time.monotonic() - self._began > LOST_SECONDS

    def succeed(self) -> None:
        self._began = math.inf


class Scheduler:
    """The scheduler of a Dask cluster, and what this session knows of its workers. May be used from any thread.

    :param address: of the scheduler, for users.
    """

    def __init__(self, client: Client, address: str) -> None:
        self.client = client
        self.address = address
        self.session = f"pyimages-{uuid4().hex}"
        self.problem = ""  # why it is lost; empty if it is not
        self.unusable: dict[str, str] = {}  # problems of machines by address
        self._numbers = itertools.count(1)  # of submitted tasks
        self._workers: frozenset[str] = frozenset()  # addresses of those with an engine, a moment ago

    def submit(self, key: str, avoided: Collection[str]) -> tuple[Future, frozenset[str]]:
        """Submit a task; Dask decides where and when it runs.

        Return also the addresses of the workers that Dask chooses from, none for all.

        :param avoided: addresses of workers where it does not run.
        :raises EngineError: if the scheduler is lost.
        """
        bound = self.list_usable(avoided) if self.unusable or avoided else frozenset()
        try:
            future = self.client.submit(
                serve,
                self.session,
                key,
                read_version(),
                key=f"{key}-{next(self._numbers)}",
                resources={RESOURCE: 1},
                workers=sorted(bound) or None,
                pure=False,
            )
        except Exception as error:
            raise EngineError(f"{self.address}: {describe(error)}") from error
        return future, bound

    def exclude(self, announcement: Unusable) -> None:
        """Let no further task run on a machine without a usable engine.

        Such a machine is always free, and would get, and fail, every task of the session.
        """
        self.unusable[announcement.address] = f"{announcement.machine}: {announcement.problem}"

    def list_usable(self, avoided: Collection[str]) -> frozenset[str]:
        """Return the addresses of the workers where a task may run. Asks again if the scheduler does not answer.

        :param avoided: addresses of workers where it does not run.
        :raises EngineError: if the scheduler is lost.
        """
        attempts = Attempts(self.client)
        while True:
            try:
                self.look_for_workers()
            except Exception as error:
                if attempts.fail():
                    raise EngineError(f"{self.address}: {describe(error)}") from error
                time.sleep(RETRY_SECONDS)
            else:
                return self._select_usable(avoided)

    def has_more(self, bound: Collection[str], avoided: Collection[str]) -> bool:
        """Return whether workers have joined where a task may run that waits for certain others.

        :param bound: addresses of those others; none if it waits for any worker.
        """
        return bool(bound and self._select_usable(avoided).difference(bound))

    def _select_usable(self, avoided: Collection[str]) -> frozenset[str]:
        return self._workers.difference(self.unusable, avoided)

    def look_for_workers(self) -> dict[str, bool]:
        """Return the addresses of all workers, and whether they have an engine; raise the errors of Dask."""
        workers = read_workers(self.client)
        self._workers = frozenset(address for address, has_engine in workers.items() if has_engine)
        return workers

    @property
    def is_connected(self) -> bool:
        """Whether the client has a connection; without one, it looks for the scheduler for some time."""
        return bool(self.client.status == "running")

    def open_channel(self, name: str) -> Channel:
        """Return this host's end of the channel of a task."""
        return Channel(self.client, name, is_host=True)
