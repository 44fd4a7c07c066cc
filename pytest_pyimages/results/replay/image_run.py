"""What is known of one image while its run lasts."""

from __future__ import annotations

from pytest_pyimages.results import outcome
from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.replay.interleaved import Interleaved
from pytest_pyimages.results.reports import ReportMaker
from pytest_pyimages.runs.events import (
    Divided,
    Event,
    Failing,
    GaveUp,
    Internal,
    Interrupted,
    Item,
    Kept,
    Passed,
    Report,
    Summary,
)


class ImageRun:
    """Grows with the events of one container; ``Replay`` plays what there is to show."""

    def __init__(self, result: ImageResult) -> None:
        self.result = result
        self.maker = ReportMaker(result.label, allowed_to_fail=result.allowed_to_fail)
        self.items: list[Item] = []
        self.reported: set[str] = set()
        self.started = ""  # node id of the test whose logstart was called
        self.held: list[Passed | Report] = []  # of one file, so that the images' dots do not alternate
        self.held_path = ""
        self.held_since = 0.0
        self.collected = False
        self.unfinished = ""  # line that the suite has printed the start of
        self.failing: list[str] = []  # what pytest inside keeps as failing
        self.internal = ""
        self.interrupted = ""
        self.gave_up = ""  # why xdist did
        self.interleaved: Interleaved | None = None  # where several tests run at once

    def told(self, event: Event) -> None:
        """Keep what is of use at the end."""
        if isinstance(event, Failing):
            self.failing += event.nodeids
        elif isinstance(event, Kept):
            self.result.kept = outcome.Kept(failed=tuple(self.failing), stepwise=event.stepwise)
        elif isinstance(event, Summary):
            self.result.summary = event.text
        elif isinstance(event, Internal):
            self.internal = event.text
        elif isinstance(event, Interrupted):
            self.interrupted = event.text
        elif isinstance(event, GaveUp):
            self.gave_up = event.text
        elif isinstance(event, Divided) and self.result.shard is not None:
            index, of = self.result.shard.index, self.result.shard.of
            self.result.shard = outcome.Shard(index=index, of=of, **event._asdict())
