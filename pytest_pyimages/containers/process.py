"""The lifecycle of a container that runs one program on the project's source: create, start, talk, stop, remove."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from pytest_pyimages.containers.bytecode import BytecodeLayer
from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.mounted_source import Decision, MountedSource, SourceJob, describe_source
from pytest_pyimages.containers.probe import NOT_SEEN, explain_refusal
from pytest_pyimages.containers.source import Source
from pytest_pyimages.containers.witnesses import Witness
from pytest_pyimages.engines import (
    NO_OPTIONS,
    ContainerOptions,
    ContainerSpec,
    ContainerStream,
    Engine,
    lend_socket,
    watch_stream,
)
from pytest_pyimages.errors import EngineError, PyimagesError

if TYPE_CHECKING:
    from pytest_pyimages.containers.ahead import Waiting

T = TypeVar("T")
# Worker and installer send at least a heartbeat every few seconds: after so many without one, engine or container hang.
SILENT_SECONDS = 300.0


class SourceNotVisibleError(PyimagesError):
    """The container does not see the source as this host does; its program did not begin.

    :param reason: a short one, for the session's header.
    :param decision: how the container got the source.
    """

    def __init__(self, message: str, reason: str = NOT_SEEN, decision: Decision | None = None) -> None:
        super().__init__(f"the source is not visible in the container: {message}")
        self.reason = reason
        self.decision = decision


class StoppedError(PyimagesError):
    """The process was stopped before its program began."""


class NotBegunError(Exception):
    """The container was started ahead and is of no use; its program has not begun with the job."""


def run_with_source(source: Source, attempt: Callable[[], T]) -> T:
    """Call ``attempt``; as long as its container does not see the source, choose another way and call it again.

    Call it again, too, if its container was started ahead and is of no use: it takes each of them once.

    :raises SourceNotVisibleError: if the container does not see a copy of its own either.
    :raises PyimagesError: if the user requires the overlay.
    """
    while True:
        try:
            return attempt()
        except NotBegunError:
            continue
        except SourceNotVisibleError as error:
            if not source.fall_back(error.decision, error.reason):
                raise


# Words of engines' messages, in lower case, and the option that is wrong if it is set; the first one counts.
_OPTION_WORDS = {
    "network": "network",
    "device driver": "gpus",
    "device": "device",
    "memory": "memory",
    "cpu": "cpus",
    "bind source": "mount",
    "mount": "mount",
    "add-host": "add_host",
    "volume": "mount",
    "shm": "shm_size",
}


def _suggest_option(error: EngineError, options: ContainerOptions) -> str:
    """Return which of the user's options to fix; empty if the error is about none of them."""
    text = error.message.lower()
    key = next((key for word, key in _OPTION_WORDS.items() if word in text and getattr(options, key)), "")
    return key and f"fix --py-images-{key.replace('_', '-')}, or py_images_{key} in the configuration"


class ContainerProcess:
    """A container and its program. One thread creates, starts and reads; any other may send, stop and kill."""

    def __init__(self, engine: Engine, lease: Lease, source: Source, *, upper: str = "", wait: bool = True) -> None:
        """Prepare a container.

        :param upper: folder of the container in which it sees the overlay's upper layer; empty for none.
        :param wait: until it is removed; see ``Engine.remove_container``.
        """
        self.is_stopped = False
        self.mounted: MountedSource | None = None
        self.bytecode: BytecodeLayer | None = None  # to mount over the source
        self.waiting: Waiting | None = None  # the container that was started ahead, if that is the current one
        self._upper = upper
        self._wait = wait
        self._engine = engine
        self._lease = lease
        self._source = source
        self._lock = threading.Lock()
        self._container: str | None = None
        self._stream: ContainerStream | None = None
        self._options = NO_OPTIONS  # of the user

    @contextlib.contextmanager
    def create(self, spec: ContainerSpec, *, may_be_ahead: bool = False) -> Iterator[str]:
        """Create a container with the source mounted and yield its id; at the end remove it and its volumes.

        :param spec: its mounts are in addition to the source's.
        :param may_be_ahead: whether a container that was started ahead is used instead, if it is the same.
        :raises SourceNotVisibleError: if the engine cannot create it because of the source's overlay.
        """
        with contextlib.ExitStack() as stack:
            take = self._source.take_ahead
            self.waiting = take(self._engine, spec, self._upper, self.bytecode) if may_be_ahead else None
            if self.waiting is None:
                container = self._create(spec, stack)
            else:
                stack.callback(self.waiting.remove)
                container, mounted = self.waiting.container, self.waiting.mounted
                self.mounted = mounted._replace(witness=self._source.choose_witnesses("overlay"))
            with self._lock:
                self._container = container
            try:
                yield container
            finally:
                with self._lock:
                    self._container = None

    def _create(self, spec: ContainerSpec, stack: contextlib.ExitStack) -> str:
        """Create a container and return its id; the stack removes it and its volumes."""
        mount = self._source.mount(
            self._engine,
            self._lease,
            spec.image,
            upper_target=self._upper,
            bytecode=self.bytecode,
            check=self._check_stopped,
        )
        options, variables = lend_socket(spec.options, self._engine.info)
        spec = replace(spec, options=options, environment={**variables, **spec.environment})
        self._options = options
        with self._overlay_errors():
            self.mounted = mounted = stack.enter_context(mount)
            container = self._engine.create_container(replace(spec, mounts=(*mounted.mounts, *spec.mounts)))
        stack.callback(self._engine.remove_container, container, wait=self._wait)
        return container

    @contextlib.contextmanager
    def start(
        self, container: str, *, terminal: bool = False, silence: float | None = None
    ) -> Iterator[ContainerStream]:
        """Attach to the created container, start it, and yield both directions of its standard streams.

        Attaches before the start, so that no output is lost.

        :param silence: seconds without output after which reading it raises NoAnswerError; None for any time.
        :raises StoppedError: if another thread has stopped the process already.
        :raises SourceNotVisibleError: if the engine cannot start it because of the source's overlay.
        """
        if self.waiting is not None:
            attached = watch_stream(self._engine, self.waiting.stream)
        else:
            with self._overlay_errors():  # rootless Podman mounts volumes here
                attached = self._engine.attach(container, terminal=terminal, silence=silence)
        with contextlib.closing(attached) as stream:
            with self._lock:
                if self.is_stopped:
                    raise StoppedError("stopped before it began")
                self._stream = stream
            try:
                if self.waiting is None:
                    with self._overlay_errors():
                        self._engine.start(container)
                yield stream
            finally:
                with self._lock:
                    self._stream = None

    def send(self, data: bytes) -> None:
        """Write to the program's standard input; raise EngineError if it does not run."""
        with self._lock:
            stream = self._stream
        if stream is None:
            raise EngineError("the container no longer reads its input")
        stream.send(data)

    def stop(self, message: bytes, grace: float) -> None:
        """Send a message that asks the program to end, and kill it after so many seconds."""
        with self._lock:
            self.is_stopped = True
            if self._stream is None:
                return
            with contextlib.suppress(EngineError):  # it has ended by itself
                self._stream.send(message)
            timer = threading.Timer(grace, self.kill)
            timer.daemon = True
            timer.start()

    def kill(self) -> None:
        """End the container now. An error of the engine is left to the removal: others are still to be killed."""
        with self._lock:
            self.is_stopped = True
            container, stream = self._container, self._stream
        if container is not None:
            with contextlib.suppress(EngineError):
                self._engine.kill(container)
        if stream is not None:
            stream.close()

    @property
    def upper(self) -> str | None:
        """The folder in which the program sees what it writes to the source; None if there is no such layer."""
        if self.mounted is None or not self._upper or not self.mounted.decision.has_layer:
            return None
        return f"{self._upper}/{self.mounted.below}".rstrip("/")

    @property
    def present(self) -> frozenset[str] | None:
        """The paths of the source, relative to its root, that the container sees; None if it sees all."""
        return None if self.mounted is None else self.mounted.present

    @property
    def witness(self) -> tuple[Witness, ...]:
        """Files by which the program in the container can tell whether it sees the source."""
        return () if self.mounted is None else self.mounted.witness

    @property
    def source_job(self) -> SourceJob:
        """The description of the source for the program in the container."""
        repositories = (path.source for path in self._source.linked if path.is_repository)
        return describe_source(self._source.root, self._source.hidden.paths, repositories)

    def make_not_visible_error(self, path: str) -> SourceNotVisibleError:
        """Return the error for a file that the program in the container does not find as it is on the host."""
        decision = None if self.mounted is None else self.mounted.decision
        return SourceNotVisibleError(f"{path} is missing there, or another file", decision=decision)

    def _check_stopped(self) -> None:
        if self.is_stopped:
            raise StoppedError("stopped before it began")

    @contextlib.contextmanager
    def _overlay_errors(self) -> Iterator[None]:
        """Raise SourceNotVisibleError for an error of the engine that an overlay of the source explains."""
        before = self._source.decision
        try:
            yield
        except EngineError as error:
            decision = before if self.mounted is None else self.mounted.decision
            reason = explain_refusal(error)
            is_own = any(mount.source and mount.source in error.message for mount in self._options.mount)
            if is_own or reason is None or (decision is not None and not decision.has_layer):
                error.hint = error.hint or _suggest_option(error, self._options)
                raise
            raise SourceNotVisibleError(error.message, reason, decision) from error
