"""The memory that a result takes: as pytest's report, in the results of its image, and in report files.

The limits are above what Python 3.10 to 3.15 need, and far below what ordinary reports and whole documents take.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from _pytest.terminal import TerminalReporter

from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.output.json_report import make_document
from pytest_pyimages.results.output.report_files import write_reports
from pytest_pyimages.results.replay.replay import Replay
from pytest_pyimages.runs.events import Collected, Item, Items, Passed
from tests.support.reporters import make_reporter
from tests.support.results import make_result

LABELS = tuple(f"3.{minor}{variant}" for minor in range(10, 15) for variant in ("", "-slim"))


@contextmanager
def traced(results: int) -> Iterator[Callable[[], tuple[float, float]]]:
    """Trace allocations; what this yields returns how many bytes a result takes now, and took at most."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()

        def measure() -> tuple[float, float]:
            now, most = tracemalloc.get_traced_memory()
            return (now - before) / results, (most - before) / results

        yield measure
    finally:
        tracemalloc.stop()


def make_results() -> dict[str, ImageResult]:
    return {label: ImageResult(label=label, reference=f"python:{label}", allowed_to_fail=False) for label in LABELS}


def play(terminal: TerminalReporter, results: dict[str, ImageResult], *, tests: int) -> None:
    """Replay what containers send whose tests all pass."""
    session: Any = terminal._session
    replay = Replay(session, results, collect_only=False, judge=cast("Any", None))
    for label in LABELS:
        # Each image's texts are decoded anew.
        items = (Item(f"tests/test_it.py::test_{n}", "tests/test_it.py", n, f"test_{n}") for n in range(tests))
        replay.play(label, [Items(tuple(items)), Collected(tests, 0)])
        replay.play(label, [Passed(n, 1.7e9 + n, (n / 7, n / 9, 0.1)) for n in range(tests)])
    replay.flush()


def test_passed_tests_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary report alone takes a kilobyte."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others may look at collected tests, or at reports
    terminal = make_reporter()
    results, tests = make_results(), 500
    number = tests * len(LABELS)
    with traced(number) as measure:
        play(terminal, results, tests=tests)
        kept, most = measure()
    assert [len(terminal.stats["passed"]), len(terminal._progress_nodeids_reported)] == [number, number]
    assert {len(result.outcomes) for result in results.values()} == {tests}
    assert kept < 350
    assert most < 450
    report = terminal.stats["passed"][-1]
    assert (report.nodeid, report.duration, report.when) == ("tests/test_it.py::test_499[3.14-slim]", 499 / 9, "call")


def test_report_files_are_written_test_by_test(tmp_path: Path) -> None:
    """The document as a whole takes 150 bytes a result, and the text of each file 50."""
    tests = 2_000
    outcomes = {f"tests/test_{n}.py::test_{n}": "passed" for n in range(tests)}
    results = {label: make_result(label, outcomes, ended=True, exit_status=0) for label in LABELS}
    make = partial(make_document, results, exit_status=0, started=1.8e9, ended=1.8e9)
    suffixes = (".json", ".html", ".md")
    whole, lazy = ([tmp_path / f"{name}{suffix}" for suffix in suffixes] for name in ("whole", "lazy"))
    assert write_reports(whole, make()) == []
    with traced(tests * len(LABELS)) as measure:
        assert write_reports(lazy, make(is_changed=False)) == []
        _, most = measure()
    assert [path.read_bytes() for path in lazy] == [path.read_bytes() for path in whole]
    assert most < 60
