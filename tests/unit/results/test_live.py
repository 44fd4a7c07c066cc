"""The progress display, which must not change the text on the terminal."""

from __future__ import annotations

import io
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, cast

import pyte
import pytest
from _pytest._io import TerminalWriter

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult
from pytest_pyimages.results.output.block import Block, Row, choose_signs
from pytest_pyimages.results.output.live import LiveStages, PlainStages, Stages, make_stages
from pytest_pyimages.results.output.screen import Screen
from pytest_pyimages.text import format_seconds
from tests.support.results import make_result, make_run

COLUMNS, LINES = 40, 12


class Tty(io.StringIO):
    """A terminal's file: what is written is seen on a screen of its size."""

    encoding = "utf-8"

    def __init__(self, columns: int = COLUMNS, lines: int = LINES) -> None:
        super().__init__()
        self.screen = pyte.HistoryScreen(columns, lines, history=100_000, ratio=0.01)
        self._stream = pyte.Stream(self.screen)

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._stream.feed(text.replace("\n", "\r\n"))  # as the line discipline does
        return super().write(text)

    @property
    def text(self) -> list[str]:
        """All lines down to the cursor's, those that have scrolled away included."""
        rows = [*self.screen.history.top, *(self.screen.buffer[line] for line in range(self.screen.cursor.y + 1))]
        return ["".join(row[column].data for column in range(self.screen.columns)).rstrip() for row in rows]

    @property
    def below(self) -> list[str]:
        """The lines below the cursor's."""
        return [line.rstrip() for line in self.screen.display[self.screen.cursor.y + 1 :]]


@dataclass
class Reporter:
    """What this asks of pytest's terminal reporter."""

    _tw: TerminalWriter
    isatty: bool = True

    @classmethod
    def on(cls, file: Tty) -> pytest.TerminalReporter:
        return cast("pytest.TerminalReporter", cls(TerminalWriter(file)))


@pytest.fixture(autouse=True)
def _size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("LINES", str(LINES))
    for name in ("PY_COLORS", "NO_COLOR", "FORCE_COLOR", "TERM", "CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tty() -> Tty:
    return Tty()


@pytest.fixture
def screen(tty: Tty) -> Iterator[Screen]:
    screen = Screen(Reporter.on(tty))
    yield screen
    screen.close()


def test_rows_stand_below_a_partial_line_which_goes_on(tty: Tty, screen: Screen) -> None:
    writer = screen._writer
    writer.write("header\ntest_a.py ..")
    screen.paint(["one", "two"])
    assert (tty.text, tty.below[:4]) == (["header", "test_a.py .."], ["", "one", "two", ""])
    writer.write(".\n")
    screen.paint(["one", "TWO"])
    assert (tty.text, tty.below[:3]) == (["header", "test_a.py ...", ""], ["one", "TWO", ""])


def test_rows_are_removed_at_the_end(tty: Tty, screen: Screen) -> None:
    screen._writer.write("x\n" * 30)
    screen.paint(["one", "two"])
    screen._writer.write("y")
    screen.close()
    assert tty.text == ["x"] * 30 + ["y"]
    assert set(tty.below) <= {""}
    screen._writer.write("z")  # from here on as ever
    assert tty.text[-1] == "yz"


def test_without_rows_nothing_but_the_text_is_written(tty: Tty, screen: Screen) -> None:
    """In the background, what is below the cursor is the shell's."""
    screen._writer.write("one\n")
    screen.paint([])
    screen._writer.write("two\n")
    screen.close()
    assert tty.getvalue() == "one\ntwo\n"


def test_old_text_below_is_erased(tty: Tty, screen: Screen) -> None:
    tty.write("\nstale stale\nstale\x1b[2A\r")
    screen.paint(["one", ""])
    assert tty.below[:3] == ["one", "", ""]


def test_rows_that_are_too_long_are_cut(tty: Tty, screen: Screen) -> None:
    screen.paint(["x" * 100, "two"])
    assert tty.below[:3] == ["x" * COLUMNS, "two", ""]
    screen._writer.write("y" * 100)  # the terminal wraps again
    screen.paint([])
    assert tty.text == ["y" * 40, "y" * 40, "y" * 20]


def test_pending_wrap_loses_no_character(tty: Tty, screen: Screen) -> None:
    screen._writer.write("y" * COLUMNS)
    screen.paint(["one"])
    screen._writer.write("z\n")
    screen.paint(["one"])
    assert tty.text == ["y" * COLUMNS, "z", ""]
    assert tty.below[0] == "one"


def test_colours_that_a_suite_leaves_on_stay_on(tty: Tty, screen: Screen) -> None:
    screen._writer.write("\x1b[31mred")
    screen.paint(["plain"])
    screen._writer.write("still")
    screen.paint(["plain"])
    assert {tty.screen.buffer[0][column].fg for column in range(8)} == {"red"}
    assert {tty.screen.buffer[2][column].fg for column in range(5)} == {"default"}


def test_unchanged_rows_are_not_written_again(tty: Tty, screen: Screen) -> None:
    screen.paint(["one"])
    before = tty.getvalue()
    screen.paint(["one"])
    assert tty.getvalue() == before


@pytest.mark.parametrize("text", ["\x1b[2A\x1b[J", "\x1b[H", "\x1b7", "\x1b[3;1f"])
def test_other_cursor_movements_close_the_screen(tty: Tty, screen: Screen, text: str) -> None:
    """Another plugin that moves the cursor (such as pytest-sugar) has the screen for itself."""
    screen.paint(["one"])
    screen._writer.write(text)
    screen.paint(["one"])
    assert tty.getvalue().endswith(text)
    screen._writer.write("theirs")
    screen.paint(["one"])
    assert tty.getvalue().endswith(f"{text}theirs")


def test_colours_and_links_do_not_close_the_screen(tty: Tty, screen: Screen) -> None:
    screen._writer.write("\x1b[1;38;5;9mred\x1b[0m\x1b[K \x1b]8;;file://x\x1b\\link\x1b]8;;\x1b\\\n")
    screen.paint(["one"])
    assert "one" in tty.below


def test_unencodable_text_is_refused_at_once(tty: Tty) -> None:
    """By then the writer escapes it, and cannot any more when the screen is painted."""
    tty.encoding = "latin-1"
    screen = Screen(Reporter.on(tty))
    screen._writer.line("snow \N{SNOWMAN}")
    screen.close()
    assert tty.text[0] == "snow \\u2603"


def test_standard_streams_keep_their_place(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a plugin prints in a hook comes between what pytest prints before and after; a file stays a file."""
    log = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", tty)
        patch.setattr("sys.stderr", log)
        screen = Screen(Reporter.on(tty))
        screen._writer.write("one\n")
        sys.stdout.write("two\n")
        screen._writer.write("three\n")
        sys.stderr.write("log")
        screen.paint(["row"])
        screen.close()
        assert sys.stdout is tty
    assert tty.text == ["one", "two", "three", ""]
    assert log.getvalue() == "log"


@pytest.mark.parametrize("seed", range(8))
def test_text_is_the_same_as_without_rows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written and painted when, wherever the window scrolls: lines, partial lines, wraps, colours."""
    rng = random.Random(seed)
    columns, lines = rng.choice([(40, 12), (80, 24), (100, 8)])
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))
    drawn, plain = Tty(columns, lines), Tty(columns, lines)
    screen = Screen(Reporter.on(drawn))
    alone = TerminalWriter(plain)
    pieces = (".", "F", "\n", "test_a.py ", "x" * 39, "word " * 30, "\n\n", "=" * columns + "\n", "é━")
    for number in range(80):
        text, red = rng.choice(pieces), rng.random() < 0.3
        screen._writer.write(text, red=red)
        alone.write(text, red=red)
        if rng.random() < 0.4:
            screen.paint([f" image {row} {number}" for row in range(rng.randrange(5))])
            assert drawn.text == plain.text
    screen.close()
    assert drawn.text == plain.text
    assert set(drawn.below) <= {""}


def test_window_made_smaller_keeps_the_text(tty: Tty, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    screen._writer.write("test_a.py ..")
    screen.paint(["x" * 39, "two"])
    tty.screen.resize(LINES, 20)
    monkeypatch.setenv("COLUMNS", "20")
    screen._writer.write(".")
    screen.paint(["y" * 19, "two"])
    assert (tty.text, tty.below[:4]) == (["test_a.py ..."], ["", "y" * 19, "two", ""])


def image(label: str, collected: int = 0, *, allowed: bool = False, **counts: int) -> Row:
    """Return the row of an image whose tests have come out as counted so far."""
    run = make_run(label, allowed_to_fail=allowed, collected=collected)
    numbers = count()
    for category, number in counts.items():
        for _ in range(number):
            run.count(f"test_{next(numbers)}", category)
    return row_of(run.result)


def row_of(result: ImageResult) -> Row:
    return Row(results={result.label: result}, name=result.label, since=0.0, stage="starting")


def ended(row: Row, *, problem: str = "", stopped: str = "") -> Row:
    result = replace(row.result, ended=True, problem=problem, stopped=stopped, run_seconds=6.14)
    return replace(row, results={row.name: result})


def drawn(*rows: Row, columns: int = 80, lines: int = 20, encoding: str = "utf-8") -> list[str]:
    block = Block(columns=columns, lines=lines, now=4.0, signs=choose_signs(encoding))
    return ["".join(text for text, _ in line).rstrip() for line in block.draw(rows)]


def stage(text: str, detail: str = "", label: str = "3.12") -> Row:
    row = image(label)
    row.stage, row.detail = text, detail
    return row


def test_lines_of_a_session() -> None:
    """As the README and the people who asked for it have it."""
    rows = (
        ended(image("3.12", 412, passed=410, skipped=2)),
        image("3.14-slim", 412, passed=279, failed=2),
        stage("installing .[test]", "numpy 3.0.1 (41/58)", "3.15-rc"),
        stage("queued", label="3.11"),
    )
    assert drawn(*rows) == [
        " 3.12       ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  412/412  done  6.1s",
        " 3.14-slim  ━━━━━━━━━━━━━━━━━━━━            281/412  2 failed  4s",
        " 3.15-rc    installing · numpy 3.0.1 (41/58)  4s",
        " 3.11       queued",
        " 693/824 tests · 2 images to come",
    ]


def test_time_left() -> None:
    """By the average of the last run, and for the image that has most to do."""
    rows = (image("3.12", 100, passed=90), image("3.13", 100, passed=20), ended(image("3.14", 100, passed=100)))
    block = Block(columns=80, lines=5, now=4.0, signs=choose_signs("utf-8"), test_seconds=0.5)
    assert "".join(text for text, _ in block.draw(rows)[-1]) == " 210/300 tests · about 40s left"
    assert len(block._replace(lines=3).draw(rows)) == 3, "images are worth more than their sum"


@pytest.mark.parametrize("text", ["waiting for a free slot", "waiting for the package index a.example/simple"])
def test_waiting_is_a_stage_of_its_own(text: str) -> None:
    assert drawn(stage("starting", text)) == [f" 3.12  {text}  4s"]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        pytest.param(image("3.12", 4), " 3.12                                  0/4  4s", id="nothing yet"),
        pytest.param(
            image("3.12", 4, passed=2, failed=1, error=1),
            " 3.12  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  4/4  1 failed, 1 error  ending",
            id="failed and errors",
        ),
        pytest.param(
            ended(image("3.12", 2, passed=1, failed=1)),
            " 3.12  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  2/2  1 failed  6.1s",
            id="ended with failures",
        ),
        pytest.param(
            ended(image("3.12", 2, passed=1), stopped="stopping after 1 failures"),
            " 3.12  ━━━━━━━━━━━━━━━                 1/2  stopped  6.1s",
            id="stopped",
        ),
        pytest.param(
            ended(image("3.12", 8, passed=1), problem="worker died of SIGSEGV"),
            " 3.12  worker died of SIGSEGV",
            id="problem in tests",
        ),
        pytest.param(
            ended(image("3.99"), problem="no such image: python:3.99"),
            " 3.99  no such image: python:3.99",
            id="problem",
        ),
        pytest.param(ended(image("3.12")), " 3.12  done", id="nothing collected"),
        pytest.param(stage("pulling python:3.12"), " 3.12  pulling python:3.12  4s", id="stage"),
        pytest.param(
            stage("pulling python:3.12", "1.0/2.0 MB"), " 3.12  pulling · 1.0/2.0 MB  4s", id="stage with detail"
        ),
        pytest.param(image("3.15-rc", allowed=True), " 3.15-rc?  starting  4s", id="allowed to fail"),
        pytest.param(
            image("3.12", 2, passed=1, error=3),
            " 3.12  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  2/2  3 errors  ending",
            id="more outcomes than tests",
        ),
    ],
)
def test_rows(row: Row, line: str) -> None:
    assert drawn(row) == [line]


def test_tests_that_were_not_run_do_not_fill_the_bar() -> None:
    result = make_result("3.12", {"a": "passed", "x": NOT_RUN, "y": NOT_RUN, "z": NOT_RUN}, collected=4)
    assert "1/4" in drawn(ended(row_of(result)))[0]


@pytest.mark.parametrize("columns", [20, 40, 41, 47, 52, 60, 80, 200])
def test_rows_fit_their_columns(columns: int) -> None:
    """Numbers and times have the room first; bars get what is left, all the same, or go."""
    rows = (
        ended(image("3.12", 412, passed=412)),
        image("registry.example/team/python:3.14-slim", 412, passed=279, failed=2),
        stage("waiting for another session that builds the same image", label="3.13"),
        ended(stage("installing", label="3.99"), problem="no such image: python:3.99 · nearest: 3.9, 3.15"),
    )
    lines = drawn(*rows, columns=columns)
    if columns >= 40:
        assert max(map(len, lines)) < columns
        assert "2 failed  4s" in lines[1]
        assert "281/412" in lines[1]
        assert lines[2].endswith("4s")
    if columns == 40:
        assert lines.pop() == " 693/824 tests · 1 image to come"
        assert lines == [
            " 3.12           412/412  done  6.1s",
            " …on:3.14-slim  281/412  2 failed  4s",
            " 3.13           waiting for anothe…  4s",
            " 3.99           no such image: python:…",
        ]


def test_running_images_are_kept_in_a_low_terminal() -> None:
    rows = [ended(image(f"3.{minor}", 1, passed=1)) for minor in range(10, 14)]
    rows += [image("3.14", 2, passed=1), image("3.15", 2, passed=1)]
    rows += [stage("queued", label=f"3.{minor}-slim") for minor in range(10, 13)]
    lines = drawn(*rows, lines=4)
    assert [line.split()[0] for line in lines[:3]] == ["3.14", "3.15", "3.10-slim"]
    assert lines[3:] == [" … 6 more: 4 done, 2 queued"]
    assert drawn(*rows, lines=0) == [" … 9 more: 4 done, 3 queued, 2 in progress"]


def test_ascii_signs() -> None:
    assert drawn(image("3.12", 4, passed=1), encoding="ascii") == [
        " 3.12  #######-                        1/4  4s",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(0.9, "0s"), (59.9, "59s"), (60, "1m00s"), (3725, "62m05s")])
def test_durations(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def live(tty: Tty, *rows: Row) -> tuple[LiveStages, Clock]:
    clock = Clock()
    return LiveStages(Reporter.on(tty), {row.name: row.result for row in rows}, clock=clock), clock


def test_stages_of_an_image(tty: Tty) -> None:
    results = {"3.12": make_result()}
    clock = Clock()
    shown = LiveStages(Reporter.on(tty), results, clock=clock)
    seen = []

    def look(seconds: float) -> None:
        clock.now += seconds
        shown.tick()
        seen.append(tty.below[0].strip())

    look(1)
    shown.say("3.12", "pulling python:3.12")
    look(1)
    shown.detail("3.12", "1.0/2.0 MB")
    look(0.09)  # too early to be painted
    look(1)
    shown.say("3.12", "installing .[test]")
    look(1)
    shown.runs("3.12")
    look(1)
    results["3.12"] = make_result("3.12", {"test_a": "passed"}, collected=2)
    look(1)
    results["3.12"] = replace(results["3.12"], ended=True, run_seconds=2.5)
    look(1)
    shown.close()
    assert seen == [
        "3.12  queued",
        "3.12  pulling python:3.12  1s",
        "3.12  pulling python:3.12  1s",
        "3.12  pulling · 1.0/2.0 MB  2s",
        "3.12  installing .[test]  1s",
        "3.12  starting  1s",
        "3.12  ━━━━━━━━━━━╸             1/2  2s",
        "3.12  ━━━━━━━╸         1/2  done  2.5s",
    ]
    assert set(tty.screen.display) == {" " * COLUMNS}


def test_nothing_is_drawn_while_paused(tty: Tty) -> None:
    shown, clock = live(tty, image("3.12"))
    clock.now += 1
    shown.tick()
    assert tty.below[0].strip() == "3.12  queued"
    shown.pause()
    tty.write("(Pdb) ")
    clock.now += 1
    shown.tick()
    assert tty.screen.display[0].rstrip() == "(Pdb)"
    assert {line.strip() for line in tty.screen.display[1:]} == {""}
    tty.write("\r\n")
    shown.resume()
    clock.now += 1
    shown.tick()
    assert [line.strip() for line in tty.screen.display[:3]] == ["(Pdb)", "", "3.12  queued"]


@pytest.mark.parametrize(("variable", "coloured"), [("FORCE_COLOR", True), ("NO_COLOR", False)])
def test_colours(variable: str, coloured: bool, monkeypatch: pytest.MonkeyPatch, tty: Tty) -> None:
    monkeypatch.setenv(variable, "1")
    shown, clock = live(tty, image("3.12", 2, passed=1, failed=1), image("3.13", 2, passed=1))
    clock.now = 1
    shown.tick()
    red, green = ({cell.fg for cell in tty.screen.buffer[row].values() if cell.data == "━"} for row in (1, 2))
    assert (red, green) == (({"red"}, {"green"}) if coloured else ({"default"}, {"default"}))
    assert bool(re.search(r"\x1b\[[1-9][0-9;]*m", tty.getvalue())) is coloured


@pytest.mark.parametrize(
    ("environ", "verbosity", "terminal", "kind"),
    [
        pytest.param({"TERM": "xterm"}, 0, True, LiveStages, id="terminal"),
        pytest.param({"TERM": "xterm"}, 1, True, LiveStages, id="-v"),
        pytest.param({"TERM": "xterm"}, -1, True, LiveStages, id="-q"),
        pytest.param({"TERM": "xterm"}, -1, False, Stages, id="-q without a terminal"),
        pytest.param({"TERM": "xterm"}, 0, False, PlainStages, id="no terminal"),
        pytest.param({"TERM": "xterm", "FORCE_COLOR": "1"}, 0, False, PlainStages, id="colour makes no terminal"),
        pytest.param({"TERM": "xterm", "NO_COLOR": "1"}, 0, True, LiveStages, id="no colour"),
        pytest.param({"TERM": "xterm", "CI": "true"}, 0, True, PlainStages, id="CI"),
        pytest.param({"TERM": "xterm", "CI": ""}, 0, True, LiveStages, id="empty CI"),
        pytest.param({"TERM": "dumb"}, 0, True, PlainStages, id="dumb"),
        pytest.param({}, 0, True, PlainStages, id="nobody knows which terminal"),
    ],
)
def test_lines_move_on_capable_terminals_only(
    environ: dict[str, str], verbosity: int, terminal: bool, kind: type[Stages], tty: Tty
) -> None:
    reporter = Reporter.on(tty)
    cast("Any", reporter).isatty = terminal
    shown = make_stages(reporter, {}, verbosity=verbosity, environ=environ)
    shown.close()
    assert type(shown) is kind


def test_nothing_is_shown_without_a_terminal_reporter() -> None:
    assert type(make_stages(None, {}, verbosity=0, environ={"TERM": "xterm"})) is Stages


class Lines:
    """A terminal reporter that only takes lines, and has those that were flushed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._pending: list[str] = []

    def write_line(self, line: str) -> None:
        self._pending.append(line)

    def flush(self) -> None:
        self.lines += self._pending
        self._pending.clear()


def test_plain_lines_are_one_for_each_stage_and_image() -> None:
    terminal = Lines()
    shown = PlainStages(cast("pytest.TerminalReporter", terminal), {})
    said: Sequence[tuple[str, str]] = (
        ("3.12", "pulling python:3.12"),
        ("3.13", "pulling python:3.13"),
        ("3.12", "installing .[test]"),
        ("3.12", "installing .[test]"),  # once more, with the source copied
        ("3.12", "pulling python:3.12"),
    )
    for label, text in said:
        shown.say(label, text)
        shown.detail(label, "1.0/2.0 MB")
        shown.runs(label)
        shown.tick()
    assert terminal.lines == [
        " 3.12  pulling python:3.12",
        " 3.13  pulling python:3.13",
        " 3.12  installing .[test]",
    ]


def test_plain_line_names_the_index_that_does_not_answer() -> None:
    terminal = Lines()
    shown = PlainStages(cast("pytest.TerminalReporter", terminal), {})
    shown.say("3.12", "installing .[test]")
    for text in ("building shop", "waiting for the package index a.example/simple", "2 packages"):
        shown.detail("3.12", text)
    assert terminal.lines[1:] == [" 3.12  waiting for the package index a.example/simple"]


def test_plain_lines_about_waiting_images_come_at_once_and_later() -> None:
    terminal, now, waits = (
        Lines(),
        [0.0],
        {"3.12": "waiting for the engine, 30s", "3.14": "waiting for the engine, 30s"},
    )
    results = {"3.12": make_result("3.12"), "3.14": make_result("3.14", ended=True)}
    shown = PlainStages(cast("pytest.TerminalReporter", terminal), results, clock=lambda: now[0])
    shown.activities = lambda: {"3.12": "test_a.py::test_x, 40s"}
    shown.waits = lambda: waits
    for now[0] in (1.0, 1.5, 2.0, 3.0):
        shown.tick()
    assert terminal.lines == [" 3.12  waiting for the engine, 30s"]
    waits["3.12"], now[0] = "waiting for the engine, 1m30s", 61.0
    shown.tick()
    assert terminal.lines[1:] == [" 3.12  waiting for the engine, 1m30s"]
    waits.clear()
    now[0] = 62.0
    shown.tick()
    waits["3.12"], now[0] = "waiting for the engine again, 30s", 80.0
    shown.tick()
    assert terminal.lines[2:] == [" 3.12  waiting for the engine again, 30s"]


def test_plain_lines_about_running_suites() -> None:
    """After a quarter of a minute, and then less and less often."""
    terminal, now = Lines(), [0.0]
    results = {
        "3.12": make_result("3.12", {"test_a": "passed"}, collected=2),
        "3.13": make_result("3.13"),
        "3.14": make_result("3.14", ended=True),
        "3.15": make_result("3.15"),
    }
    shown = PlainStages(cast("pytest.TerminalReporter", terminal), results, clock=lambda: now[0])
    shown.activities = lambda: {"3.12": "test_a.py::test_x, 2m10s", "3.13": ""}
    now[0] = 10.0
    shown.runs("3.12")
    shown.runs("3.13")
    shown.say("3.15", "installing .[test]")
    shown.detail("3.15", "numpy 3.0.1 (41/58)")
    for now[0] in (14.0, 15.0, 44.0, 45.0, 104.0, 105.0, 164.0, 165.0):
        shown.tick()
    assert terminal.lines[:4] == [
        " 3.15  installing .[test]",
        " 3.12  1/2 tests · test_a.py::test_x, 2m10s",
        " 3.13  running, 5s",
        " 3.15  installing · numpy 3.0.1 (41/58), 5s",
    ]
    assert [line.rpartition(", ")[2] for line in terminal.lines if "running" in line] == ["5s", "35s", "1m35s", "2m35s"]
