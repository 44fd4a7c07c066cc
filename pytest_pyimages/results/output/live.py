"""Show the progress of each image: moving lines below pytest's output, or a plain line for each stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pytest

from pytest_pyimages.images import INDEX_WAIT
from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.output.block import WAITING, Block, Row, choose_signs
from pytest_pyimages.results.output.screen import Screen
from pytest_pyimages.text import format_seconds

CHECK_SECONDS = 1.0  # between two looks for images that wait, without a terminal
# Without a terminal: how long nothing is written until there is a line about each image, first and later.
SILENT_SECONDS = 15.0, 30.0, 60.0
INTERVAL = 0.1  # seconds between two paints at least
ROWS_LEFT = 3  # of a low terminal, for pytest's output


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
    """Writes a line for each stage of an image, and after some silence a line about each that has not ended."""

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
        self._stages = {label: (WAITING, clock()) for label in results}
        self._details: dict[str, str] = {}  # by label
        self._listed = self._checked = clock()
        self._waiting: set[str] = set()  # labels of images that are shown to wait
        self._silences = list(SILENT_SECONDS)

    def detail(self, label: str, text: str) -> None:
        self._details[label] = text
        if INDEX_WAIT in text:
            self._write(label, text)

    def say(self, label: str, text: str) -> None:
        self._stages[label] = text, self._clock()
        self._details.pop(label, None)
        stage = (label, text.partition(" ")[0])
        if stage not in self._said:
            self._said.add(stage)
            self._write(label, text)

    def runs(self, label: str) -> None:
        self._stages[label] = "running", self._clock()
        self._details.pop(label, None)

    def tick(self) -> None:
        now = self._clock()
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        waits = self.waits()
        for label in waits.keys() - self._waiting:
            if not self._results[label].ended:
                self._write(label, waits[label])
        self._waiting = set(waits)
        if now - self._listed < self._silences[0]:
            return
        self._listed = now
        if len(self._silences) > 1:
            del self._silences[0]
        activities = {**self.activities(), **waits}
        for label, (stage, since) in self._stages.items():
            row = Row(results=self._results, name=label, since=since, stage=stage, detail=self._details.get(label, ""))
            if label in self._results and not row.result.ended:
                tests = f"{row.done}/{row.result.collected} tests" if row.tests else ""
                text = activities.get(label) or f"{row.describe_stage('·')}, {format_seconds(now - since)}"
                self._write(label, " · ".join(filter(None, (tests, text))))

    def _write(self, label: str, text: str) -> None:
        self._terminal.write_line(f" {label}  {text}")
        self._terminal.flush()  # a pipe's buffer would keep it until the next test has ended


class LiveStages(Stages):
    """Draws a line for each image below pytest's output, several times a second."""

    interval = INTERVAL

    def __init__(
        self,
        terminal: pytest.TerminalReporter,
        results: Mapping[str, ImageResult],
        *,
        clock: Callable[[], float] = time.monotonic,
        test_seconds: float | None = None,
    ) -> None:
        """Prepare to draw.

        :param results: by label; read again for each drawing.
        :param test_seconds: how long a test took on average in the last run, if that is known.
        """
        self._test_seconds = test_seconds
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
        block = Block(
            columns=columns, lines=lines - ROWS_LEFT, now=now, signs=self._signs, test_seconds=self._test_seconds
        )
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
    test_seconds: float | None = None,
) -> Stages:
    """Return the display for a session: moving lines on a capable terminal, else none with -q, or plain lines.

    The log of a CI service counts as no terminal, even if it claims to be one.
    """
    if terminal is None:
        return Stages()
    moves = environ.get("TERM", "") not in ("", "dumb", "unknown")
    if bool(terminal.isatty) and moves and not is_ci_log(environ):
        return LiveStages(terminal, results, test_seconds=test_seconds)
    return Stages() if verbosity < 0 else PlainStages(terminal, results)


def is_ci_log(environ: Mapping[str, str]) -> bool:
    """Return whether the output is the log of a CI service, by pytest's own rule."""
    return any(environ.get(name) for name in ("CI", "BUILD_NUMBER"))
