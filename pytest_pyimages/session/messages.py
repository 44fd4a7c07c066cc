"""What the threads of a session say in its queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.images import BuiltImage
from pytest_pyimages.runs import RunEnd
from pytest_pyimages.runs.events import Event

REPORT = ""  # the label of what is said of the report of coverage


@dataclass(frozen=True, slots=True)
class Said:
    """A stage of an image, in words."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far an image's stage has come, in words."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Built:
    label: str
    image: BuiltImage


@dataclass(frozen=True, slots=True)
class Batch:
    label: str
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Printed:
    """What a suite printed while nothing captures its output (-s)."""

    label: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """An image is done, one way or the other."""

    label: str
    end: RunEnd | None
    error: PyimagesError | None
    run_seconds: float


Message = Said | Progressed | Built | Batch | Printed | Ended


class Ending:
    """Says once that one thread's work has ended."""

    def __init__(self, label: str, put: Callable[[Message], None], notes: list[str]) -> None:
        self.began = time.monotonic()
        self._label, self._put, self._notes = label, put, notes
        self._told = False

    def __call__(self, end: RunEnd | None, error: PyimagesError | None) -> None:
        if self._told:  # only removing the container failed
            self._notes.append(f"{self._label or 'coverage'}: {error}; the next session cleans up")
            return
        self._told = True
        self._put(Ended(self._label, end, error, time.monotonic() - self.began))
