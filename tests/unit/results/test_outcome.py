"""The exit status of a session, and the comparison of images."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_pyimages.results.comparison import (
    Column,
    Difference,
    find_differences,
    find_skipped_everywhere,
    group_by_pattern,
    make_columns,
)
from pytest_pyimages.results.outcome import NOT_RUN, ImageResult, fold_exit_statuses
from tests.support.results import make_result, make_run


def result(
    label: str, status: int | None = 0, *, allowed: bool = False, problem: str = "", **outcomes: str
) -> ImageResult:
    fields = {"allowed_to_fail": allowed, "problem": problem, "exit_status": status, "ended": True}
    return make_result(label, outcomes, python=f"{label}.1", **fields)


def folded(*results: ImageResult) -> int:
    return fold_exit_statuses({one.label: one for one in results})


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param([0, 0], 0, id="all passed"),
        pytest.param([0, 1], 1, id="one failed"),
        pytest.param([5, 5], 5, id="nothing anywhere"),
        pytest.param([0, 5], 0, id="nothing on one"),
        pytest.param([5, 1], 1, id="nothing and a failure"),
        pytest.param([1, 2], 2, id="interrupted is worse"),
        pytest.param([0, 3], 1, id="internal error inside is the image's"),
        pytest.param([1, 6], 6, id="too many warnings"),
        pytest.param([1, 7], 7, id="a suite's own status"),
        pytest.param([7, 2], 2, id="interrupted beats a suite's own"),
        pytest.param([4, 1], 4, id="usage error"),
        pytest.param([None, 0], 1, id="never finished"),
    ],
)
def test_worst_status_wins(statuses: list[int | None], expected: int) -> None:
    results = [result(f"3.{index}", status) for index, status in enumerate(statuses)]
    assert folded(*results) == expected
    assert folded(*reversed(results)) == expected


def test_problem_is_a_failure_even_with_status_0() -> None:
    assert folded(result("3.12", 0, problem="the worker died")) == 1


@pytest.mark.parametrize("outcome", ["failed", "error"])
def test_failures_of_a_suite_that_exits_with_0(outcome: str) -> None:
    """The exit status is what a suite has chosen; its results are what its tests were."""
    hidden = result("3.12", 0, test_a="passed", test_b=outcome)
    assert (hidden.outcome, folded(hidden)) == ("failed", 1)
    assert result("3.12", 0, test_a="xfailed").outcome == "passed"
    allowed = result("3.13", 0, allowed=True, test_b=outcome)
    assert folded(result("3.12", 0, test_a="passed"), allowed) == 0


@pytest.mark.parametrize("status", [1, 2, 4, 5, None])
def test_allowed_failure_changes_nothing(status: int | None) -> None:
    assert folded(result("3.12", 0), result("3.15", status, allowed=True, problem="" if status else "dead")) == 0


def test_no_tests_with_an_allowed_image() -> None:
    assert folded(result("3.12", 5), result("3.15", 5, allowed=True)) == 5


def test_no_tests_if_all_images_are_allowed_to_fail() -> None:
    assert folded(result("3.14", 5, allowed=True), result("3.15", 5, allowed=True)) == 5
    assert folded(result("3.14", 0, allowed=True), result("3.15", 5, allowed=True)) == 0
    assert folded(result("3.14", 1, allowed=True), result("3.15", 5, allowed=True)) == 0


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param([None, None, None], 1, id="no image can be built"),
        pytest.param([None, 5, None], 1, id="another has no tests"),
        pytest.param([4, 4], 4, id="wrong usage"),
        pytest.param([2, None], 2, id="interrupted while collecting"),
        pytest.param([None, 1], 0, id="one is tested and fails"),
        pytest.param([None, 0], 0, id="one passes"),
    ],
)
def test_images_that_are_allowed_to_fail_must_not_all_be_untested(statuses: list[int | None], expected: int) -> None:
    results = [
        result(f"3.{index}", status, allowed=True, problem="" if status in (0, 1, 2, 5) else "dead")
        for index, status in enumerate(statuses)
    ]
    assert folded(*(replace(one, usage_error=one.exit_status == 4) for one in results)) == expected


def test_an_image_that_dies_in_a_test_was_tested() -> None:
    dead = result("3.16-rc", None, allowed=True, problem="worker died", a="passed")
    assert folded(replace(dead, counts={"passed": 1, "error": 1}, not_tests={"error": 1})) == 0
    assert folded(replace(dead, counts={"error": 1}, not_tests={"error": 1})) == 1


def test_worst_outcome_of_a_test_is_compared() -> None:
    one = make_run()
    one.count("a", "passed")
    one.count("a", "error")
    one.count("a", "")
    assert one.outcomes == {"a": "error"}
    assert one.counts["passed"] == one.counts["error"] == 1


def test_differences_are_grouped_by_pattern() -> None:
    results = {
        "3.12": result("3.12", a="passed", b="passed", c="skipped", d="passed"),
        "3.13": result("3.13", a="passed", b="failed", c="passed", d="passed"),
        "3.14": result("3.14", a="passed", b="failed", c="passed", d="failed", e="passed"),
        "3.99": result("3.99", None, problem="no such image"),
    }
    found = find_differences(results)
    columns = make_columns(results)
    assert [column.label for column in columns] == ["3.12", "3.13", "3.14"]
    assert found[0] == Difference("b", ("passed", "failed", "failed"))
    assert [(pattern, [one.nodeid for one in members]) for pattern, members in group_by_pattern(columns, found)] == [
        ("fails from 3.13 on", ["b"]),
        ("fails only on 3.14", ["d"]),
        ("skipped only on 3.12", ["c"]),
        ("collected only on 3.14", ["e"]),
    ]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        pytest.param("FF....", "fails from 3.14 on", id="Pythons, not places"),
        pytest.param("F.....", "fails only on 3.15-rc?", id="one"),
        pytest.param("..FFFF", "fails up to 3.13", id="older ones"),
        pytest.param("FFFFF.", "fails everywhere but on 3.12-slim", id="all but one"),
        pytest.param("FF..F.", "fails on 3.15-rc?, 3.14-slim, 3.12", id="no rule"),
        pytest.param("FE....", "fails from 3.14 on", id="an error is a failure"),
        pytest.param("EE....", "errors from 3.14 on", id="errors"),
        pytest.param("FsFFFF", "fails everywhere but on 3.14-slim", id="the worst counts"),
        pytest.param("ss....", "skipped from 3.14 on", id="skipped"),
        pytest.param("FFFEFF", "fails everywhere", id="each in its way"),
        pytest.param("sssss.", "runs only on 3.12-slim", id="runs on one"),
        pytest.param("ss..ss", "runs only on 3.13, 3.13-slim", id="runs on a few"),
        pytest.param("..ssss", "runs from 3.14 on", id="runs on newer ones"),
        pytest.param("s.sss-", "runs only on 3.14-slim", id="runs on one, not collected on another"),
        pytest.param("s.s.s.", "skipped on 3.15-rc?, 3.13, 3.12", id="skipped on half"),
        pytest.param("----.-", "collected only on 3.12", id="collected on one"),
    ],
)
def test_patterns_name_ranges_of_pythons(outcomes: str, expected: str) -> None:
    words = {".": "passed", "F": "failed", "E": "error", "s": "skipped", "-": ""}
    labels = {"3.15-rc?": "3.15.0rc2", "3.14-slim": "3.14.4", "3.13": "3.13.1", "3.13-slim": "3.13.9", "3.12": "3.12.1"}
    columns = [Column(label, python) for label, python in (labels | {"3.12-slim": "3.12.1"}).items()]
    ((pattern, _),) = group_by_pattern(columns, [Difference("a", tuple(words[letter] for letter in outcomes))])
    assert pattern == expected


def test_few_exceptions_are_named_instead_of_many_images() -> None:
    columns = [Column(f"3.{minor}", f"3.{minor}.1") for minor in range(6, 16)]
    for letter, expected in (("failed", "fails everywhere but on 3.9, 3.11"), ("skipped", "runs only on 3.9, 3.11")):
        outcomes = tuple("passed" if index in (3, 5) else letter for index in range(len(columns)))
        ((pattern, _),) = group_by_pattern(columns, [Difference("a", outcomes)])
        assert pattern == expected


def test_a_variant_is_named_instead_of_its_images() -> None:
    labels = ("3.12", "3.12+lowest", "3.14", "3.14+lowest?", "3.14+lowest@linux/arm64")
    columns = [Column(label, f"{label[:4]}.1") for label in labels]
    for letters, expected in ((".F.FF", "fails only with +lowest"), (".F.F.", "fails on 3.12+lowest, 3.14+lowest?")):
        outcomes = tuple("failed" if letter == "F" else "passed" for letter in letters)
        ((pattern, _),) = group_by_pattern(columns, [Difference("a", outcomes)])
        assert pattern == expected


def test_unknown_python_is_in_no_range() -> None:
    columns = [Column("3.12", "3.12.1"), Column("mine/image:1", ""), Column("3.14", "3.14.1"), Column("3.15", "3.15.0")]
    ((pattern, _),) = group_by_pattern(columns, [Difference("a", ("passed", "passed", "failed", "failed"))])
    assert pattern == "fails on 3.14, 3.15"


def test_tests_that_are_skipped_everywhere() -> None:
    results = {
        "3.12": result("3.12", a="skipped", b="skipped", c="passed", d="skipped"),
        "3.13": result("3.13", a="skipped", b="passed", c="passed"),
        "3.99": result("3.99", None, problem="no such image"),
    }
    assert find_skipped_everywhere(results) == ("a",)
    assert find_skipped_everywhere({"3.99": results["3.99"]}) == ()


def test_nothing_differs_when_all_agree() -> None:
    assert find_differences({"3.12": result("3.12", a="failed"), "3.13": result("3.13", a="failed")}) == ()


def test_image_that_was_stopped_before_its_first_test_has_no_column() -> None:
    run = make_run("3.14")
    run.outcomes.update(dict.fromkeys("ab", NOT_RUN))
    images = {"3.12": result("3.12", a="failed", b="passed"), "3.14": run.result}
    assert [column.label for column in make_columns(images)] == ["3.12"]
    run.outcomes["a"] = "passed"
    assert [column.label for column in make_columns(images)] == ["3.12", "3.14"]
    assert [difference.nodeid for difference in find_differences(images)] == ["a"], "what it did not come to is none"
    assert run.result.not_run == 1
    run.outcomes["a"] = NOT_RUN
    images["3.14"] = replace(run.result, ended=True, problem="worker died")
    assert len(make_columns(images)) == 2, "it died: that is another matter"
