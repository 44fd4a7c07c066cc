"""Events of containers, as calls of pytest's hooks and as results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_pyimages.errors import EngineError
from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.results.replay.replay import Replay
from pytest_pyimages.results.warning_places import WarningPlace
from pytest_pyimages.runs import RunEnd
from pytest_pyimages.runs.events import (
    Collected,
    CollectReport,
    Event,
    Hello,
    Item,
    Items,
    LongRepr,
    Measured,
    Passed,
    Report,
    Warned,
)
from tests.support.hooks import Hooks, make_session
from tests.support.results import make_result

ITEMS = Items(
    tuple(Item(f"test_{file}.py::test_{number}", f"test_{file}.py", number, "") for file in "ab" for number in (1, 2))
)
FIRST = "test_a.py::test_1"
PHASES = ("setup", "call", "teardown")


class Verdict:
    """Stands for Judge: what RunEnd says is the verdict."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []
        self.skips: list[tuple[str, str, str]] = []

    def record_skip(self, label: str, kind: str, reason: str) -> None:
        self.skips.append((label, kind, reason))

    def record_error(self, label: str, error: str) -> None:
        self.errors.append((label, error))

    def record_failure(self, label: str, text: str) -> None:
        """Do nothing: no program is missing."""

    def judge(self, run: ImageRun, end: RunEnd, *, left: int | None) -> tuple[ImageResult, str]:
        problem = end.problem or (f"{left} left" if left else "")
        usage_error = end.status == pytest.ExitCode.USAGE_ERROR
        fields: dict[str, Any] = {"exit_status": end.status, "problem": problem, "usage_error": usage_error}
        return replace(run.result, **fields), end.stderr


class Played:
    """A replay of some images, and what came of it."""

    def __init__(
        self, *labels: str, verbose: int = 0, collect_only: bool = False, details: bool = False, **fields: Any
    ) -> None:
        self.hooks, self.verdict = Hooks(), Verdict()
        self.session = make_session(self.hooks, verbose=verbose)
        self.results = {label: make_result(label, **fields) for label in labels or ("3.12",)}
        judge: Any = self.verdict
        self.replay = Replay(self.session, self.results, collect_only=collect_only, judge=judge, details=details)

    def play(self, *events: Event, label: str = "3.12") -> None:
        self.replay.play(label, events)

    def end(self, label: str = "3.12", **fields: Any) -> ImageResult:
        self.replay.end_run(label, RunEnd(**{"status": 0, **fields}), None, run_seconds=1.5)
        return self.results[label]

    @property
    def shown(self) -> list[tuple[str, str]]:
        """Hooks of tests, each with the node id that it was called with."""
        names = {"logstart": "nodeid", "logreport": "report", "logfinish": "nodeid"}
        found = []
        for called, arguments in self.hooks.calls:
            name = called.removeprefix("pytest_runtest_")
            if name in names:
                value = arguments[names[name]]
                found.append((name, value if isinstance(value, str) else value.nodeid))
        return found

    @property
    def collect_reports(self) -> list[pytest.CollectReport]:
        return [arguments["report"] for arguments in self.hooks.named("pytest_collectreport")]


def report(nodeid: str = FIRST, when: str = "call", outcome: str = "failed", status: str | None = None) -> Report:
    category = (outcome if when == "call" or outcome != "passed" else "") if status is None else status
    return Report(
        nodeid=nodeid,
        location=(nodeid.partition("::")[0], 1, "test"),
        when=when,
        outcome=outcome,
        status=(category, "", ""),
        start=1.0,
        duration=0.25,
        wasxfail=None,
        properties=(),
        sections=(),
        longrepr=LongRepr("text", "E assert 0", ("/src/test_a.py", 7, "assert 0"))
        if outcome == "failed"
        else LongRepr("none"),
    )


def passed(test: int) -> Passed:
    return Passed(test, 1.0, (0.25, 0.5, 0.25))


def test_a_passed_test_is_one_call_report_of_its_image() -> None:
    """Nobody listens to setups and teardowns here."""
    played = Played(verbose=1)
    played.play(ITEMS, Collected(4, 0), passed(0))
    nodeid = f"{FIRST}[3.12]"
    assert played.shown == [("logstart", nodeid), ("logreport", nodeid), ("logfinish", nodeid)]
    result = played.results["3.12"]
    assert (result.outcomes, result.durations, result.counts["passed"]) == ({FIRST: "passed"}, {FIRST: 1.0}, 1)


def test_the_phases_of_a_failure_have_one_start_and_one_finish() -> None:
    played = Played(verbose=1, details=True)
    phases = [report(when=when, outcome="failed" if when == "call" else "passed") for when in PHASES]
    played.play(ITEMS, Collected(4, 0), *phases)
    nodeid = f"{FIRST}[3.12]"
    assert played.shown == [("logstart", nodeid), *[("logreport", nodeid)] * 3, ("logfinish", nodeid)]
    result = played.results["3.12"]
    assert (result.outcomes[FIRST], result.counts["failed"], result.counts["passed"]) == ("failed", 1, 0)
    assert result.durations[FIRST] == 0.75
    assert result.failures[FIRST].phase == "call"


def test_tests_are_held_until_their_file_is_complete() -> None:
    """So that the dots of two images do not alternate; with -v each test has a line of its own."""
    played = Played()
    played.play(ITEMS, Collected(4, 0), passed(0), passed(1))
    assert played.shown == []
    played.play(passed(2))
    assert [nodeid for name, nodeid in played.shown if name == "logreport"] == [
        f"{FIRST}[3.12]",
        "test_a.py::test_2[3.12]",
    ]
    played.end()
    assert len([name for name, _ in played.shown if name == "logreport"]) == 3


def test_what_was_held_for_long_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.0, 10.5, 11.5])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    played = Played()
    played.play(ITEMS, Collected(4, 0), passed(0))
    played.replay.flush_late()
    assert played.shown == []
    played.replay.flush_late()
    assert len(played.shown) == 3


def test_nothing_is_played_after_the_session_has_failed_enough() -> None:
    played = Played(verbose=1)
    played.play(ITEMS, Collected(4, 0), passed(0))
    played.session.shouldfail = "stopping after 1 failures"
    played.play(passed(1))
    assert len(played.shown) == 3
    assert played.end(status=2).outcomes == {FIRST: "passed", **{item.nodeid: "not run" for item in ITEMS.items[1:]}}


def test_the_number_of_tests_is_estimated_until_all_images_have_collected() -> None:
    played = Played("3.12", "3.13", "3.14")
    played.play(ITEMS, Collected(4, 0))
    assert played.session.testscollected == 12, "three images with as many as the largest"
    played.play(Items(ITEMS.items[:2]), Collected(2, 0), label="3.13")
    assert played.session.testscollected == 10
    played.replay.end_run("3.14", None, EngineError("no space left"), run_seconds=0.0)
    assert played.session.testscollected == 6


def test_a_worker_that_dies_fails_its_test() -> None:
    played = Played()
    played.play(ITEMS, Collected(4, 0), passed(0))
    result = played.end(status=None, problem="worker died of SIGSEGV", running=1, stderr="Fatal Python error")
    second, *rest = (item.nodeid for item in ITEMS.items[1:])
    assert result.problem == f"worker died of SIGSEGV in {second} (after 2 of 4 tests; 2 not run)"
    assert result.outcomes == {FIRST: "passed", second: "failed", **dict.fromkeys(rest, "not run")}
    assert result.failures[second].text == "Fatal Python error"
    assert played.shown[-1] == ("logreport", f"{second}[3.12]")
    assert (result.counts["error"], result.not_tests) == (1, {"error": 1})
    assert [each.outcome for each in played.collect_reports] == ["failed"]


def test_an_image_that_was_not_built_is_an_error() -> None:
    played = Played()
    played.replay.end_run("3.12", None, EngineError("no space left"), run_seconds=0.0)
    result = played.results["3.12"]
    assert (result.outcome, result.ended, result.exit_status) == ("error", True, None)
    assert "no space left" in result.problem
    assert len(played.collect_reports) == 1


def test_the_error_of_an_image_that_may_fail_does_not_reach_pytest() -> None:
    """Pytest would fail the session for it."""
    played = Played(allowed_to_fail=True)
    result = played.end(status=None, problem="worker died of SIGSEGV")
    assert (result.outcome, played.collect_reports) == ("error", [])


def test_collection_errors_are_counted_and_judged() -> None:
    played = Played()
    error = CollectReport("test_c.py", "failed", LongRepr("text", "No module named 'six'"), ())
    played.play(error, CollectReport("test_d.py", "skipped", LongRepr("skip", skip=("/src/test_d.py", 1, "no")), ()))
    result = played.results["3.12"]
    assert (result.counts["error"], result.counts["skipped"]) == (1, 1)
    assert result.not_tests == {"error": 1, "skipped": 1}
    assert result.outcomes == {"test_c.py": "error", "test_d.py": "skipped"}
    assert played.verdict.skips == [("3.12", "module", "no")]
    assert played.verdict.errors == [("3.12", "No module named 'six'")]
    assert [each.outcome for each in played.collect_reports] == ["failed", "skipped"]


def test_an_image_without_tests_is_an_error_if_another_has_some() -> None:
    played = Played("3.12", "3.14")
    played.play(ITEMS, Collected(4, 0), *(passed(number) for number in range(4)))
    played.end("3.12")
    played.play(Collected(0, 0), label="3.14")
    played.end("3.14", status=5)
    played.replay.errors.fail_images_without_tests()
    assert [result.outcome for result in played.results.values()] == ["passed", "error"]
    assert len(played.collect_reports) == 1


def test_no_image_has_tests() -> None:
    played = Played("3.12", "3.14")
    for label in ("3.12", "3.14"):
        played.end(label, status=5)
    played.replay.errors.fail_images_without_tests()
    assert [result.outcome for result in played.results.values()] == ["nothing collected"] * 2
    assert played.collect_reports == []


@pytest.mark.parametrize(("problems", "shown"), [(("no -n", "no -n"), 0), (("no -n", "no -x"), 2), (("no -n", ""), 1)])
def test_a_usage_error_of_all_images_is_shown_once(problems: tuple[str, str], shown: int) -> None:
    """By the section of the images, hence not by pytest."""
    played = Played("3.12", "3.14")
    for label, problem in zip(("3.12", "3.14"), problems, strict=True):
        played.end(label, status=4 if problem else 0, problem=problem)
    assert played.collect_reports == []
    played.replay.flush()
    assert len(played.collect_reports) == shown


def test_an_image_that_another_stopped_has_tests_that_were_not_run() -> None:
    played = Played("3.12", "3.14")
    played.play(ITEMS, Collected(4, 0), passed(0), label="3.14")
    played.replay.flush()
    result = played.results["3.14"]
    assert (result.ended, result.outcome, result.not_run) == (False, "interrupted", 3)
    assert len(played.shown) == 3, "what was held is played"


def test_nothing_is_run_with_collect_only() -> None:
    played = Played(collect_only=True)
    played.play(ITEMS, Collected(4, 0))
    assert played.end().outcomes == {}


def test_tests_of_several_processes_are_played_one_by_one() -> None:
    played = Played()
    played.play(Hello("3.12.1", "9.2.0", "/src", "", 2), ITEMS, Collected(4, 0))
    other = "test_b.py::test_1"
    first, second = ([report(nodeid, when, "passed") for when in PHASES] for nodeid in (FIRST, other))
    played.play(first[0], second[0], first[1], second[1], second[2], first[2])
    assert [nodeid for name, nodeid in played.shown if name == "logstart"] == [f"{other}[3.12]", f"{FIRST}[3.12]"]
    result = played.end()
    assert result.problem.startswith("2 left"), "xdist has not run them"
    assert result.python == "3.12.1"


def test_warnings_are_recorded_with_their_image() -> None:
    played = Played()
    played.play(Hello("3.12.1", "9.2.0", "/src", "", 0, 7))
    played.play(Warned("DeprecationWarning", "old\nway", "/src/a.py", 5, "runtest", FIRST))
    assert played.results["3.12"].max_warnings == 7
    (recorded,) = played.hooks.named("pytest_warning_recorded")
    assert (recorded["when"], recorded["nodeid"]) == ("runtest", f"{FIRST}[3.12]")
    assert played.results["3.12"].warnings == {"DeprecationWarning: old way": 1}
    place = WarningPlace("DeprecationWarning", "old\nway", "runtest", "a.py", 5)
    assert played.results["3.12"].warning_places == {place: {FIRST: 1}}, "relative to the rootdir"


def test_coverage_data_is_handed_on() -> None:
    played = Played()
    taken: list[tuple[str, object]] = []
    played.replay.measured = lambda label, event: taken.append((label, event))
    played.play(Measured(16, ""))
    assert taken == [("3.12", Measured(16, ""))]


def test_phases_of_an_unfinished_test_are_played_at_the_end() -> None:
    played = Played()
    played.play(Hello("3.12.1", "9.2.0", "/src", "", 2), ITEMS, Collected(4, 0), report(when="call"))
    assert played.shown == []
    assert played.end(status=None, problem="worker died of SIGKILL").outcomes[FIRST] == "failed"


@pytest.mark.parametrize("outcomes", [("failed", "passed"), ("passed", "failed")])
def test_the_worse_outcome_of_a_test_is_compared(outcomes: tuple[str, str]) -> None:
    played = Played(verbose=1)
    played.play(ITEMS, Collected(4, 0), *(report(outcome=outcome) for outcome in outcomes))
    result = played.results["3.12"]
    assert (result.outcomes[FIRST], result.counts["failed"], result.counts["passed"]) == ("failed", 1, 1)
