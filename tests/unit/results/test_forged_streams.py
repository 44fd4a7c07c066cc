"""Forged streams, from the engine to the exit status: none of them passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack.streams import run_stream
from tests.support.forgeries import FORGERIES, GREEN, NODEIDS, TWO, phase


def test_a_green_stream_passes(tmp_path: Path) -> None:
    result, status, hooks = run_stream(tmp_path, GREEN)
    assert (result.outcome, status, result.counts["passed"]) == ("passed", 0, 3)
    assert len(hooks.named("pytest_runtest_logreport")) == 3


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_stream_is_an_error_of_its_image(tmp_path: Path, name: str) -> None:
    result, status, hooks = run_stream(tmp_path, FORGERIES[name])
    assert (result.outcome, status) == ("error", 1), result.problem
    assert len(result.problem.splitlines()) == 1
    (report,) = (call["report"] for call in hooks.named("pytest_collectreport"))
    assert report.failed


def test_a_test_that_was_repeated_passes(tmp_path: Path) -> None:
    """Plugins repeat tests; all have a result."""
    result, status, _ = run_stream(tmp_path, (*GREEN[:3], *TWO, *TWO, phase(outcome="rerun"), phase(), *GREEN[-2:]))
    assert (result.outcome, status) == ("passed", 0)
    assert result.outcomes == dict.fromkeys(NODEIDS, "passed")
