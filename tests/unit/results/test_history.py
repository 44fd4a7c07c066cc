"""What has changed between runs, by test and image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from pytest_pyimages.results.history import Change, find_changes, make_history, sort_runs
from pytest_pyimages.results.outcome import ImageResult
from tests.support.results import make_run

OUTCOMES = {".": "passed", "F": "failed", "E": "error", "s": "skipped", "x": "xfailed", "!": "not run", "-": ""}


@dataclass(frozen=True)
class FakeRun:
    started: float
    results: dict[str, ImageResult]
    exit_status: int = 0
    session: dict[str, str] = field(default_factory=dict)


def make_runs(letters: str, *, seconds: tuple[float, ...] = (), commits: str = "") -> list[FakeRun]:
    """Return a run for each letter, with one test on one image; each letter of ``commits`` is a commit."""
    runs = []
    for number, letter in enumerate(letters):
        image = make_run("3.12", ended=True)
        image.count("t.py::other", "passed")
        if letter != "-":
            image.outcomes["t.py::test"] = OUTCOMES[letter]
        if seconds:
            image.durations["t.py::test"] = seconds[number]
        session = {"commit": commits[number].replace("d", "dirty+").strip()} if commits else {}
        runs.append(FakeRun(number, {"3.12": image.result}, session=session))
    return runs


@pytest.mark.parametrize(
    ("letters", "kind"),
    [
        ("....F", "newly failing"),
        ("....E", "newly failing"),
        ("FFFF.", "newly passing"),
        ("FFFFx", "newly passing"),
        (".s-!F", "newly failing"),
        ("..F..", "flaky"),
        ("F.F.F", "flaky"),
        ("...F.", "flaky"),
        (".F.ss", "flaky"),
        (".FF.", "newly passing"),
        (".F!.", "flaky"),
        ("...s", "no longer run"),
        ("FFF!", "no longer run"),
        (".FFF", ""),
        ("...-", ""),
        ("..ss", ""),
        ("--F", ""),
        ("ssF", ""),
        ("FF", ""),
        ("FEF", ""),
        ("..", ""),
    ],
)
def test_kinds(letters: str, kind: str) -> None:
    assert [change.kind for change in find_changes(make_runs(letters))] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("letters", "commits", "kind"),
    [
        (".F", "aa", "flaky"),
        (".F", "ab", "newly failing"),
        (".F", "dd", "newly failing"),
        (".F", "  ", "newly failing"),
        ("F..", "aab", "flaky"),
    ],
)
def test_same_commit_with_another_result_is_flaky(letters: str, commits: str, kind: str) -> None:
    assert [change.kind for change in find_changes(make_runs(letters, commits=commits))] == [kind]


@pytest.mark.parametrize(
    ("seconds", "is_slower"),
    [
        pytest.param((0.2, 0.3, 0.1, 1.0), True, id="median"),
        pytest.param((0.2, 0.2, 9.0, 0.5), False, id="less than half a second more"),
        pytest.param((2.0, 2.0, 2.0, 3.0), False, id="less than twice"),
        pytest.param((0.0, 0.0, 0.0, 0.0), False, id="no time"),
    ],
)
def test_slower(seconds: tuple[float, ...], is_slower: bool) -> None:
    found = list(find_changes(make_runs("....", seconds=seconds)))
    assert found == (
        [Change(kind="slower", nodeid="t.py::test", label="3.12", outcomes=("passed",) * 4, before=0.2, now=1.0)]
        if is_slower
        else []
    )


def test_images_are_separate_and_may_come_and_go() -> None:
    first, second = make_runs(".F")
    changed = replace(second, results={"3.12": first.results["3.12"], "3.14": second.results["3.12"]})
    assert not list(find_changes([first, changed]))
    (change,) = find_changes([first, changed, replace(changed, results={"3.14": first.results["3.12"]})])
    assert (change.kind, change.label, change.outcomes) == ("newly passing", "3.14", ("", "failed", "passed"))


def test_runs_are_sorted_and_counted_once() -> None:
    first, second = make_runs(".F")
    assert sort_runs([second, first, second]) == [first, second]
    history = make_history([first, second])
    assert history["runs"][0] == {"started": 0, "commit": "", "exit_status": 0}
    assert history["changes"] == [
        {
            "kind": "newly failing",
            "nodeid": "t.py::test",
            "label": "3.12",
            "outcomes": ("passed", "failed"),
            "before": 0.0,
            "now": 0.0,
        }
    ]
