"""Subtests of an attempt that is made again: pytest-rerunfailures takes them back, so the host does."""

from __future__ import annotations

import pytest

from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.reports import ALLOWED, SUBTEST, append_label

# Where the terminal has what pytest-rerunfailures takes out of its statistics, and as what an image counts it.
_TAKEN_BACK = (("failed", "failed"), (ALLOWED, "failed"), ("subtests passed", "subtests passed"))


def remove_subtests(session: pytest.Session, result: ImageResult, nodeid: str) -> None:
    """Forget how the subtests of a test have come out so far."""
    terminal = session.config.pluginmanager.getplugin("terminalreporter")
    if terminal is None:
        return
    shown = append_label(nodeid, result.label)
    for category, counted in _TAKEN_BACK:
        reports = terminal.stats.get(category, [])
        left = [report for report in reports if not (getattr(report, SUBTEST, False) and report.nodeid == shown)]
        number = len(reports) - len(left)
        if not number:
            continue
        result.counts[counted] -= number
        if left:
            terminal.stats[category] = left
        else:
            del terminal.stats[category]
        if category == "failed":
            session.testsfailed -= number
        if counted == "failed":
            result.outcomes.pop(nodeid, None)
            result.failures.pop(nodeid, None)
