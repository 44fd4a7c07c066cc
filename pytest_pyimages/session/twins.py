"""Labels of one image, whose container would do the same: it runs once, and its results are those of each label."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_pyimages.images import ImagePlan
from pytest_pyimages.project import Service
from pytest_pyimages.runs import Job
from pytest_pyimages.session.messages import EventsReceived, ImageBuilt, ImageEnded, Message


class Claims:
    """Which label runs each container. May be used from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._firsts: list[tuple[str, Job, str, tuple[Service, ...]]] = []
        self._runners: dict[str, str] = {}  # by label

    def claim(self, plan: ImagePlan, job: Job) -> str:
        """Return the label that runs the job of a plan: the first one whose job, variant and services are equal.

        A job whose files the user wants is run for each label, and one whose image was built again for the same one.
        """
        label, variant, job = plan.tag.label, plan.tag.variant, replace(job, token="")
        with self._lock:
            if label not in self._runners:
                equal = (first for first, *rest in self._firsts if rest == [job, variant, plan.services])
                self._runners[label] = next(equal, label)
                if self._runners[label] == label and (job.changes is None or not job.changes.send):
                    self._firsts.append((label, job, variant, plan.services))
            return self._runners[label]

    def is_twin(self, label: str) -> bool:
        """Return whether another label runs in place of this one."""
        return self._runners[label] != label


class Twins:
    """Repeats the messages about an image that runs for its other labels.

    The end of the run, with an error or without, is the end for all of them.

    :param labels: of all images.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self._undecided = set(labels)  # that may still be found to be the image of an earlier one
        self._ended: set[str] = set()
        self._twins: dict[str, list[str]] = {}  # by the label that runs
        self._history: dict[str, list[EventsReceived | ImageEnded]] = {}  # likewise; for those that are found late

    def repeat(self, message: Message) -> Iterator[Message]:
        """Yield a message, and then the same for other labels; nothing for one that has ended."""
        for repeated in self._repeat(message):
            if isinstance(repeated, EventsReceived | ImageEnded):
                if repeated.label in self._ended:
                    continue
                if isinstance(repeated, ImageEnded):
                    self._ended.add(repeated.label)
            yield repeated

    def _repeat(self, message: Message) -> Iterator[Message]:
        yield message
        label = message.label
        if isinstance(message, ImageBuilt):
            is_new = label in self._undecided  # it may be built again
            self._undecided.discard(label)
            if message.same_as and is_new:
                self._twins.setdefault(message.same_as, []).append(label)
                yield from (earlier._replace(label=label) for earlier in self._history.get(message.same_as, ()))
        elif isinstance(message, EventsReceived | ImageEnded):
            if isinstance(message, ImageEnded):
                self._undecided.discard(label)
            if self._undecided:
                self._history.setdefault(label, []).append(message)
            yield from (message._replace(label=twin) for twin in self._twins.get(label, ()))
        if not self._undecided:
            self._history.clear()
