"""Write report files and the terminal summary once all images have ended."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest
from _pytest._code.code import ReprFileLocation
from _pytest._io import TerminalWriter

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import Settings, has_debugger
from pytest_pyimages.results import ImageResult
from pytest_pyimages.runs.events import Interrupted
from pytest_pyimages.session.header import NO_BREAKPOINTS
from pytest_pyimages.text import suggest

if TYPE_CHECKING:
    from pytest_pyimages.results import JobReport


def get_verbosity(config: pytest.Config) -> int:
    """Return pytest's verbosity; 0 without its terminal plugin, which defines the option."""
    return int(config.getoption("verbose", 0))  # get_verbosity of pytest 8 fails there


def hide_place(config: pytest.Config, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Let pytest's terminal not name the line of this plugin, or of Python, that Ctrl-C has interrupted on the host."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    shown = getattr(terminal, "_keyboardinterrupt_memo", None)
    if (
        shown is not None
        and excinfo.errisinstance(KeyboardInterrupt)
        and not config.getoption("fulltrace", default=False)
    ):
        shown.reprcrash = _Interrupt("", 0, shown.reprcrash.message)


class _Interrupt(ReprFileLocation):
    def toterminal(self, tw: TerminalWriter) -> None:
        """Write nothing."""


def describe_interrupted(places: Mapping[str, Interrupted], activities: Mapping[str, str]) -> list[str]:
    """Return a note on each image: where Ctrl-C has stopped its suite, or which test it had not ended.

    :param activities: of the images that had not ended, by label; an empty text if no test was running.
    """
    notes = []
    for label, activity in activities.items():
        event = places.get(label)
        if event is not None:
            notes.append(f"{label}: interrupted in {event.nodeid or 'pytest'}, at {event.place}")
        elif activity:
            notes.append(f"{label}: interrupted in {activity}")
    return notes


class SessionEnding:
    """Collects notes during a session and writes its reports and its summary.

    :param left_out: labels of requested images that are not part of the session.
    :raises ConfigurationError: if the baseline is not one of the images, or a file that cannot be read.
    """

    def __init__(
        self, config: pytest.Config, settings: Settings, results: Mapping[str, ImageResult], *, left_out: Sequence[str]
    ) -> None:
        self.notes = [NO_BREAKPOINTS] if has_debugger() else []
        self._config = config
        self._settings = settings
        self._results = results
        self._report: JobReport | None = None
        self._baseline = settings.baseline
        if _is_first_run(settings):
            self._baseline = ""
            self.notes.append(
                f"{settings.baseline} does not exist yet, and is written by this run: nothing is compared"
            )
        elif settings.baseline.endswith(".json"):
            self._report = _read_earlier(settings)
        else:
            self._baseline = _baseline(settings, list(results), left_out=left_out)
        self._earlier = None if self._report is None else self._report.results
        self._started = time.time()
        self._annotations: tuple[str, ...] = ()  # for GitHub

    def write_files(self, exit_status: int) -> bool:
        """Write the report files; return whether all could be written. A problem becomes a note."""
        from pytest_pyimages.results import find_foreign, make_document, write_reports

        hook = self._config.hook.pytest_pyimages_report
        document = make_document(
            self._results,
            exit_status=exit_status,
            started=self._started,
            ended=time.time(),
            is_changed=bool(find_foreign(hook)),
        )
        if self.notes:
            document["notes"] = list(self.notes)
        hook(document=document)
        if self._report is not None:
            from pytest_pyimages.results import compare_with_report

            document["history"] = compare_with_report(self._report, document, self._results)
        problems = write_reports(self._settings.reports, document)
        if self._settings.github:
            from pytest_pyimages.results import report_to_github

            rootdir = self._settings.invocation.rootdir
            self._annotations, problem = report_to_github(document, rootdir=rootdir, environ=os.environ)
            problems += [problem] if problem else []
        self.notes += problems
        return not problems

    def write(self, terminal: pytest.TerminalReporter, further_notes: Sequence[str]) -> None:
        """Write the summary section, shorter with -q."""
        if self._annotations:
            from pytest_pyimages.results import allow_commands

            with allow_commands(terminal):
                for line in self._annotations:
                    terminal.write_line(line)
        if any(result.output or result.summary for result in self._results.values()):
            from pytest_pyimages.results import write_summaries

            write_summaries(terminal, self._results.values())
        notes = [*self.notes, *further_notes]
        verbosity, collect_only = get_verbosity(self._config), self._settings.collect_only
        is_well = not any(result.failed or result.stopped for result in self._results.values())
        if verbosity < 0 and not notes and is_well:
            if verbosity == -1 and not collect_only:
                from pytest_pyimages.results import summarize_images

                terminal.write_line(f"py-images: {summarize_images(list(self._results.values()))}")
            return
        from pytest_pyimages.results import write_summary
        from pytest_pyimages.session.rerun import make_shell_command, rerun_commands

        has_cache = getattr(self._config, "cache", None) is not None
        is_brief = verbosity < 0 or collect_only
        again = () if is_brief else rerun_commands(self._settings, self._results, has_cache=has_cache)
        worse = () if collect_only else tuple(self._regressions(is_quiet=verbosity < 0))
        write_summary(terminal, self._results, collect_only=collect_only, notes=notes, worse=worse, again=again)
        shell = "" if is_brief else make_shell_command(self._settings, self._results)
        if shell:
            terminal.write_line(f" a shell there: {shell}")

    def _regressions(self, *, is_quiet: bool) -> Iterator[str]:
        from pytest_pyimages.results import format_new_warnings, format_regressions

        if self._baseline:
            yield from format_regressions(self._results, self._baseline, self._earlier)
        if not is_quiet:
            yield from format_new_warnings(self._results)


def _is_first_run(settings: Settings) -> bool:
    """Return whether the baseline is a report that this run writes, as in CI, and that no earlier run has written."""
    path = settings.invocation.cwd / settings.baseline
    return path.suffix == ".json" and path in settings.reports and not path.exists()


def _read_earlier(settings: Settings) -> JobReport:
    """Return the earlier run whose report file is the baseline.

    :raises ConfigurationError: if it cannot be read.
    """
    from pytest_pyimages.results import read_report

    path = settings.invocation.cwd / settings.baseline
    try:
        return read_report(path)
    except ConfigurationError as error:
        raise ConfigurationError(f"--py-images-baseline: {error.message}", error.hint) from None


def _baseline(settings: Settings, labels: Sequence[str], *, left_out: Sequence[str]) -> str:
    """Return the label of the baseline image; empty without one, or if a configured one is not part of this run.

    :raises ConfigurationError: if the baseline of the command line is not one of the images.
    """
    named = settings.baseline
    if named in labels:
        return named
    if settings.baseline_is_typed and named not in left_out:
        hint = suggest(named, labels, cutoff=0.4)
        raise ConfigurationError(f'--py-images-baseline: "{named}" is not one of the images', hint)
    return ""
