"""What the worker sends of a report."""

from __future__ import annotations

import json
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

RECORDS: Any = import_module("pytest_pyimages.inside.worker.records")  # without annotations, for Python 2.7


@pytest.mark.parametrize(
    ("chain", "expected"),
    [((), {"reprtraceback": {}, "chain": None}), (("cause", "error"), {"reprtraceback": {}})],
    ids=["one error", "with its cause"],
)
def test_failures_of_pytest_4_are_drawn_by_a_newer_one(chain: tuple[str, ...], expected: dict[str, Any]) -> None:
    """Its trees have no chain, which newer versions look for; those with causes are shown as text."""
    report = SimpleNamespace(
        longrepr=SimpleNamespace(reprtraceback=None, chain=chain),
        longreprtext="text",
        _to_json=lambda: {"longrepr": {"reprtraceback": {}}},
    )
    assert RECORDS.describe_longrepr(report) == {"kind": "tree", "text": "text", "tree": expected}


class Odd:
    """What a hook of a suite may leave in a report."""

    def __str__(self) -> str:
        raise RuntimeError

    def __repr__(self) -> str:  # in the tests' ids
        return "odd"


def make_report(**attributes: Any) -> Any:
    values: dict[str, Any] = {
        "nodeid": "a.py::TestA::test_a[1]",
        "location": ("a.py", 3, "TestA.test_a[1]"),
        "longrepr": None,
    }
    values |= {"when": "call", "outcome": "failed", "sections": [], "user_properties": []}
    return SimpleNamespace(**{**values, **attributes})


def describe(report: Any) -> dict[str, Any]:
    record: dict[str, Any] = RECORDS.describe_report(report.nodeid, report, ("failed", "F", ("FAILED", {})), True)
    return record


def test_a_report_s_record() -> None:
    record = describe(make_report(start=1.5, duration=2, wasxfail="reason"))
    assert record["status"] == ["failed", "F", "FAILED"]
    assert (record["shown"], record["location"], record["wasxfail"]) == (None, ["a.py", 3, "TestA.test_a[1]"], "reason")
    assert (record["start"], record["duration"], record["longrepr"]) == (1.5, 2.0, {"kind": "none"})


@pytest.mark.parametrize(
    ("attributes", "key", "expected"),
    [
        ({"start": float("nan")}, "start", 0.0),
        ({"duration": "long"}, "duration", 0.0),
        ({"location": None}, "location", ["a.py", None, "a.py::TestA::test_a[1]"]),
        ({"location": ("a.py", "3", "a.py")}, "location", ["a.py", None, "TestA.test_a[1]"]),
        ({"location": (Odd(), 1, "test_a")}, "location", ["<Odd that cannot be shown>", 1, "test_a"]),
        ({"user_properties": [("a", 1), "b"]}, "properties", [["a", 1], ["property", "b"]]),
        ({"user_properties": [(1, 2, 3)]}, "properties", [["property", [1, 2, 3]]]),
        ({"user_properties": "alone"}, "properties", [["property", "alone"]]),
        ({"sections": [("Captured", Odd())]}, "sections", [["Captured", "<Odd that cannot be shown>"]]),
        ({"sections": None}, "sections", []),
        ({"longrepr": ("a", 7, "why")}, "longrepr", {"kind": "skip", "path": "a", "line": 7, "reason": "why"}),
        ({"longrepr": Odd()}, "longrepr", {"kind": "text", "text": "<Odd that cannot be shown>"}),
    ],
    ids=str,
)
def test_reports_may_have_anything_in_them(attributes: dict[str, Any], key: str, expected: object) -> None:
    assert describe(make_report(**attributes))[key] == expected


def test_values_are_those_of_json() -> None:
    deep: list[Any] = []
    for _ in range(30):
        deep = [deep]
    simplified = RECORDS.simplify({1: [True, None, 1.5, float("inf"), 1 << 60, {2}], "deep": deep})
    assert simplified["1"] == [True, None, 1.5, "inf", str(1 << 60), "{2}"]
    assert json.loads(json.dumps(simplified)) == simplified


def test_a_process_s_name_is_not_in_the_text() -> None:
    """Pytest adds xdist's process to the text, which the host would show twice."""
    report = make_report(longrepr="text", node="gw1")
    report.longreprtext = "text"
    report.pyimages_traceback = "in full"
    report.longrepr = SimpleNamespace(reprcrash=SimpleNamespace(path="a.py", lineno=4, message="assert 0"))
    longrepr = RECORDS.describe_longrepr(report)
    assert longrepr == {"kind": "text", "text": "text", "whole": "in full", "crash": ["a.py", 4, "assert 0"]}
    assert report.node == "gw1"


def test_a_tree_that_pytest_cannot_express_is_a_text() -> None:
    report = make_report(longrepr=SimpleNamespace(reprtraceback=None), longreprtext="text")
    assert RECORDS.describe_longrepr(report) == {"kind": "text", "text": "text"}


HUGE = "\u00e4" * (RECORDS.MAX_RECORD // 6)


@pytest.mark.parametrize(
    ("longrepr", "kind", "key"),
    [
        ({"kind": "tree", "text": HUGE, "tree": {"chain": HUGE}}, "text", "text"),
        ({"kind": "skip", "reason": HUGE}, "skip", "reason"),
    ],
    ids=["tree", "skip"],
)
def test_long_reports_are_shortened(longrepr: dict[str, Any], kind: str, key: str) -> None:
    """First they lose what draws the traceback; in the end only both ends of each text are left."""
    report = make_report(sections=[("Captured stdout", HUGE)] * 200, wasxfail=HUGE)
    text = RECORDS.encode_report({**describe(report), "longrepr": longrepr}, report)
    assert len(text) <= RECORDS.MAX_RECORD
    sent = json.loads(text)
    assert sent["longrepr"]["kind"] == kind
    assert "characters left out" in sent["longrepr"][key]
    assert len(sent["sections"]) <= 100
    assert sent["properties"] == []


def test_short_reports_are_sent_as_they_are() -> None:
    report = make_report()
    record = describe(report)
    assert json.loads(RECORDS.encode_report(record, report)) == record
