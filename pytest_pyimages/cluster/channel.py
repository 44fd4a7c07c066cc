"""Messages in both directions between this host and the task of a unit, through two queues of Dask's scheduler.

A host often cannot reach the machines of a cluster directly, but always the scheduler. The queues are short, so that a
container whose output nobody reads waits, as it would for a full pipe.
"""

from __future__ import annotations

import pickle
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from pytest_pyimages.cluster.messages import Leave, Left, Message, Piece
from pytest_pyimages.errors import ConnectionLostError

if TYPE_CHECKING:
    from distributed import Client

BATCHES = 16  # in the scheduler, for each direction
WAITING = 64  # messages that wait for the sending thread
BATCH_MESSAGES = 256
LOST = "the cluster's scheduler can no longer be reached ({})"


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
        self._sender = threading.Thread(target=self._send_all, name=f"pyimages-{name}", daemon=True)
        self._sender.start()

    def send(self, message: Message) -> None:
        """Send a message, after those before it.

        :raises ConnectionLostError: if the other end, or the scheduler, cannot be reached.
        """
        while True:
            if self._lost:
                raise ConnectionLostError(self._lost)
            try:
                self._waiting.put(message, timeout=0.5)
            except queue.Full:
                continue
            return

    def lose(self, problem: str) -> None:
        """Let all further sending fail with a problem; only the first one counts."""
        self._lost = self._lost or problem

    def wake(self) -> None:
        """Let this end's ``receive`` return, if the other end may be gone."""
        with suppress(Exception):  # the scheduler may be gone as well
            self._incoming.put(pickle.dumps((self._received, [Leave()])), timeout=2)

    def close(self, seconds: float = 2.0) -> None:
        """Send what still waits, for so long at most."""
        try:
            self._waiting.put(None, timeout=0 if self._lost else seconds)
        except queue.Full:
            return
        self._sender.join(seconds)

    def receive(self) -> Iterator[Message]:
        """Yield the messages of the other end until it leaves.

        :raises ConnectionLostError: if the scheduler cannot be reached, or a message was lost.
        """
        for self._received in count():
            try:
                data = self._incoming.get()
            except Exception as error:
                raise ConnectionLostError(LOST.format(type(error).__name__)) from error
            number, messages = pickle.loads(data)  # noqa: S301 - see messages
            if number != self._received:
                raise ConnectionLostError("a message was lost on its way through the cluster's scheduler")
            yield from messages
            if any(isinstance(message, Leave | Left) for message in messages):
                return

    def _send_all(self) -> None:
        number, is_open = 0, True
        while is_open:
            messages, is_open = self._take()
            if not messages:
                continue
            try:
                self._outgoing.put(pickle.dumps((number, messages)))
            except Exception as error:  # noqa: BLE001 - of Dask, of its sockets, or that its loop has ended
                self.lose(LOST.format(type(error).__name__))
            number += 1

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
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
