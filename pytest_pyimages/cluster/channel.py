"""Messages in both directions between this host and the task of a unit, through two queues of Dask's scheduler.

A host often cannot reach the machines of a cluster directly, but always the scheduler. The queues are short, so that a
container whose output is not read waits, as it would for a full pipe.
"""

from __future__ import annotations

import math
import pickle
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from pytest_pyimages.cluster.messages import Leave, Left, Message, Piece
from pytest_pyimages.errors import ConnectionLostError
from pytest_pyimages.text import flatten

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")
BATCHES = 16  # in the scheduler, for each direction
WAITING = 64  # messages that wait for the sending thread
BATCH_MESSAGES = 256
RELEASE_SECONDS = 2.0
LAST = -1  # number of a batch that only wakes the receiver of a channel that is released
CLOSED = "the connection through the cluster's scheduler was given up, since nothing was heard for some time"
LOST = "the cluster's scheduler can no longer be reached"


class Channel:
    """One end of the two queues. ``send`` may be called from any thread, ``receive`` from one.

    :param name: the same at both ends.
    :param is_host: whether this is the end of the host that runs pytest.
    """

    def __init__(self, client: Client, name: str, *, is_host: bool) -> None:
        from distributed import Queue

        names = (f"{name}-down", f"{name}-up")
        self._outgoing, self._incoming = (
            Queue(each, client=client, maxsize=BATCHES) for each in (names if is_host else reversed(names))
        )
        self._waiting: queue.Queue[Message | None] = queue.Queue(WAITING)
        self._received = 0  # batches
        self._lost = ""  # why nothing can be sent any more
        self._is_receiving = False  # by a thread that may wait for a batch
        self._is_released = False
        self._lock = threading.Lock()
        self._sender = threading.Thread(target=self._send_all, name=f"pyimages-{name}", daemon=True)
        self._sender.start()

    def send(self, message: Message, seconds: float = math.inf) -> None:
        """Send a message, after those before it.

        :param seconds: to wait until the other end has taken earlier ones.
        :raises ConnectionLostError: if the other end, or the scheduler, cannot be reached.
        """
        deadline = time.monotonic() + seconds
        while True:
            if self._lost:
                raise ConnectionLostError(self._lost)
            try:
                self._waiting.put(message, timeout=min(seconds, 0.5))
            except queue.Full:
                if time.monotonic() < deadline:
                    continue
                raise ConnectionLostError("the other end takes no more messages") from None
            return

    def offer(self, message: Message) -> None:
        """Send a message unless others wait, without waiting for anything."""
        if not self._lost and self._waiting.empty():
            with suppress(queue.Full):
                self._waiting.put_nowait(message)

    def lose(self, problem: str) -> None:
        """Let all further sending fail with a problem; only the first one counts."""
        self._lost = self._lost or problem

    def close(self, seconds: float = 2.0) -> None:
        """Send what still waits, for so long at most."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=0 if self._lost else seconds)
            self._sender.join(seconds)

    def release(self, *, is_last: bool) -> None:
        """End all threads of this end, and let the scheduler forget the queues once both ends have done this.

        Only the first call counts.

        :param is_last: whether the other end may be gone, so that its share is not released by it.
        """
        with self._lock:
            is_released, self._is_released = self._is_released, True
        if is_released:
            return
        self.lose("the channel is closed")
        with suppress(Exception):  # the scheduler may be gone as well
            self._end_sender()
            if is_last:  # if the other end is not gone after all, it must not wait for ever
                self._outgoing.get(batch=True, callback_timeout=RELEASE_SECONDS)
                self._outgoing.put(pickle.dumps((LAST, [])), timeout=RELEASE_SECONDS, callback_timeout=RELEASE_SECONDS)
            if self._is_receiving and not self._incoming.qsize(callback_timeout=RELEASE_SECONDS):
                self._incoming.put(pickle.dumps((LAST, [])), timeout=RELEASE_SECONDS, callback_timeout=RELEASE_SECONDS)
            for each in (self._outgoing, self._incoming) * (1 + is_last):
                each.close()

    def _end_sender(self) -> None:
        """End the sending thread, which a full queue may hold up; drop what waits."""
        deadline = time.monotonic() + RELEASE_SECONDS
        while self._sender.is_alive() and time.monotonic() < deadline:
            with suppress(queue.Empty):
                while True:
                    self._waiting.get_nowait()
            with suppress(queue.Full):
                self._waiting.put_nowait(None)
            self._outgoing.get(batch=True, callback_timeout=RELEASE_SECONDS)
            self._sender.join(0.05)

    def receive(self) -> Iterator[Message]:
        """Yield the messages of the other end until it leaves.

        :raises ConnectionLostError: if the scheduler cannot be reached, or a message was lost.
        """
        self._is_receiving = True
        try:
            for self._received in count():
                messages = self._receive_batch()
                yield from messages
                if any(isinstance(message, Leave | Left) for message in messages):
                    return
        finally:
            self._is_receiving = False

    def _receive_batch(self) -> list[Message]:
        try:
            data = self._incoming.get()
        except KeyError as error:  # the scheduler does not know the queue any more
            raise ConnectionLostError(self._lost or CLOSED) from error
        except Exception as error:
            raise ConnectionLostError(LOST) from error
        if self._lost:
            raise ConnectionLostError(self._lost)
        number, messages = pickle.loads(data)  # noqa: S301 - see messages
        if number == LAST:
            raise ConnectionLostError(CLOSED)
        if number != self._received:
            raise ConnectionLostError("a message was lost on its way through the cluster's scheduler")
        return list(messages)

    def _send_all(self) -> None:
        number, is_open = 0, True
        while is_open:
            messages, is_open = self._take()
            if not messages:
                continue
            try:
                self._outgoing.put(pickle.dumps((number, messages)))
            except KeyError:
                self.lose(CLOSED)
            except Exception:  # noqa: BLE001 - of Dask, of its sockets, or that its loop has ended
                self.lose(LOST)
            number += 1
            is_open = is_open and not self._lost

    def _take(self) -> tuple[list[Message], bool]:
        """Return what waits, at least one message, and whether more may follow."""
        messages: list[Message] = []
        size = 0
        message = self._waiting.get()
        while message is not None:
            messages.append(message)
            size += len(message.value[1]) if isinstance(message, Piece) and isinstance(message.value, tuple) else 0
            if len(messages) >= BATCH_MESSAGES or size > 1 << 18:
                return messages, True
            try:
                message = self._waiting.get_nowait()
            except queue.Empty:
                return messages, True
        return messages, False


def describe(error: BaseException) -> str:
    """Return an error of Dask in one line."""
    text = flatten(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def put_at_once(messages: queue.Queue[T], message: T) -> None:
    """Put a message without waiting for room; what nothing has taken yet is dropped for it."""
    while True:
        try:
            messages.put_nowait(message)
        except queue.Full:
            with suppress(queue.Empty):
                messages.get_nowait()
        else:
            return
