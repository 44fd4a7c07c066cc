"""Containers that are started ahead and wait for their job: a watch has one of each image, with the source mounted.

An overlay goes on showing what was once looked up in it, even if that changes on the host. So the program of such a
container looks up no file of the source before it has the job (``import_pytest`` of inside/worker/suite.py). The start
of Python may look up folders, which an editable installation names, and the mounts hold what they were made of: if one
of these is another one now, or the configuration, the container is not used.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Any, cast

from pytest_pyimages.containers.ahead import Identity, Waiting, Wanted
from pytest_pyimages.containers.bytecode import BytecodeLayer, BytecodeRecord
from pytest_pyimages.containers.hidden_files import HiddenFiles
from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.links import LinkedPaths
from pytest_pyimages.containers.process import SILENT_SECONDS, ContainerProcess
from pytest_pyimages.containers.source import Source
from pytest_pyimages.engines import Engine, EngineInfo, release_connection
from pytest_pyimages.errors import EngineError, PyimagesError

VARIABLE = "PYIMAGES_WAITS"  # the root: tells the worker to prepare before it has a job; see inside/worker/parent.py
REMOVAL_SECONDS = 10.0


class WaitingContainers:
    """The containers that wait for a session, and what the session after it will need."""

    def __init__(self) -> None:
        self.used: list[Wanted] = []
        self.endpoint = ""  # of the engine that the session uses
        self.problems: Sequence[str] | None = None  # of a sweep that has ended (``Lease.sweep``)
        self._connect: Callable[[], Engine] | None = None  # None as long as no container may be started
        self._lease: Lease | None = None
        self._threads: list[StartedAhead] = []
        self._free: list[StartedAhead] = []  # whose containers were not taken
        self._sweeping: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def has_started(self) -> bool:
        """Whether any container was started, or is being started."""
        return bool(self._threads)

    def start(self, connect: Callable[[], Engine], wanted: Sequence[Wanted]) -> Lease:
        """Start containers in threads, and a sweep; return the lease of the containers.

        A container that cannot be started is missing, and the session starts its own.
        """
        lease = self._lease = Lease()
        lease.__enter__()
        self._connect = connect
        for each in wanted:
            self._start(each, lease)
        self._sweeping = threading.Thread(target=self._sweep, args=(connect, lease), name="pyimages-sweep", daemon=True)
        self._sweeping.start()
        return lease

    def _start(self, wanted: Wanted, lease: Lease) -> None:
        with self._lock:
            if self._connect is None:
                return
            thread = StartedAhead(self._connect, lease, wanted)
            self._threads.append(thread)
            self._free.append(thread)
            thread.start()

    def _sweep(self, connect: Callable[[], Engine], lease: Lease) -> None:
        """Remove what dead sessions have leaked, as each session does that does not find it done."""
        with contextlib.suppress(PyimagesError), contextlib.closing(connect()) as engine:
            self.problems = lease.sweep(engine)

    def take(self, engine: Engine, wanted: Wanted, bytecode: BytecodeLayer | None = None) -> Waiting | None:
        """Return a container that is the same as the session would start; None without one.

        It is removed by ``close``: before that, suites and reports would wait for the engine's work on it.
        """
        with self._lock:
            self.used += [] if wanted in self.used else [wanted]
        thread = self.take_first(wanted.__eq__)
        if thread is None:
            return None
        if not thread.is_like(engine.info, bytecode):
            thread.released.set()
            return None
        return thread.started.result()

    def take_first(self, matches: Callable[[Wanted], bool], seconds: float | None = None) -> StartedAhead | None:
        """Return the first free container that matches, once it has started; None without one.

        :param seconds: within which it must have started; None for any time.
        """
        with self._lock:
            thread = next((each for each in self._free if matches(each.wanted)), None)
            if thread is None:
                return None
            self._free.remove(thread)
        if not wait([thread.started], seconds).done:
            self.put_back(thread)
            return None
        return thread if thread.started.exception() is None else None

    def put_back(self, thread: StartedAhead) -> None:
        """Offer a container again that was not used."""
        with self._lock:
            self._free.append(thread)

    def transfer(self, thread: StartedAhead, confirm: Callable[[], object]) -> None:
        """Make another process the owner of a container, unless all are being removed.

        :param confirm: confirms this to that process; if it fails, the owner stays the same.
        """
        with self._lock:
            if self._connect is not None:
                confirm()
                thread.is_transferred = True

    def replace(self, thread: StartedAhead, lease: Lease) -> None:
        """Start another container in the place of one that was transferred, or is of no use."""
        thread.released.set()
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive()]
        self._start(thread.wanted, lease)

    def close(self) -> None:
        """Wait until all containers are removed."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        with self._lock:
            self._connect = None
        for thread in self._threads:
            thread.released.set()
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        if self._sweeping is not None:
            self._sweeping.join(max(deadline - time.monotonic(), 0))
        if self._lease is not None:  # other sessions may now remove leaked ones
            self._lease.__exit__(None, None, None)


class StartedAhead(threading.Thread):
    """Creates a container, starts it, and removes it once it is released, unless another process owns it then."""

    def __init__(self, connect: Callable[[], Engine], lease: Lease, wanted: Wanted) -> None:
        super().__init__(name="pyimages-ahead", daemon=True)
        self._connect = connect
        self._lease = lease
        self.wanted = wanted
        self.info: EngineInfo | None = None
        self.bytecode: BytecodeLayer | None = None  # that it has mounted
        self.volumes: Sequence[str] = ()  # names of its own
        self._identity: Identity = frozenset()  # before it was created
        self.started: Future[Waiting] = Future()
        self.released = threading.Event()
        self.is_transferred = False

    def is_like(self, info: EngineInfo, bytecode: BytecodeLayer | None) -> bool:
        """Return whether the started container is on this engine and shows this bytecode, and the source as it is."""
        return (self.info, self.bytecode) == (info, bytecode) and self.is_current

    @property
    def is_current(self) -> bool:
        """Whether the folders and links of the source, and mounts, are those that the container was made of."""
        return self._identity == self.wanted.identify()

    def run(self) -> None:
        try:
            self._hold()
        except PyimagesError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - the session must not wait for ever
            self._fail(EngineError(str(error)))

    def _fail(self, error: PyimagesError) -> None:
        if not self.started.done():  # else its removal has failed, which the next session makes up for
            self.started.set_exception(error)

    def _hold(self) -> None:
        wanted, self._identity = self.wanted, self.wanted.identify()
        engine = self._connect()
        try:
            source = Source(
                wanted.root, "overlay", LinkedPaths([*wanted.linked]), (), HiddenFiles(wanted.large, wanted.large)
            )
            owned = _OwnedResources(engine)
            process = ContainerProcess(cast("Engine", owned), self._lease, source, upper=wanted.upper)
            process.bytecode = BytecodeRecord(engine, self._lease, wanted.root, wanted.spec.image).layer
            spec = replace(
                wanted.spec,
                name=self._lease.new_name(),
                labels=self._lease.labels("run"),
                environment={**wanted.spec.environment, VARIABLE: str(wanted.root)},
            )
            with process.create(spec) as container, process.start(container, silence=SILENT_SECONDS) as stream:
                if process.mounted is None:
                    raise AssertionError("it was created")
                self.info, self.bytecode, self.volumes = engine.info, process.bytecode, owned.volumes
                self.started.set_result(Waiting(container, process.mounted, stream))
                self.released.wait()
                if self.is_transferred:
                    owned.are_transferred = True
                    release_connection(stream)
        finally:
            engine.close()


class _OwnedResources:
    """An engine that removes a container and its volumes, unless another process owns them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.volumes: list[str] = []
        self.are_transferred = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def create_volume(self, name: str, **options: Any) -> str:
        self.volumes.append(name)
        return self._engine.create_volume(name, **options)

    def remove_volume(self, name: str) -> None:
        if not self.are_transferred:
            self._engine.remove_volume(name)

    def remove_container(self, container: str, *, wait: bool = True) -> None:
        if not self.are_transferred:
            self._engine.remove_container(container, wait=wait)
