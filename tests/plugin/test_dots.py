"""Tests that passed are drawn without hooks where only pytest's own plugins hear of them: nothing else may differ."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from tests.plugin.conftest import ImagesRun, make_distribution

Run = Callable[..., ImagesRun]
MANY = """
import pytest
@pytest.mark.parametrize("number", range(150))
def test_many(number): pass
"""
MIXED = """
import pytest
@pytest.mark.parametrize("number", range(60))
def test_some(number):
    if number == 20: pytest.skip("no reason")
    if number == 30: pytest.xfail("known")
    assert number not in (0, 40)
@pytest.fixture
def broken():
    yield
    assert 0
def test_teardown(broken): pass
def test_last(): pass
"""
COUNTER = """
import hashlib
from pytest_pyimages.results.replay.dots import Dots
draw, drawn = Dots.draw, []
def count(dots, report):
    done = draw(dots, report)
    drawn.append(done)
    return done
Dots.draw = count
def pytest_terminal_summary(terminalreporter):
    stats = {name: [report.nodeid for report in reports] for name, reports in terminalreporter.stats.items() if name}
    terminalreporter.write_line("STATS " + hashlib.sha256(repr(stats).encode()).hexdigest())
    terminalreporter.write_line("DRAWN %d" % sum(drawn))
"""
LISTENERS = {
    "logstart": "def pytest_runtest_logstart(nodeid): pass",
    "logreport": "def pytest_runtest_logreport(report): pass",
    "logfinish": "def pytest_runtest_logfinish(nodeid): pass",
    "teststatus": "def pytest_report_teststatus(report): pass",
}
WITHOUT_DOTS = {
    "-v": ["-v"],
    "durations": ["--durations=3"],
    "without terminal": ["-p", "no:terminal"],
    "duplicates": ["--keep-duplicates", "test_many.py", "test_many.py"],
}

if pytest.version_tuple >= (8, 1):
    WITHOUT_DOTS["verbosity_test_cases"] = ["-o", "verbosity_test_cases=1"]
if pytest.version_tuple >= (8, 4):
    WITHOUT_DOTS["times"] = ["-o", "console_output_style=times"]


@pytest.fixture
def compared(
    pytester: pytest.Pytester, run_images: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[str, int]]:
    """Run a suite with a plugin on the host; return the output without times, and how many tests were drawn."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    pytester.makepyfile(test_many=MANY, test_mixed=MIXED)

    def run(*args: str, listener: str = "") -> tuple[str, int]:
        make_distribution(tmp_path, "pytest-counter", "counter", COUNTER + listener)
        out = run_images("--py-images-jobs=1", "-p", "no:randomly", *args, images="3.12,3.13").out
        lines = [re.sub(r"\b\d+(\.\d+)?s\b( \([0-9:]+\))?", "TIME", line.rstrip("=")) for line in out.splitlines()]
        drawn = re.search(r"DRAWN (\d+)", out)
        return "\n".join(line for line in lines if not line.startswith("DRAWN")), int(drawn[1]) if drawn else 0

    return run


@pytest.mark.parametrize(
    ("args", "columns"),
    [
        ([], 80),
        (["-q"], 80),
        (["-qq"], 80),
        (["--color=yes"], 80),
        (["-o", "console_output_style=count"], 47),
        (["-o", "console_output_style=classic"], 80),
        (["--maxfail=1"], 80),
        (["-rA"], 61),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_dots_are_those_of_the_hooks(
    compared: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch, args: list[str], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out, drawn = compared(*args)
    expected, none = compared(*args, listener=LISTENERS["logstart"])
    assert none == 0
    if hasattr(TerminalReporter, "_write_progress_information_if_past_edge"):  # since pytest 8.3
        assert drawn > 100, out
    assert out == expected


@pytest.mark.parametrize("listener", LISTENERS)
def test_other_listeners_hear_of_each_test(compared: Callable[..., tuple[str, int]], listener: str) -> None:
    out, drawn = compared(listener=LISTENERS[listener])
    assert "416 passed" in out
    assert drawn == 0


@pytest.mark.parametrize("args", WITHOUT_DOTS.values(), ids=WITHOUT_DOTS)
def test_what_is_drawn_in_another_way_is_left_to_hooks(
    compared: Callable[..., tuple[str, int]], args: list[str]
) -> None:
    _, drawn = compared(*args)
    assert drawn == 0
