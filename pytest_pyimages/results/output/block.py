"""The block of the live display: a line for each image, and one for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult
from pytest_pyimages.text import format_seconds

BAR = 30  # columns at most
SHORTEST_BAR = 8
RED, GREEN, YELLOW, DIM, PLAIN = "31", "32", "33", "2", ""  # SGR parameters (ECMA-48)
WAITING = "waiting"  # the first word of a progress that is a stage of its own


class Signs(NamedTuple):
    """The characters of bars and separators."""

    full: str
    half: str
    dot: str
    more: str


def choose_signs(encoding: str) -> Signs:
    """Return signs that can be encoded."""
    signs = Signs(full="━", half="╸", dot="·", more="…")
    try:
        (signs.full + signs.half + signs.dot + signs.more).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return Signs(full="#", half="-", dot="-", more="~")
    return signs


@dataclass(slots=True, kw_only=True)
class Row:
    """One image and its present stage."""

    results: Mapping[str, ImageResult]
    name: str  # the image's label
    since: float  # when the stage began, by the clock
    stage: str = "queued"
    detail: str = ""
    wait: str = ""  # what it has long been waiting for
    _done_at_end: int | None = None

    @property
    def result(self) -> ImageResult:
        return self.results[self.name]

    @property
    def label(self) -> str:
        return self.name + ("?" if self.result.allowed_to_fail else "")

    @property
    def tests(self) -> bool:
        """Whether the numbers of tests are shown."""
        return bool(self.result.collected) and not (self.result.ended and self.result.problem)

    @property
    def done(self) -> int:
        """The number of tests that have an outcome."""
        outcomes, files = self.result.outcomes, sum(self.result.not_tests.values())
        if not self.result.ended:
            return max(min(len(outcomes) - files, self.result.collected), 0)
        if self._done_at_end is None:  # the outcomes now include tests that were not run
            done = sum(outcome != NOT_RUN for outcome in outcomes.values()) - files
            self._done_at_end = max(min(done, self.result.collected), 0)
        return self._done_at_end

    def describe_stage(self, dot: str) -> str:
        """Return the stage with its progress, or with what it waits for."""
        verb = self.stage.partition(" ")[0]
        if self.detail:
            return self.detail if self.detail.startswith(WAITING) else f"{verb} {dot} {self.detail}"
        return self.stage

    @property
    def bad(self) -> str:
        """The numbers of failures and errors so far, in words."""
        counts = self.result.counts
        numbers = ((counts["failed"], "failed"), (counts["error"], "error" if counts["error"] == 1 else "errors"))
        return ", ".join(f"{number} {word}" for number, word in numbers if number)

    @property
    def style(self) -> str:
        if self.bad or self.result.problem:
            return YELLOW if self.result.allowed_to_fail else RED
        return GREEN


Segments = list[tuple[str, str]]  # text and its SGR parameter


class Block(NamedTuple):
    """Draws the lines of all images at one moment, for a number of columns and lines."""

    columns: int
    lines: int
    now: float
    signs: Signs
    test_seconds: float | None = None  # how long a test took on average, in the last run

    def draw(self, rows: Sequence[Row]) -> list[Segments]:
        """Return the lines; if there is no room for all, those of running images are kept."""
        total = self._draw_total(rows)
        shown = self._choose(rows)
        labels = min(max((len(row.label) for row in rows), default=0), max(self.columns // 3, 10))
        counts = max((len(str(row.result.collected)) for row in rows if row.tests), default=0) * 2 + 1
        remarks = max((len(text) for row in rows if row.tests for text, _ in self._draw_remark(row)), default=0)
        # The rest of the line, after the texts and the spaces between them.
        bar = min(self.columns - 1 - (1 + labels + 2) - (counts + 2) - (remarks + 2), BAR)
        drawn = []
        for row in shown:
            label: Segments = [(f" {self._cut_left(row.label, labels):<{labels}}  ", PLAIN)]
            room = self.columns - 4 - labels
            if row.wait and not row.result.ended:
                done = f"{row.done}/{row.result.collected}  " if row.tests else ""
                rest: Segments = [(self._cut(done + row.wait, room), YELLOW)]
            else:
                rest = self._draw_tests(row, bar, counts) if row.tests else self._draw_stage(row, room)
            drawn.append(label + rest)
        if len(shown) < len(rows):
            drawn.append([(f" {self.signs.more} {self._count_hidden(rows, shown)}", DIM)])
        return [*drawn, total] if total else drawn

    def _draw_total(self, rows: Sequence[Row]) -> Segments:
        """Return how many tests have run on all images, and how long the others will take; nothing without room."""
        counted = [row for row in rows if row.tests]
        if len(rows) < 2 or not counted or len(rows) >= self.lines:
            return []
        left = [row.result.collected - row.done for row in counted if not row.result.ended]
        done, collected = sum(row.done for row in counted), sum(row.result.collected for row in counted)
        texts = [f"{done}/{collected} tests"]
        late = sum(not row.result.ended for row in rows) - len(left)
        if late:
            texts.append(f"{late} {'image' if late == 1 else 'images'} to come")
        elif self.test_seconds is not None and any(left):
            texts.append(f"about {format_seconds(max(left) * self.test_seconds)} left")
        return [(self._cut(f" {f' {self.signs.dot} '.join(texts)}", self.columns - 1), DIM)]

    def _choose(self, rows: Sequence[Row]) -> list[Row]:
        if len(rows) <= self.lines:
            return list(rows)
        by_interest = sorted(rows, key=lambda row: (row.result.ended, row.stage == "queued"))
        kept = {row.label for row in by_interest[: max(self.lines - 1, 0)]}
        return [row for row in rows if row.label in kept]

    @staticmethod
    def _count_hidden(rows: Sequence[Row], shown: Sequence[Row]) -> str:
        others = [row for row in rows if row not in shown]
        done = sum(row.result.ended for row in others)
        queued = sum(row.stage == "queued" and not row.result.ended for row in others)
        numbers = ((done, "done"), (queued, "queued"), (len(others) - done - queued, "in progress"))
        return f"{len(others)} more: " + ", ".join(f"{number} {word}" for number, word in numbers if number)

    def _cut_left(self, text: str, width: int) -> str:
        return text if len(text) <= width else self.signs.more + text[len(text) - width + 1 :]

    def _cut(self, text: str, width: int) -> str:
        return text if len(text) <= width else text[: max(width - 1, 0)] + self.signs.more

    def _draw_tests(self, row: Row, bar: int, counts: int) -> Segments:
        collected = row.result.collected
        drawn: Segments = []
        if bar >= SHORTEST_BAR:
            halves = 2 * bar * row.done // collected
            filled = self.signs.full * (halves // 2) + self.signs.half * (halves % 2)
            drawn = [(filled, row.style), (" " * (bar - len(filled)) + "  ", PLAIN)]
        return [*drawn, (f"{row.done}/{collected}".rjust(counts) + "  ", PLAIN), *self._draw_remark(row)]

    def _draw_remark(self, row: Row) -> Segments:
        """Return failures, "done" or "stopped", and the time, as one segment."""
        ended = row.result.ended
        words = [row.bad or ("done" if ended and not row.result.stopped else "")]
        words += ["stopped"] if ended and row.result.stopped else []
        if row.done < row.result.collected or ended:
            words += [f"{row.result.run_seconds:.1f}s" if ended else format_seconds(self.now - row.since)]
        else:  # fixtures of the session, reports of plugins, the removal of the container
            words += ["ending"]
        return [("  ".join(word for word in words if word), row.style if ended or row.bad else PLAIN)]

    def _draw_stage(self, row: Row, room: int) -> Segments:
        """Return the stage of an image that is queued, being built or failed."""
        result = row.result
        if result.ended:
            text = result.problem or result.stopped or "done"
            return [(self._cut(text, room), row.style if result.problem or not result.stopped else YELLOW)]
        if row.stage == "queued":
            return [(self._cut(row.stage, room), DIM)]
        text = row.describe_stage(self.signs.dot)
        time_taken = f"  {format_seconds(self.now - row.since)}"
        return [(self._cut(text, room - len(time_taken)), PLAIN), (time_taken, DIM)]
