"""A terminal reporter that prints nothing."""

from __future__ import absolute_import, print_function

import sys

import pytest
from _pytest.config import create_terminal_writer
from _pytest.terminal import TerminalReporter


class Written(object):
    """A file that keeps the text that is written to it; on Python 2 that may be bytes."""

    encoding = "utf-8"

    def __init__(self):
        self.pieces = []

    def write(self, text):
        self.pieces.append(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)

    def flush(self):
        """Do nothing: everything is kept."""

    def isatty(self):
        return False


class Silent(TerminalReporter):
    """Prints nothing, and keeps the state that plugins read from a terminal reporter."""

    say = None  # called with the summaries that plugins print

    def pytest_runtest_logreport(self, report):
        if report.outcome != "passed":
            status = self.config.hook.pytest_report_teststatus(report=report, config=self.config)
            self.stats.setdefault(status[0] if status else "", []).append(report)
        elif report.when == "call":
            self.stats.setdefault("passed", []).append(report)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_sessionfinish(self, session, exitstatus):
        outcome = yield
        outcome.get_result()
        # Summaries of plugins may do more than print, so they are called in any case.
        written = Written()
        self._tw = self.writer = create_terminal_writer(self.config, written)
        self.config.hook.pytest_terminal_summary(terminalreporter=self, exitstatus=exitstatus, config=self.config)
        if not getattr(self.config.option, "no_summary", False):
            self.say("".join(written.pieces))


def _nothing(self):
    return None


for _name in dir(TerminalReporter):
    if _name.startswith("pytest_") and _name not in Silent.__dict__:
        setattr(Silent, _name, _nothing)


def silence_terminal(config, say):
    """Replace pytest's terminal reporter with one that prints nothing: the host prints, once.

    It stays registered, since assertion rewriting and many plugins use it. What plugins print with it goes where the
    suite's own output goes; their summaries are passed to ``say``, as one text.
    """
    current = config.pluginmanager.getplugin("terminalreporter")
    if current is None or isinstance(current, Silent):
        return
    silent = Silent(config, sys.stdout)
    silent.say = say
    # A conftest may read these before anything was reported.
    for name in ("_session", "_sessionstarttime", "_session_start", "startdir", "startpath"):
        if hasattr(current, name):
            try:
                setattr(silent, name, getattr(current, name))
            except AttributeError:  # a read-only property on some versions
                continue
    config.pluginmanager.unregister(current)
    config.pluginmanager.register(silent, "terminalreporter")
