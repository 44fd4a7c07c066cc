"""The setups and teardowns that passed: most of the reports of a large suite, and hardly ever looked at."""

from __future__ import annotations

import math

import pytest


def needs_every_phase(config: pytest.Config) -> bool:
    """Whether anybody makes something of a setup or teardown that passed.

    Of pytest's own listeners only junit and --durations do; what others do with it nobody knows. Two thirds of the
    reports of a large suite are such phases, and each costs two rounds of hooks.
    """
    if config.getoption("durations", None) is not None or config.getoption("xmlpath", None):
        return True
    listeners = config.hook.pytest_runtest_logreport.get_hookimpls()
    return any(not implementation.function.__module__.startswith("_pytest.") for implementation in listeners)


class KeptPhases:
    """What the terminal keeps of them until the end, which takes most of the memory if it is all."""

    def __init__(self, config: pytest.Config, terminal: pytest.TerminalReporter | None) -> None:
        self._terminal = terminal
        slowest = config.getoption("durations", None)
        least = config.getoption("durations_min", None)
        if least is None:  # as pytest has it
            least = 0.005 if config.getoption("verbose", 0) < 2 else 0.0
        # How many are shown among the slowest, and from how many seconds on.
        self._shown: float = 0 if slowest is None else slowest or math.inf
        self._least: float = math.inf if slowest is None else least

    def forget(self, report: pytest.TestReport) -> None:
        """Take the last one away if it will not be shown."""
        kept = [] if self._terminal is None else self._terminal.stats.get("", [])
        if kept and kept[-1] is report and len(kept) > self._shown and report.duration < self._least:
            del kept[-1]
