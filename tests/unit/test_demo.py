from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tools.demo import EXAMPLES, IMAGES, NO_REPORT, Example, unexpected

CALENDAR = EXAMPLES[-1]


def report_of(example: Example) -> dict[str, Any]:
    """Return the report that an example is expected to give."""
    return {
        "images": [
            {"label": label, "counts": {"error": 0, **example.counts[label]}, "problem": ""} for label in IMAGES
        ],
        "tests": [
            {"nodeid": "tests/test_a.py::test_same", "outcomes": dict.fromkeys(IMAGES, "passed")},
            *(
                {"nodeid": nodeid, "outcomes": dict(zip(IMAGES, each, strict=True))}
                for nodeid, each in example.differences.items()
            ),
        ],
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_what_is_expected_is_as_expected(example: Example) -> None:
    assert unexpected(example, example.exit_status, report_of(example)) == []


def test_another_exit_status_is_seen() -> None:
    assert unexpected(CALENDAR, 0, report_of(CALENDAR)) == ["exit status 0, not 1"]


def test_a_run_without_a_report_is_seen() -> None:
    assert unexpected(CALENDAR, 1, NO_REPORT)[:2] == ["no result of 3.12", "no result of 3.14-slim"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda report: report["images"][1].update(problem="worker died of SIGSEGV"),
            "3.14-slim: worker died of SIGSEGV",
        ),
        (lambda report: report["images"][0]["counts"].update(failed=1), "3.12: {'passed': 7"),
        (lambda report: report["tests"][0]["outcomes"].update({"3.12": "failed"}), "differences {"),
        (lambda report: report["tests"].pop(), "differences {"),
    ],
    ids=["problem", "counts", "one-more-difference", "one-less-difference"],
)
def test_another_result_is_seen(change: Callable[[dict[str, Any]], object], said: str) -> None:
    report = copy.deepcopy(report_of(CALENDAR))
    change(report)
    assert [line for line in unexpected(CALENDAR, 1, report) if line.startswith(said)] != []
