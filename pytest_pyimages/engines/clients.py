"""Lend clients: they are not thread-safe, and each keeps a connection open."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from pytest_pyimages.engines.client import Client


class Clients:
    """The clients of an engine: as many as there were calls at the same time, however many threads there are."""

    def __init__(self, create: Callable[[], Client]) -> None:
        self._create = create
        self._all: set[Client] = set()
        self._free: list[Client] = []
        self._lock = threading.Lock()
        self._local = threading.local()

    @property
    def current(self) -> Client:
        """The client of the ``use`` that this thread is in."""
        client: Client = self._local.client
        return client

    @contextlib.contextmanager
    def lend(self) -> Iterator[Client]:
        """Yield a client that nobody else has."""
        with self._lock:
            client = self._free.pop() if self._free else None
        if client is None:
            client = self._create()
            with self._lock:
                self._all.add(client)
        try:
            yield client
        finally:
            with self._lock:
                is_open = client in self._all
                if is_open:
                    self._free.append(client)
            if not is_open:  # all were closed meanwhile
                client.close()

    @contextlib.contextmanager
    def use(self) -> Iterator[None]:
        """Make a client the current one; the same one within a ``use`` of the same thread."""
        if getattr(self._local, "client", None) is not None:
            yield
            return
        with self.lend() as client:
            self._local.client = client
            try:
                yield
            finally:
                self._local.client = None

    def close(self) -> None:
        """Close all clients, those that are lent when they are returned: closing one now could wait for its answer."""
        with self._lock:
            free, self._all, self._free = self._free, set(), []
        for client in free:
            client.close()
