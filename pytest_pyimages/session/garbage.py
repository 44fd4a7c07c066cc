"""Collect garbage seldom while reports are replayed, and not at the end, which pytest and Python do three times.

Reports are many, live to the end and hold no cycles. Collecting as often as usual costs a fifth of a large suite's
time; at the end it takes 0.15 s after a single test, and finds nothing of ours.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Generator

import pytest

THRESHOLDS = (50_000, 50, 100)


class GarbageCollection:
    """The plugin of a session that keeps Python from collecting garbage."""

    def register(self, config: pytest.Config) -> None:
        config.add_cleanup(gc.unfreeze)  # a program may go on after pytest.main
        atexit.register(gc.freeze)
        config.pluginmanager.register(self, "pyimages-garbage")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        thresholds = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        try:
            return (yield)
        finally:
            gc.set_threshold(*thresholds)

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        gc.freeze()
