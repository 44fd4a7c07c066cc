"""After pytest, the suite's processes have time of their own, whatever the clock says."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

MODULE: Any = import_module("pytest_pyimages.inside.worker.limits")  # without annotations, for Python 2.7


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, bool], None]:
    """Return a function that sets the processor time and whether all threads wait."""

    def work(used: float, is_waiting: bool) -> None:
        monkeypatch.setattr(MODULE, "measure_work", lambda: (used, is_waiting))

    work(5.0, True)
    return work


def test_idle_processes_have_half_a_minute(work: Callable[[float, bool], None]) -> None:
    patience = MODULE.Patience(100.0)
    assert not patience.is_exhausted(129.0)
    assert patience.is_exhausted(131.0)


def test_slow_progress_is_progress(work: Callable[[float, bool], None]) -> None:
    patience = MODULE.Patience(100.0)
    for minute in range(1, 100):
        work(5.0 + minute / 100, True)
        assert not patience.is_exhausted(100.0 + 60 * minute)


def test_processes_that_get_no_processor_are_not_idle(work: Callable[[float, bool], None]) -> None:
    work(5.0, False)
    patience = MODULE.Patience(100.0)
    assert not patience.is_exhausted(1000.0)


def test_busy_processes_have_two_minutes_of_processor_time(work: Callable[[float, bool], None]) -> None:
    patience = MODULE.Patience(100.0)
    work(124.0, False)
    assert not patience.is_exhausted(1000.0)
    work(126.0, False)
    assert patience.is_exhausted(1001.5)
