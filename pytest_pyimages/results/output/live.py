"""How far each image has come: lines that move below what pytest prints; where they cannot, a line for each stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult
from pytest_pyimages.results.output.screen import Screen

INTERVAL = 0.1  # seconds between two paints at least
BAR = 30  # columns at most
SHORTEST_BAR = 8
ROWS_LEFT = 3  # of a low terminal, for what pytest prints
RED, GREEN, YELLOW, DIM, PLAIN = "31", "32", "33", "2", ""  # SGR parameters (ECMA-48)


class Stages:
    """What a session tells of its images while it lasts; here, nobody looks."""

    interval: float | None = None  # seconds within which ``tick`` wants to be called again

    def say(self, label: str, text: str) -> None:
        """Begin a stage of an image; its name is the first word."""

    def detail(self, label: str, text: str) -> None:
        """Tell how far an image's stage has come; it replaces what was told before."""

    def runs(self, label: str) -> None:
        """Tell that an image's environment is there, and its suite is started."""

    def tick(self) -> None:
        """Give time to draw in; cheap enough for every turn of a loop."""

    def pause(self) -> None:
        """Leave the terminal to somebody else until ``resume``."""

    def resume(self) -> None:
        """Have the terminal again."""

    def close(self) -> None:
        """Leave nothing behind. May be called more than once."""


class PlainStages(Stages):
    """A line for each stage of an image, among what pytest prints."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal
        self._said: set[tuple[str, str]] = set()

    def say(self, label: str, text: str) -> None:
        stage = (label, text.partition(" ")[0])
        if stage not in self._said:
            self._said.add(stage)
            self._terminal.write_line(f" {label}  {text}")


class LiveStages(Stages):
    """A line for each image, drawn anew all the time, on rows of its own below the last that pytest has printed."""

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
    """Return what shows the images' stages: nothing with -q, lines that move on a terminal that can, else plain ones.

    The log of a CI service is no terminal, whatever it claims to be.
    """
    if terminal is None or verbosity < 0:
        return Stages()
    moves = environ.get("TERM", "") not in ("", "dumb", "unknown")
    if bool(terminal.isatty) and moves and not is_ci_log(environ):
        return LiveStages(terminal, results)
    return PlainStages(terminal)


def is_ci_log(environ: Mapping[str, str]) -> bool:
    """Whether the output is the log of a CI service, by what pytest recognises one by."""
    return any(environ.get(name) for name in ("CI", "BUILD_NUMBER"))


def format_seconds(seconds: float) -> str:
    """Return a duration without fractions, in words."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What lines are drawn of."""

    full: str
    half: str
    dot: str
    more: str


def choose_signs(encoding: str) -> Signs:
    """Return signs that an encoding has."""
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
    since: float  # when its stage began
    stage: str = "queued"
    detail: str = ""
    _done_at_end: int | None = None

    @property
    def result(self) -> ImageResult:
        return self.results[self.name]

    @property
    def label(self) -> str:
        return self.name + ("?" if self.result.allowed_to_fail else "")

    @property
    def tests(self) -> bool:
        """Whether there are numbers to show."""
        return bool(self.result.collected) and not (self.result.ended and self.result.problem)

    @property
    def done(self) -> int:
        """How many tests have come out, one way or the other."""
        outcomes = self.result.outcomes
        if not self.result.ended:
            return min(len(outcomes), self.result.collected)
        if self._done_at_end is None:  # those that were never run are among them now
            self._done_at_end = min(sum(outcome != NOT_RUN for outcome in outcomes.values()), self.result.collected)
        return self._done_at_end

    @property
    def bad(self) -> str:
        """How many tests have failed so far, in words."""
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
    """The lines of all images at one moment; ``columns`` and ``lines`` are what there is room for."""

    columns: int
    lines: int
    now: float
    signs: Signs

    def draw(self, rows: Sequence[Row]) -> list[Segments]:
        """Return the lines, from the top: those of images under way come first where not all have room."""
        shown = self._chosen(rows)
        labels = min(max((len(row.label) for row in rows), default=0), max(self.columns // 3, 10))
        counts = max((len(str(row.result.collected)) for row in rows if row.tests), default=0) * 2 + 1
        remarks = max((len(text) for row in rows if row.tests for text, _ in self._remark(row)), default=0)
        # Of what is left of the line, when the texts and the spaces between them have theirs.
        bar = min(self.columns - 1 - (1 + labels + 2) - (counts + 2) - (remarks + 2), BAR)
        drawn = []
        for row in shown:
            label: Segments = [(f" {self._cut_left(row.label, labels):<{labels}}  ", PLAIN)]
            rest = self._tests(row, bar, counts) if row.tests else self._stage(row, self.columns - 4 - labels)
            drawn.append(label + rest)
        if len(shown) < len(rows):
            drawn.append([(f" {self.signs.more} {self._left_out(rows, shown)}", DIM)])
        return drawn

    def _chosen(self, rows: Sequence[Row]) -> list[Row]:
        if len(rows) <= self.lines:
            return list(rows)
        by_interest = sorted(rows, key=lambda row: (row.result.ended, row.stage == "queued"))
        kept = {row.label for row in by_interest[: max(self.lines - 1, 0)]}
        return [row for row in rows if row.label in kept]

    @staticmethod
    def _left_out(rows: Sequence[Row], shown: Sequence[Row]) -> str:
        others = [row for row in rows if row not in shown]
        done = sum(row.result.ended for row in others)
        queued = sum(row.stage == "queued" and not row.result.ended for row in others)
        numbers = ((done, "done"), (queued, "queued"), (len(others) - done - queued, "under way"))
        return f"{len(others)} more: " + ", ".join(f"{number} {word}" for number, word in numbers if number)

    def _cut_left(self, text: str, width: int) -> str:
        return text if len(text) <= width else self.signs.more + text[len(text) - width + 1 :]

    def _cut(self, text: str, width: int) -> str:
        return text if len(text) <= width else text[: max(width - 1, 0)] + self.signs.more

    def _tests(self, row: Row, bar: int, counts: int) -> Segments:
        collected = row.result.collected
        drawn: Segments = []
        if bar >= SHORTEST_BAR:
            halves = 2 * bar * row.done // collected
            filled = self.signs.full * (halves // 2) + self.signs.half * (halves % 2)
            drawn = [(filled, row.style), (" " * (bar - len(filled)) + "  ", PLAIN)]
        return [*drawn, (f"{row.done}/{collected}".rjust(counts) + "  ", PLAIN), *self._remark(row)]

    def _remark(self, row: Row) -> Segments:
        """Return what is said behind the numbers, in one piece."""
        ended = row.result.ended
        words = [row.bad or ("done" if ended and not row.result.stopped else "")]
        words += ["stopped"] if ended and row.result.stopped else []
        words += [f"{row.result.run_seconds:.1f}s" if ended else format_seconds(self.now - row.since)]
        return [("  ".join(word for word in words if word), row.style if ended or row.bad else PLAIN)]

    def _stage(self, row: Row, room: int) -> Segments:
        """Return the line of an image that has no numbers: it waits, is made, or came to nothing."""
        result = row.result
        if result.ended:
            text = result.problem or result.stopped or "done"
            return [(self._cut(text, room), row.style if result.problem or not result.stopped else YELLOW)]
        if row.stage == "queued":
            return [(self._cut(row.stage, room), DIM)]
        text = f"{row.stage.partition(' ')[0]} {self.signs.dot} {row.detail}" if row.detail else row.stage
        time_taken = f"  {format_seconds(self.now - row.since)}"
        return [(self._cut(text, room - len(time_taken)), PLAIN), (time_taken, DIM)]
