"""Remove the subtests of an attempt that is repeated: pytest-rerunfailures does so in its own process."""

from __future__ import annotations

import pytest

from pytest_pyimages.results.replay.image_run import ImageRun
from pytest_pyimages.results.reports import ALLOWED, SUBTEST, append_label

# The reporter's statistics from which pytest-rerunfailures removes them, and the category that an image counts.
_REMOVED = (("failed", "failed"), (ALLOWED, "failed"), ("subtests passed", "subtests passed"))


def remove_subtests(session: pytest.Session, run: ImageRun, nodeid: str) -> None:
    """Forget the outcomes of a test's subtests so far."""
    terminal = session.config.pluginmanager.getplugin("terminalreporter")
    if terminal is None:
        return
    labelled = append_label(nodeid, run.label)
    for category, counted in _REMOVED:
        reports = terminal.stats.get(category, [])
        left = [report for report in reports if not (getattr(report, SUBTEST, False) and report.nodeid == labelled)]
        number = len(reports) - len(left)
        if not number:
            continue
        run.counts[counted] -= number
        if left:
            terminal.stats[category] = left
        else:
            del terminal.stats[category]
        if category == "failed":
            session.testsfailed -= number
        if counted == "failed":
            run.outcomes.pop(nodeid, None)
            run.failures.pop(nodeid, None)
