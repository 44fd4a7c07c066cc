"""Phases of tests that run at the same time."""

from __future__ import annotations

from pytest_pyimages.results.replay.interleaved import Interleaved
from pytest_pyimages.runs.events import LongRepr, Report


def phase(nodeid: str, when: str) -> Report:
    return Report(
        nodeid=nodeid,
        location=("test_it.py", None, nodeid),
        when=when,
        outcome="passed",
        status=("", "", ""),
        start=0.0,
        duration=0.0,
        wasxfail=None,
        properties=(),
        sections=(),
        longrepr=LongRepr("none"),
    )


def test_phases_are_joined_at_the_last_one() -> None:
    interleaved = Interleaved()
    sent = [("a", "setup"), ("b", "setup"), ("a", "call"), ("b", "teardown"), ("a", "teardown")]
    shown = [each for nodeid, when in sent for each in interleaved.add_phase(phase(nodeid, when))]
    assert [(each.nodeid, each.when) for each in shown] == [
        ("b", "setup"),
        ("b", "teardown"),
        ("a", "setup"),
        ("a", "call"),
        ("a", "teardown"),
    ]
    assert list(interleaved.take_unfinished()) == []


def test_crash_ends_a_test_in_its_call_phase() -> None:
    interleaved = Interleaved()
    assert list(interleaved.add_phase(phase("a", "setup"))) == []
    assert [each.when for each in interleaved.add_phase(phase("a", "???"))] == ["setup", "call"]


def test_unfinished_tests_come_last() -> None:
    interleaved = Interleaved()
    for nodeid, when in (("a", "setup"), ("b", "setup"), ("a", "call")):
        assert list(interleaved.add_phase(phase(nodeid, when))) == []
    assert [(each.nodeid, each.when) for each in interleaved.take_unfinished()] == [
        ("a", "setup"),
        ("a", "call"),
        ("b", "setup"),
    ]
    assert list(interleaved.take_unfinished()) == []
