"""Show the progress of each image: moving lines below pytest's output, or a plain line for each stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult
from pytest_pyimages.results.output.screen import Screen
from pytest_pyimages.text import format_seconds

CHECK_SECONDS = 1.0  # between two looks for images that wait, without a terminal
SILENT_SECONDS = 60.0  # between two lines about an image, without a terminal
INTERVAL = 0.1  # seconds between two paints at least
BAR = 30  # columns at most
SHORTEST_BAR = 8
ROWS_LEFT = 3  # of a low terminal, for pytest's output
RED, GREEN, YELLOW, DIM, PLAIN = "31", "32", "33", "2", ""  # SGR parameters (ECMA-48)


class Stages:
    """The interface of the progress display; this one shows nothing."""

    interval: float | None = None  # seconds within which ``tick`` wants to be called again
    activities: Callable[[], Mapping[str, str]] = staticmethod(dict)  # of suites, by label: the running test
    waits: Callable[[], Mapping[str, str]] = staticmethod(dict)  # by label: what it has long been waiting for

    def say(self, label: str, text: str) -> None:
        """Show a new stage of an image, whose name is the first word."""

    def detail(self, label: str, text: str) -> None:
        """Show the progress of an image's stage, in place of its previous progress."""

    def runs(self, label: str) -> None:
        """Show that an image's suite is started."""

    def tick(self) -> None:
        """Draw if it is time; cheap enough for every turn of a loop."""

    def pause(self) -> None:
        """Do not draw until ``resume``."""

    def resume(self) -> None:
        """Draw again."""

    def close(self) -> None:
        """Remove what is drawn. May be called more than once."""


class PlainStages(Stages):
    """Writes a line for each stage of an image, and each minute a line about each image that has not ended."""

    def __init__(
        self,
        terminal: pytest.TerminalReporter,
        results: Mapping[str, ImageResult],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal = terminal
        self._results = results
        self._clock = clock
        self._said: set[tuple[str, str]] = set()
        self._stages = {label: ("waiting", clock()) for label in results}
        self._listed = self._checked = clock()
        self._waiting: set[str] = set()  # labels of images that are shown to wait

    def say(self, label: str, text: str) -> None:
        self._stages[label] = text, self._clock()
        stage = (label, text.partition(" ")[0])
        if stage not in self._said:
            self._said.add(stage)
            self._terminal.write_line(f" {label}  {text}")

    def runs(self, label: str) -> None:
        self._stages[label] = "running", self._clock()

    def tick(self) -> None:
        now = self._clock()
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        waits = self.waits()
        for label in waits.keys() - self._waiting:
            if not self._results[label].ended:
                self._terminal.write_line(f" {label}  {waits[label]}")
        self._waiting = set(waits)
        if now - self._listed < SILENT_SECONDS:
            return
        self._listed = now
        activities = {**self.activities(), **waits}
        for label, (stage, since) in self._stages.items():
            if label in self._results and not self._results[label].ended:
                text = activities.get(label) or f"{stage}, {format_seconds(now - since)}"
                self._terminal.write_line(f" {label}  {text}")


class LiveStages(Stages):
    """Draws a line for each image below pytest's output, several times a second."""

    interval = INTERVAL

    def __init__(
        self,
        terminal: pytest.TerminalReporter,
        results: Mapping[str, ImageResult],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to draw.

        :param results: by label; read again for each drawing.
        """
        self._screen = Screen(terminal)
        self._clock = clock
        self._rows = {label: Row(results=results, name=label, since=clock()) for label in results}
        self._painted = 0.0
        self._paused = False
        self._signs = choose_signs(self._screen.encoding)

    def say(self, label: str, text: str) -> None:
        self._change(label, text)

    def detail(self, label: str, text: str) -> None:
        self._rows[label].detail = text

    def runs(self, label: str) -> None:
        self._change(label, "starting")

    def _change(self, label: str, text: str) -> None:
        row = self._rows[label]
        row.stage, row.detail, row.since = text, "", self._clock()

    def tick(self) -> None:
        now = self._clock()
        if self._paused or now - self._painted < INTERVAL:
            return
        self._painted = now
        waits = self.waits()
        for row in self._rows.values():
            row.wait = waits.get(row.name, "")
        columns, lines = self._screen.size
        block = Block(columns=columns, lines=lines - ROWS_LEFT, now=now, signs=self._signs)
        rows = [
            "".join(f"\x1b[{style}m{text}\x1b[m" if style and self._screen.has_markup else text for text, style in row)
            for row in block.draw(tuple(self._rows.values()))
        ]
        self._screen.paint(rows)

    def pause(self) -> None:
        self._paused = True
        self._screen.paint(())

    def resume(self) -> None:
        self._paused = False

    def close(self) -> None:
        self._screen.close()


def make_stages(
    terminal: pytest.TerminalReporter | None,
    results: Mapping[str, ImageResult],
    *,
    verbosity: int,
    environ: Mapping[str, str],
) -> Stages:
    """Return the display for a session: none with -q, moving lines on a capable terminal, else plain lines.

    The log of a CI service counts as no terminal, even if it claims to be one.
    """
    if terminal is None or verbosity < 0:
        return Stages()
    moves = environ.get("TERM", "") not in ("", "dumb", "unknown")
    if bool(terminal.isatty) and moves and not is_ci_log(environ):
        return LiveStages(terminal, results)
    return PlainStages(terminal, results)


def is_ci_log(environ: Mapping[str, str]) -> bool:
    """Return whether the output is the log of a CI service, by pytest's own rule."""
    return any(environ.get(name) for name in ("CI", "BUILD_NUMBER"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Draws the lines of all images at one moment, for a number of columns and lines."""

    columns: int
    lines: int
    now: float
    signs: Signs

    def draw(self, rows: Sequence[Row]) -> list[Segments]:
        """Return the lines; if there is no room for all, those of running images are kept."""
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
        return drawn

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
        words += [f"{row.result.run_seconds:.1f}s" if ended else format_seconds(self.now - row.since)]
        return [("  ".join(word for word in words if word), row.style if ended or row.bad else PLAIN)]

    def _draw_stage(self, row: Row, room: int) -> Segments:
        """Return the stage of an image that is queued, being built or failed."""
        result = row.result
        if result.ended:
            text = result.problem or result.stopped or "done"
            return [(self._cut(text, room), row.style if result.problem or not result.stopped else YELLOW)]
        if row.stage == "queued":
            return [(self._cut(row.stage, room), DIM)]
        text = f"{row.stage.partition(' ')[0]} {self.signs.dot} {row.detail}" if row.detail else row.stage
        time_taken = f"  {format_seconds(self.now - row.since)}"
        return [(self._cut(text, room - len(time_taken)), PLAIN), (time_taken, DIM)]
