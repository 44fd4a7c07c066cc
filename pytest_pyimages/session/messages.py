"""Messages that the threads of a session put into its queue."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.images import BuiltImage
from pytest_pyimages.runs import RunEnd
from pytest_pyimages.runs.events import Event, Interrupted

REPORT = ""  # the label of messages about the coverage report
QUEUE_BATCHES = 64  # per session, of up to 64 KiB; a full queue blocks the containers


class StageChanged(NamedTuple):
    """An image has reached another stage, such as "installing"."""

    label: str
    text: str


class Progressed(NamedTuple):
    """The current stage of an image has progressed; an empty text clears the last one."""

    label: str
    text: str


class ImagePlaced(NamedTuple):
    """An image goes to one of several engines; it may go to another one later."""

    label: str
    address: str  # of the engine


class ImageBuilt(NamedTuple):
    """An environment image is ready, built or found."""

    label: str
    image: BuiltImage
    same_as: str = ""  # label of the image that runs in its place; empty if it runs itself


class EventsReceived(NamedTuple):
    """A container has sent events, in their order."""

    label: str
    events: Sequence[Event]


class OutputReceived(NamedTuple):
    """A test run has printed something that pytest does not capture (``-s``)."""

    label: str
    data: bytes


class ImageEnded(NamedTuple):
    """The work on an image has ended; the last message about it."""

    label: str
    end: RunEnd | None  # None without a test run
    error: PyimagesError | None
    run_seconds: float


Message = StageChanged | Progressed | ImagePlaced | ImageBuilt | EventsReceived | OutputReceived | ImageEnded


class Outbox:
    """Messages and notes of a session's threads, for the one that replays them. May be used from several threads."""

    def __init__(self) -> None:
        self.messages: queue.Queue[Message] = queue.Queue(QUEUE_BATCHES)
        self.notes: list[str] = []  # printed at the end
        self.interrupted: dict[str, Interrupted] = {}  # by label: where closing has stopped a suite
        self.is_closing = False
        self._lock = threading.Lock()

    def put(self, message: Message) -> None:
        """Put a message into the queue as soon as it has room; drop it if the session is closing."""
        while not self.is_closing:
            try:
                self.messages.put(message, timeout=0.2)
            except queue.Full:
                continue
            return
        if isinstance(message, EventsReceived):  # which are no longer replayed
            self.interrupted.update((message.label, e) for e in message.events if isinstance(e, Interrupted))

    def note(self, *texts: str) -> None:
        """Keep texts for the end, each once."""
        with self._lock:
            self.notes += (text for text in dict.fromkeys(texts) if text not in self.notes)


class EndReporter:
    """Report once that the work on an image has ended; measure how long the test run took.

    :param notes: receives errors that come after the report, such as those of the clean-up.
    """

    def __init__(self, label: str, put: Callable[[ImageEnded], None], notes: list[str]) -> None:
        self.began = time.monotonic()
        self._label, self._put, self._notes = label, put, notes
        self.is_reported = False
        self.has_begun = False  # whether the test run has reported anything

    def __call__(self, end: RunEnd | None, error: PyimagesError | None) -> None:
        if self.is_reported:  # only removing the container failed
            self._notes.append(f"{self._label or 'coverage'}: {error}; the next session cleans up")
            return
        self.is_reported = True
        self._put(ImageEnded(self._label, end, error, time.monotonic() - self.began))
