from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_pyimages.errors import EngineError
from pytest_pyimages.host import CommandLine
from pytest_pyimages.runs import RunEnd
from pytest_pyimages.runs.events import (
    Beat,
    Collected,
    CollectReport,
    CoveragePart,
    Divided,
    Event,
    Failing,
    Hello,
    Item,
    Items,
    Kept,
    LongRepr,
    Measured,
    Passed,
    Report,
    Summary,
    Warned,
)
from pytest_pyimages.session.messages import ImageEnded
from pytest_pyimages.session.placement.parts import Suite, count_parts
from tests.support.invocations import make_invocation

HELLO = Hello("3.12.1", "9.2.0", "/src", "", 0)
WARNED = Warned("UserWarning", "old", "/src/conftest.py", 3, "config", "")
CONFTEST = CollectReport("test_broken.py", "failed", LongRepr("text", "no"), ())


def item(name: str) -> Item:
    return Item(f"test_it.py::{name}", "test_it.py", 1, name)


def phase(name: str, when: str, outcome: str = "passed") -> Report:
    nodeid = f"test_it.py::{name}"
    words = ("", "", "")
    return Report(nodeid, ("test_it.py", 1, name), when, outcome, words, 0.0, 0.0, None, (), (), LongRepr("none"))


def passed(index: int) -> Passed:
    return Passed(index, 0.0, (0.0, 0.0, 0.0))


def begin(suite: Suite, names: str, number: int = 0) -> list[Event]:
    """Play the start of a container with these tests, whose names are single letters."""
    suite.begin(number)
    return suite.play(number, [HELLO, WARNED, Items(tuple(map(item, names))), Collected(len(names), 0)])


def end(suite: Suite, number: int = 0, **values: object) -> tuple[list[Event], ImageEnded | None]:
    run = RunEnd(**{"status": 0, **values})  # type: ignore[arg-type]
    return suite.end(number, ImageEnded("3.12", run, None, 1.0))


def name_tests(suite: Suite, events: Sequence[Event]) -> list[str]:
    return [suite._items[event.test].nodeid[-1] for event in events if isinstance(event, Passed)]


def test_a_single_container_is_replayed_as_it_is() -> None:
    suite = Suite()
    assert begin(suite, "ab") == [HELLO, WARNED, Items((item("a"), item("b"))), Collected(2, 0)]
    reports = [phase("b", "setup"), phase("b", "call", "failed"), phase("b", "teardown")]
    assert suite.play(0, [passed(0), *reports]) == [passed(0), *reports]
    events, whole = end(suite, status=1)
    assert events == []
    assert whole is not None
    assert whole.end == RunEnd(status=1)


def test_a_second_container_reports_what_the_first_has_not() -> None:
    suite = Suite()
    begin(suite, "abc")
    assert suite.play(0, [passed(0), phase("b", "setup")]) == [passed(0)], "half of a test"
    assert begin(suite, "abc") == []
    reports = [phase("b", "setup"), phase("b", "call"), phase("b", "teardown")]
    assert suite.play(0, [passed(0), *reports, passed(2)]) == [*reports, passed(2)]


def test_a_third_container_reports_what_neither_has() -> None:
    suite = Suite()
    begin(suite, "abc")
    suite.play(0, [passed(0)])
    begin(suite, "abc")
    suite.play(0, [passed(0), passed(1)])
    begin(suite, "abc")
    assert suite.play(0, [passed(0), passed(1), passed(2)]) == [passed(2)]


def test_containers_may_collect_in_another_order_and_other_tests() -> None:
    suite = Suite()
    begin(suite, "abc")
    suite.play(0, [passed(0)])
    assert begin(suite, "cdab") == [Items((item("d"),))]
    new = suite.play(0, [passed(0), passed(1), passed(2), passed(3)])
    assert name_tests(suite, new) == ["c", "d", "b"]
    assert suite.play(0, [Beat(1)]) == [Beat(3)]


def test_node_ids_may_be_there_twice() -> None:
    suite = Suite()
    assert begin(suite, "aa")[2] == Items((item("a"), item("a")))
    assert suite.play(0, [passed(0), passed(1)]) == [passed(0), passed(1)]


def test_each_test_of_a_node_id_has_its_result_after_a_loss() -> None:
    suite = Suite()
    begin(suite, "aa")
    suite.play(0, [passed(0)])
    begin(suite, "aa")
    reports = [phase("a", "setup"), phase("a", "call", "failed"), phase("a", "teardown")]
    assert suite.play(0, [passed(0), *reports]) == reports


def test_what_all_containers_say_is_said_once_but_repeated_warnings_are_kept() -> None:
    suite = Suite(2)
    suite.begin(0)
    assert suite.play(0, [WARNED, WARNED, CONFTEST]) == [WARNED, WARNED, CONFTEST]
    suite.begin(1)
    assert suite.play(1, [WARNED, WARNED, WARNED, CONFTEST]) == [WARNED]
    during = WARNED._replace(when="runtest", nodeid="test_it.py::a")
    assert suite.play(1, [during, during]) == [during, during]


def test_half_of_the_coverage_data_is_forgotten() -> None:
    suite = Suite()
    suite.begin(0)
    assert suite.play(0, [CoveragePart(b"ha")]) == []
    suite.begin(0)
    data: list[Event] = [CoveragePart(b"whole"), Measured(5, "")]
    assert suite.play(0, data) == data


def test_parts_are_one_suite() -> None:
    suite = Suite(2)
    divided = Divided(3, 2, "digest", "durations")
    begin(suite, "ab", 0)
    assert suite.play(0, [divided, passed(1)]) == [passed(1)]
    assert begin(suite, "c", 1) == [Items((item("c"),))]
    assert suite.play(1, [divided._replace(tests=1), passed(0), Summary("second")]) == [passed(2), Summary("second")]
    suite.play(0, [Summary("first"), Failing(("test_it.py::a", "test_it.py::c", "old")), Kept(None)])
    assert end(suite, 0, status=1, unrun=1, stderr="x") == ([], None)
    suite.play(1, [Failing(("test_it.py::a", "old")), Kept(None)])
    events, whole = end(suite, 1, stderr="y")
    # Of each test the part says it that has run it; of one that is not there any more, any part.
    assert events == [Failing(("test_it.py::a", "old")), Kept(None)]
    assert whole is not None
    assert whole.end == RunEnd(status=1, unrun=1, stderr="xy")


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (Divided(3, 1, "other", "durations"), "the units of the cluster have collected different tests"),
        (Divided(3, 1, "digest", "other"), "the units of the cluster have collected different tests"),
        (Divided(3, 0, "digest", "durations"), "1 of 3 tests were in no unit"),
    ],
)
def test_parts_of_different_suites_are_a_problem(second: Divided, problem: str) -> None:
    suite = Suite(2)
    begin(suite, "ab", 0)
    suite.play(0, [Divided(3, 2, "digest", "durations")])
    begin(suite, "c", 1)
    suite.play(1, [second])
    end(suite, 0)
    _, whole = end(suite, 1)
    assert whole is not None
    assert whole.end is not None
    assert whole.end.problem == problem


def test_the_worst_end_counts_and_an_error_is_not_lost() -> None:
    suite = Suite(3)
    for number, name in enumerate("abc"):
        begin(suite, name, number)
    end(suite, 0, status=5)
    end(suite, 1, status=None, problem="worker died of SIGSEGV", running=0)
    error = EngineError("gone")
    _, whole = suite.end(2, ImageEnded("3.12", None, error, 9.0))
    assert whole is not None
    assert whole.error is error
    assert whole.run_seconds == 9.0
    assert whole.end is not None
    assert (whole.end.status, whole.end.problem, whole.end.running) == (None, "worker died of SIGSEGV", 1)


def test_an_empty_part_is_no_failure() -> None:
    suite = Suite(2)
    begin(suite, "a", 0)
    begin(suite, "", 1)
    end(suite, 0)
    _, whole = end(suite, 1, status=5)
    assert whole is not None
    assert whole.end == RunEnd(status=0)


@pytest.mark.parametrize(
    ("typed", "addopts", "count"),
    [("tests", "-m fast", 4), ("-k it", "", 1), ("tests/test_it.py", "", 1), ("--lf", "", 1), ("--sw", "", 1)],
)
def test_only_suites_of_known_durations_are_divided(tmp_path: Path, typed: str, addopts: str, count: int) -> None:
    (tmp_path / "tests").mkdir()
    invocation = replace(make_invocation(typed, cwd=tmp_path), addopts=CommandLine.parse(addopts.split()))
    without = {"measures_coverage": False, "live_output": False, "collect_only": False, "terminal": None}
    settings = SimpleNamespace(**without, keep_changes=(), artifacts=(), invocation=invocation)
    plan = SimpleNamespace(args=tuple(typed.split()), smoke=False)
    durations = {f"tests/test_it.py::test_{number}": 1000 for number in range(120)}
    assert count_parts(settings, plan, durations) == count  # type: ignore[arg-type]
