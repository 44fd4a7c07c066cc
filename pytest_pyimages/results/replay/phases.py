"""Setups and teardowns that passed: two thirds of the reports of a large suite, and hardly ever shown."""

from __future__ import annotations

import math

import pytest


def needs_every_phase(config: pytest.Config) -> bool:
    """Return whether a listener may use the reports of setups and teardowns that passed.

    Of pytest's own listeners only junit and --durations do. Each such report costs two rounds of hooks.
    """
    if config.getoption("durations", None) is not None or config.getoption("xmlpath", None):
        return True
    listeners = config.hook.pytest_runtest_logreport.get_hookimpls()
    return any(not implementation.function.__module__.startswith("_pytest.") for implementation in listeners)


class KeptPhases:
    """Limits what the terminal reporter keeps of these phases: all of them would take most of the memory."""

    def __init__(self, config: pytest.Config, terminal: pytest.TerminalReporter | None) -> None:
        self._terminal = terminal
        slowest = config.getoption("durations", None)
        least = config.getoption("durations_min", None)
        if least is None:  # pytest's default
            least = 0.005 if config.getoption("verbose", 0) < 2 else 0.0
        # How many are shown among the slowest, and from how many seconds on.
        self._shown: float = 0 if slowest is None else slowest or math.inf
        self._least: float = math.inf if slowest is None else least

    def forget(self, report: pytest.TestReport) -> None:
        """Remove the last phase if it will not be shown."""
        kept = [] if self._terminal is None else self._terminal.stats.get("", [])
        if kept and kept[-1] is report and len(kept) > self._shown and report.duration < self._least:
            del kept[-1]
