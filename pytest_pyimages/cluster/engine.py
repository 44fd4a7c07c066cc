"""The engine of a machine of the cluster, as this host sees it for one unit."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from pytest_pyimages.cluster.channel import put_at_once
from pytest_pyimages.cluster.created import Created
from pytest_pyimages.cluster.machine import ITERATORS, pack_files
from pytest_pyimages.cluster.messages import Beat, Call, Failed, Input, Leave, Message, Piece, Ready, Result, make_error
from pytest_pyimages.engines import BuildContext, Engine, EngineInfo
from pytest_pyimages.errors import ConnectionLostError, EngineError

if TYPE_CHECKING:
    from pytest_pyimages.cluster.channel import Channel

LEAVE_SECONDS = 2.0  # for the last message
UNREAD = 64  # messages of one call that may wait for their reader


class MachineEngine:
    """Implements the Engine protocol: each call is done by the task on the machine.

    :param ready: the announcement of the task.
    """

    def __init__(self, channel: Channel, ready: Ready) -> None:
        self.info: EngineInfo = ready.info
        self.machine = ready.machine
        self.worker = ready.address  # address of Dask's worker
        self.problem = ""  # why the machine is lost; empty if it is not
        self.created = Created()
        self._channel = channel
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.Queue[Message]] = {}
        self._lock = threading.Lock()
        self._has_left = False
        self._receiver = threading.Thread(target=self._receive, name=f"pyimages-{ready.machine}", daemon=True)
        self._receiver.start()

    @property
    def as_engine(self) -> Engine:
        """This object as what it is."""
        return cast("Engine", self)

    def send(self, message: Message) -> None:
        """Send the task a message.

        :raises ConnectionLostError: if the machine is lost.
        """
        if self.problem:
            raise ConnectionLostError(self.problem)
        self._channel.send(message)

    def lose(self, problem: str) -> None:
        """Let all calls fail, those that wait included; only the first problem counts."""
        with self._lock:
            self.problem = self.problem or problem
            waiting = list(self._answers.items())
        self._channel.lose(problem)
        for number, answers in waiting:
            # The reader must not miss it.
            put_at_once(answers, Failed(number, ConnectionLostError.__name__, self.problem, ""))

    def beat(self) -> None:
        """Tell the task that this host waits for it; never wait for a machine that takes nothing."""
        self._channel.offer(Beat())

    def leave(self) -> None:
        """Tell the task that this host is done. Only the first call counts."""
        with self._lock:
            if self._has_left:
                return
            self._has_left = True
        if not self.problem:
            try:
                self._channel.send(Leave(), LEAVE_SECONDS)
            except EngineError as error:
                self.lose(error.message)
        self._channel.close(LEAVE_SECONDS)
        if self.problem:
            self._channel.release(is_last=True)

    @property
    def is_open(self) -> bool:
        """Whether the task may still send messages."""
        return self._receiver.is_alive()

    def release(self, seconds: float) -> None:
        """Wait for so many seconds until the task reports its end; then end the channel for it."""
        self._receiver.join(seconds)
        if self.is_open:
            self._channel.release(is_last=True)

    def _receive(self) -> None:
        problem = f"{self.machine} has ended the unit"  # nothing answers what this host still asks
        try:
            for message in self._channel.receive():
                if isinstance(message, Piece | Result | Failed):
                    with self._lock:
                        answers = self._answers.get(message.number)
                    if answers is not None:
                        self._deliver(message, answers)
        except EngineError as error:
            problem = error.message
        except Exception as error:  # noqa: BLE001 - of unpickling; calls must not wait for ever
            problem = f"{self.machine}: {type(error).__name__}: {error}"
        self.lose(problem)
        if self._has_left:
            self._channel.release(is_last=False)

    def _deliver(self, message: Message, answers: queue.Queue[Message]) -> None:
        """Wait until the call takes a message, unless it has been given up."""
        number = cast("Piece", message).number
        while number in self._answers and not self.problem:
            try:
                answers.put(message, timeout=0.2)
            except queue.Full:
                continue
            return

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            asked = _Asked(self, Call(next(self._numbers), name, args, kwargs))
            if name in ITERATORS:
                return asked.iterate()
            value = asked.wait()
            self.created.note(name, args, kwargs, value)
            return value

        return call

    def attach(self, container: str, *, terminal: bool = False, silence: float | None = None) -> MachineStream:
        """Attach to a container, see Engine."""
        kwargs = {"terminal": terminal, "silence": silence}
        asked = _Asked(self, Call(next(self._numbers), "attach", (container,), kwargs))
        asked.next()  # attached
        return MachineStream(asked)

    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        """Extract a tar stream, see Engine."""
        asked = _Asked(self, Call(next(self._numbers), "upload", (container, path), {}))
        for piece in tar:
            asked.send(piece)
        asked.send(b"", is_last=True)
        asked.wait()

    def build(self, context: BuildContext, **kwargs: Any) -> Iterator[str]:
        """Build an image from a Dockerfile, see Engine."""
        try:
            files = pack_files(context)
        except OSError as error:
            raise EngineError(f"the files to build from cannot be read: {error}") from error
        yield from _Asked(self, Call(next(self._numbers), "build", (context, files), kwargs)).iterate()

    def close(self) -> None:
        """Do nothing: the unit ends the task."""


class _Asked:
    """A call that was sent to the machine."""

    def __init__(self, engine: MachineEngine, call: Call) -> None:
        self._engine = engine
        self._number = call.number
        self._answers: queue.Queue[Message] = queue.Queue(UNREAD)
        with engine._lock:  # noqa: SLF001 - of this module
            engine._answers[call.number] = self._answers  # noqa: SLF001
        try:
            engine.send(call)
        except BaseException:
            self.forget()
            raise

    def forget(self) -> None:
        """Take no further messages."""
        with self._engine._lock:  # noqa: SLF001 - of this module
            self._engine._answers.pop(self._number, None)  # noqa: SLF001

    def send(self, data: bytes, *, is_last: bool = False) -> None:
        self._engine.send(Input(self._number, data, is_last))

    def next(self) -> Message:
        """Return the next message; raise the error of the call."""
        message = self._answers.get()
        if isinstance(message, Failed):
            self.forget()
            raise make_error(message)
        if isinstance(message, Result):
            self.forget()
        return message

    def wait(self) -> Any:
        """Return what the call returns; raise its error."""
        while not isinstance(message := self.next(), Result):
            pass
        return message.value

    def iterate(self) -> Iterator[Any]:
        """Yield what the call yields; raise its error."""
        try:
            while isinstance(message := self.next(), Piece):
                yield message.value
        finally:
            self.forget()


class MachineStream:
    """Implements ContainerStream."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._is_closed = False

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield the frames, see ContainerStream."""
        try:
            yield from self._asked.iterate()
        except EngineError:
            if not self._is_closed:
                raise

    def send(self, data: bytes) -> None:
        """Write to the container's standard input, see ContainerStream."""
        if self._is_closed:
            raise EngineError("the connection to the container is closed")
        self._asked.send(data)

    def close(self) -> None:
        """Close both directions, see ContainerStream."""
        if not self._is_closed:
            self._is_closed = True
            try:
                self._asked.send(b"", is_last=True)
            except EngineError:  # it is lost, and with it the stream
                return
