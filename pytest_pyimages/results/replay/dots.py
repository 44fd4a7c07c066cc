"""Draw tests that passed as pytest's terminal reporter does, without calling hooks and flushing for each of them.

Six calls of hooks are most of what such a test costs here, and only the terminal reporter makes use of them.
"""

from __future__ import annotations

from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from pytest_pyimages.results.replay.progress import Progress

# The hooks, and the modules whose implementations do nothing for a passed test but draw it. The progress that a
# terminal shows in its window is updated by the tests that are replayed by hooks.
_DRAWING = {
    "pytest_runtest_logstart": ("_pytest.terminal", "_pytest.logging"),
    "pytest_runtest_logreport": ("_pytest.terminal", "_pytest.logging", "_pytest.main"),
    "pytest_runtest_logfinish": ("_pytest.terminal", "_pytest.logging"),
    "pytest_report_teststatus": ("_pytest.", "pytest_pyimages."),
}
_STYLES = (False, "progress", "count")  # of the progress at the end of a line; "times" reads the last report


class Dots:
    """Draws tests of the file whose line the terminal reporter is writing.

    :param terminal: pytest's own, whose private attributes are used as it does itself.
    """

    def __init__(self, terminal: Any, progress: Progress) -> None:
        self._terminal = terminal
        self._progress = progress
        self._expected = terminal._session.testscollected  # noqa: SLF001
        self._write = terminal._tw.write  # noqa: SLF001
        self._shows_progress = bool(terminal._show_progress_info)  # noqa: SLF001

    def draw(self, report: pytest.TestReport) -> bool:
        """Draw and count a test that passed; return whether that was done."""
        terminal = self._terminal
        passed = terminal.stats.get("passed")
        # The first changes the colour of the last line, too. With the last one, some versions of pytest write "[100%]".
        if passed is None or len(self._progress) + 1 >= self._expected:
            return False
        passed.append(report)
        self._progress.count()
        self._write(".", green=True)
        if self._shows_progress:
            terminal._write_progress_information_if_past_edge()  # noqa: SLF001
        return True

    def close(self) -> None:
        """Let all be seen."""
        self._terminal.flush()


def make_dots(config: pytest.Config, terminal: Any, progress: Progress) -> Dots | None:
    """Return what draws tests that passed; None if someone else hears of them, or they are drawn in another way.

    :param terminal: the plugin of that name; may be another one than pytest's.
    :param progress: which the reporter counts tests with.
    """
    if (
        type(terminal) is not TerminalReporter
        or terminal._show_progress_info not in _STYLES  # noqa: SLF001
        or getattr(terminal, "_progress_nodeids_reported", None) is not progress
        or not hasattr(terminal, "_write_progress_information_if_past_edge")  # since pytest 8.3
        or config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) > 0
    ):
        return None
    for name, modules in _DRAWING.items():
        for implementation in getattr(config.hook, name).get_hookimpls():
            if not implementation.function.__module__.startswith(modules):
                return None
    return Dots(terminal, progress)
