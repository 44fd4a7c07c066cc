"""Let pytest's own terminal reporter run without being seen: the host draws, once."""

from __future__ import absolute_import, print_function

import sys

import pytest
from _pytest import runner
from _pytest.junitxml import LogXML
from _pytest.reports import TestReport
from _pytest.terminal import TerminalReporter

# What pytest's own reporter draws at the end without changing its state; thousands of failures take it minutes.
DRAWN = (
    "summary_errors",
    "summary_failures",
    "summary_xfailures",
    "summary_passes",
    "summary_xpasses",
    "short_test_summary",
)


class Output(object):
    """The file of a terminal reporter: drops what the reporter draws, and passes on or keeps what plugins write."""

    def __init__(self, file, prints):
        self.file = file
        self.prints = prints  # whether the reporter also prints to sys.stdout, as those of some plugins do
        self.muted = 0  # how many hooks of the reporter are being called
        self.kept = None  # texts of a summary; None while text is passed on
        self.is_line_open = False  # whether the reporter's last text did not end its line

    def write(self, text):
        if self.muted:
            self.is_line_open = text[-1:] != "\n"
            return
        if self.is_line_open and text[:1] == "\n":
            text = text[1:]  # it ends a line that nobody sees
        self.is_line_open = False
        if self.kept is None:
            self.file.write(text)
        else:  # on Python 2, text may be bytes
            self.kept.append(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)

    def flush(self):
        if not self.muted:
            self.file.flush()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def mute(self, function):
        """Return a function during whose calls text is dropped."""

        def call(*args):
            stdout = sys.stdout
            self.muted += 1
            if self.prints:
                sys.stdout = self
            try:
                return function(*args)
            finally:
                self.muted -= 1
                if self.prints:
                    sys.stdout = stdout

        return call

    def leave_out(self, function):
        """Return a function that does nothing while it would not be seen."""

        def call(*args):
            return None if self.muted else function(*args)

        return call


class MutedWrapper(object):
    """The generator of a hook wrapper whose own code is muted, but not the hooks that it wraps."""

    def __init__(self, generator, output):
        self.generator = generator
        self.send = output.mute(generator.send)
        self.throw = output.mute(generator.throw)
        self.close = generator.close

    def __next__(self):
        return self.send(None)

    next = __next__  # Python 2

    def __getattr__(self, name):
        return getattr(self.generator, name)


class Silencer(object):
    """Silences each terminal reporter when it is registered: pytest's own, and those that plugins replace it with.

    It stays the very object, and all its hooks are called, since plugins and conftests read its state.

    :param say: called with the text of the summaries that plugins write.
    """

    def __init__(self, say):
        self.say = say
        self.outputs = []

    def pytest_plugin_registered(self, plugin, manager):
        if isinstance(plugin, TerminalReporter):
            output = plugin._tw._file = Output(plugin._tw._file, type(plugin) is not TerminalReporter)
            self.outputs.append(output)
            if type(plugin) is TerminalReporter:
                for name in DRAWN:
                    if hasattr(plugin, name):
                        setattr(plugin, name, output.leave_out(getattr(plugin, name)))
            for hook, implementation in list_implementations(plugin, manager):
                mute_implementation(implementation, output)
                if hook == "pytest_runtest_logreport" and type(plugin) is TerminalReporter:
                    implementation.function = count_phases(plugin, implementation.function)
        elif plugin is runner or isinstance(plugin, LogXML):
            for hook, implementation in list_implementations(plugin, manager):
                if hook == "pytest_terminal_summary":  # the host writes the slowest durations, and the junit file
                    implementation.function = lambda *args: None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        # The hook wrapper that is registered last is the outermost.
        session.config.pluginmanager.register(SummaryKeeper(self.outputs, self.say))


def list_implementations(plugin, manager):
    """Return the hooks that a plugin implements: pairs of a name and pluggy's object."""
    return [
        (caller.name, implementation)
        for caller in manager.get_hookcallers(plugin)
        for implementation in caller.get_hookimpls()
        if implementation.plugin is plugin
    ]


def mute_implementation(implementation, output):
    function = implementation.function
    if implementation.hookwrapper or getattr(implementation, "wrapper", False):
        implementation.function = lambda *args: MutedWrapper(function(*args), output)
    else:
        implementation.function = output.mute(function)


def count_phases(reporter, log):
    """Return a function that only counts setups and teardowns that passed: a reporter draws nothing for them.

    They are two thirds of all reports, and pytest asks each time, by a hook, how one is to be drawn.

    :param log: what pytest calls for each report.
    """
    statuses = reporter.config.hook.pytest_report_teststatus
    known = []  # how many implementations that hook had when all of them were pytest's own

    def call(report):
        is_undrawn = report.when != "call" and report.outcome == "passed" and type(report) is TestReport
        if is_undrawn and not hasattr(report, "wasxfail") and "" in reporter.stats:  # the first may change more
            implementations = statuses.get_hookimpls()
            if known != [len(implementations)]:
                known[:] = [len(implementations)] if all(map(is_own, implementations)) else []
            if known:
                reporter._tests_ran = True
                reporter.stats[""].append(report)
                return
        log(report)

    return call


def is_own(implementation):
    return implementation.function.__module__.startswith("_pytest.")


class SummaryKeeper(object):
    """Keeps what plugins write as pytest's terminal summary."""

    def __init__(self, outputs, say):
        self.outputs = outputs
        self.say = say

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_terminal_summary(self):
        # The reporter calls this hook while it is muted itself.
        before = [output.muted for output in self.outputs]
        kept = []
        for output in self.outputs:
            output.muted, output.kept = 0, kept
        yield
        for output, muted in zip(self.outputs, before):
            output.muted, output.kept = muted, None
        self.say("".join(kept))
