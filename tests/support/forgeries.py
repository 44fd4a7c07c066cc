"""Streams of records that no healthy worker sends; none of them may pass."""

from __future__ import annotations

from typing import Any

NODEIDS = tuple(f"test_a.py::test_{number}" for number in range(3))
HELLO = {
    "t": "hello",
    "v": 2,
    "python": "3.12.1",
    "pytest": "9.0.0",
    "rootdir": "/src",
    "inifile": "",
    "processes": 0,
}
ITEMS = {"t": "items", "items": [[nodeid, "test_a.py", 0, nodeid.partition("::")[2]] for nodeid in NODEIDS]}
COLLECTED = {"t": "collected", "count": 3, "deselected": 0}
END = {"t": "end", "status": 0, "unrun": 0, "reason": ""}
EXIT = {"t": "exit", "status": 0, "signal": None, "running": -1, "lingered": False}


def passes(index: int) -> bytes:
    return b'{"t":"pass","i":%d,"s":1700000000.250000,"d":[0.000100,0.002000,0.000300]}' % index


def phase(nodeid: str = NODEIDS[2], when: str = "call", outcome: str = "passed", **fields: Any) -> dict[str, Any]:
    """Return the record of a phase; ``fields`` replace what it would have."""
    failed = {"kind": "text", "text": "E   assert 0", "crash": ["/src/test_a.py", 7, "assert 0"]}
    return {
        "t": "report",
        "id": nodeid,
        "location": ["test_a.py", 0, nodeid.partition("::")[2]],
        "when": when,
        "outcome": outcome,
        "status": [outcome, outcome[:1], outcome.upper()] if when == "call" or outcome != "passed" else ["", "", ""],
        "start": 1700000000.0,
        "duration": 0.1,
        "wasxfail": None,
        "properties": [],
        "sections": [],
        "longrepr": failed if outcome == "failed" else {"kind": "none"},
        "subtest": False,
        **fields,
    }


GREEN = (HELLO, ITEMS, COLLECTED, passes(0), passes(1), passes(2), END, EXIT)
START, FINISH = GREEN[:3], (END, EXIT)
TWO = (passes(0), passes(1))

# By the rule that they break.
FORGERIES: dict[str, tuple[object, ...]] = {
    "nothing reported": (*START, *FINISH),
    "one twice, one never": (*START, passes(0), passes(1), passes(1), *FINISH),
    "one is only set up": (*START, *TWO, phase(when="setup"), *FINISH),
    "one without a call": (*START, *TWO, phase(when="setup"), phase(when="teardown"), *FINISH),
    "a lingering process that is none": (*START, *TWO, passes(2), END, {**EXIT, "lingered": 1}),
    "a wrong total": (HELLO, ITEMS, {**COLLECTED, "count": 9}, *TWO, passes(2), *FINISH),
    "no hello": GREEN[1:],
    "two hellos": (HELLO, *GREEN),
    "no items": (HELLO, COLLECTED, *FINISH),
    "no items and no total": (HELLO, *FINISH),
    "nothing but an end": FINISH,
    "no total": (HELLO, ITEMS, *TWO, passes(2), *FINISH),
    "more deselected tests than memory": (HELLO, ITEMS, {**COLLECTED, "deselected": 10**9}, *TWO, passes(2), *FINISH),
    "two totals": (*START, COLLECTED, *TWO, passes(2), *FINISH),
    "a test before the total": (HELLO, ITEMS, passes(0), COLLECTED, passes(1), passes(2), *FINISH),
    "a test that was not collected": (*START, *TWO, phase("test_b.py::test_other"), *FINISH),
    "a test after the end": (*START, *TWO, END, passes(2), EXIT),
    "two ends": (*START, *TWO, passes(2), END, END, EXIT),
    "no end": (*START, *TWO, passes(2), EXIT),
    "no exit": (*START, *TWO, passes(2), END),
    "something after the exit": (*GREEN, passes(0)),
    "passed with the status failed": (*START, *TWO, phase(status=["failed", "F", "FAILED"]), *FINISH),
    "passed with the status error": (*START, *TWO, phase(status=["error", "E", "ERROR"]), *FINISH),
    "an unknown outcome": (*START, *TWO, phase(outcome="exploded"), *FINISH),
    "an unknown outcome, then a teardown": (*START, *TWO, phase(outcome="exploded"), phase(when="teardown"), *FINISH),
    "an unknown phase": (*START, *TWO, phase(when="dream"), *FINISH),
    "only subtests": (*START, *TWO, phase(subtest=True), *FINISH),
    "a rerun without an end": (*START, *TWO, phase(outcome="rerun"), *FINISH),
    "unrun without a reason": (*START, *TWO, {**END, "unrun": 1}, EXIT),
    "a wrong number of unrun": (*START, *TWO, {**END, "unrun": 2, "reason": "stopping"}, EXIT),
    "unrun, but all have run": (*START, *TWO, passes(2), {**END, "unrun": 1, "reason": "stopping"}, EXIT),
    "an index that is too high": (*START, *TWO, passes(3), *FINISH),
    "a process that ended otherwise": (*START, *TWO, passes(2), END, {**EXIT, "status": 1}),
    "a process that died": (*START, *TWO, passes(2), END, {**EXIT, "status": None, "signal": 11}),
    "another protocol": ({**HELLO, "v": 1}, *GREEN[1:]),
    "a record of the coverage report": (
        *START,
        *TWO,
        passes(2),
        {"t": "covered", "total": 1, "failed": False, "unusable": []},
        *FINISH,
    ),
    "a missing source after the tests": (*START, *TWO, passes(2), {"t": "nosource", "path": "/src/a"}),
}
