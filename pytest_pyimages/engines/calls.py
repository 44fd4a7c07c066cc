"""Calls to an engine from any thread: each has a client of its own, and raises nothing but EngineError."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from pytest_pyimages.engines import faults
from pytest_pyimages.engines.client import Client
from pytest_pyimages.errors import NoAnswerError

P = ParamSpec("P")
R = TypeVar("R")
PING_SECONDS = 5.0


class _Caller(Protocol):
    @property
    def calls(self) -> Calls: ...


C = TypeVar("C", bound=_Caller)


def engine_call(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """Decorate a method to have a client, and to raise nothing but EngineError."""

    @wraps(method)
    def call(self: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with self.calls.use():
                self.calls.require_answers()
                return method(self, *args, **kwargs)
        except faults.list_client_errors() as error:
            found = faults.convert_error(error)
            if isinstance(found, NoAnswerError):
                self.calls.silence.set()
            raise found from error

    return call


class Calls:
    """The clients of an engine: as many as there were calls at the same time, however many threads there are.

    :param create: creates a client.
    """

    def __init__(self, create: Callable[[], Client]) -> None:
        self._create = create
        self._all: set[Client] = set()
        self._free: list[Client] = []
        self._lock = threading.Lock()
        self._local = threading.local()
        self.silence = threading.Event()  # set while the engine answers no calls

    def require_answers(self) -> None:
        """Raise an error soon, rather than after minutes for each call, while the engine answers none."""
        if self.silence.is_set():
            self.current.request("GET", "/_ping", timeout=PING_SECONDS)
            self.silence.clear()

    @property
    def current(self) -> Client:
        """The client of the ``use`` that this thread is in."""
        client: Client = self._local.client
        return client

    @contextlib.contextmanager
    def lend(self) -> Iterator[Client]:
        """Yield a client that no other thread has."""
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
