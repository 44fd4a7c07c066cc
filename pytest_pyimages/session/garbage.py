"""Collect garbage seldom during a session, and not at the end, which pytest and Python do three times.

Imported modules and reports are many, live to the end and hold no cycles. Collecting as often as usual costs a fifth of
a large suite's time, and a tenth of a small one's; at the end it takes 0.15 s after a single test, and finds nothing of
ours.
"""

from __future__ import annotations

import atexit
import gc

import pytest

from pytest_pyimages.startup import collect_garbage_as_usual, collect_garbage_seldom


class GarbageCollection:
    """The plugin of a session that keeps Python from collecting garbage."""

    def register(self, config: pytest.Config) -> None:
        collect_garbage_seldom()  # if it has not been called when pytest started
        config.add_cleanup(collect_garbage_as_usual)  # a program may go on after pytest.main
        config.add_cleanup(gc.unfreeze)
        atexit.register(gc.freeze)
        config.pluginmanager.register(self, "pyimages-garbage")

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        gc.freeze()
