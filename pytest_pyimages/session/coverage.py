"""Coverage over the matrix: pytest-cov measures in every container, and one more container makes the combined report.

The host may lack coverage, or a Python that parses the project's syntax, and data from containers is not trusted. So
the host only passes the data on: pytest-cov of the newest Python combines them.
"""

from __future__ import annotations

import base64
import queue
import shutil
import zlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from packaging.version import InvalidVersion, Version

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.host import Invocation, Settings
from pytest_pyimages.results import CoverageReport, Destinations, ImageResult, format_missing_coverage
from pytest_pyimages.runs import NOTHING, CoverageFiles, CoverageJob, RunEnd
from pytest_pyimages.runs.events import CoveragePart, Measured
from pytest_pyimages.session.messages import REPORT, EventsReceived, ImageEnded
from pytest_pyimages.session.schedule import Schedule
from pytest_pyimages.text import clean

POLL_SECONDS = 1.0


class MatrixCoverage:
    """A plugin of the host's pytest; its hooks are where pytest-cov has its own."""

    def __init__(
        self,
        settings: Settings,
        root: Path,
        results: Mapping[str, ImageResult],
        schedule: Callable[[], Schedule | None],
    ) -> None:
        """Prepare; ``register`` adds the hooks.

        :param root: of the source.
        :param results: of all images, by label; read once all have ended.
        :param schedule: returns the session's, once it runs.
        """
        self._root = root
        self._schedule = schedule
        self._settings = settings
        self._results = results
        self._files = CoverageFiles()
        self._report: CoverageReport | None = None
        self._missing: dict[str, str] = {}  # by label: why an image's data are not in the report
        self._problems: list[str] = []
        self._reporter = ""  # label of the image that makes the report

    def register(self, config: pytest.Config) -> None:
        """Register the hooks, and remove the data files at the end."""
        config.pluginmanager.register(self, "pyimages-coverage")
        config.add_cleanup(self.close)

    def take(self, label: str, event: CoveragePart | Measured) -> None:
        """Keep coverage data that an image sends."""
        self._files.take(label, event)

    def close(self) -> None:
        """Remove the received data files."""
        self._files.close()
        if self._report is not None:
            self._report.files.close()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Make the report once all images have ended; like pytest-cov, none if the session was stopped."""
        result = yield
        self._missing = {
            label: self._explain_missing(label) for label in self._results if label not in self._files.data
        }
        if self._files.data:
            self._make_report(session)
        elif not self._files.problems:
            self._missing = {}  # no image measured coverage
        elif set(self._files.problems.values()) != {NOTHING}:
            self._problems.append("coverage: no report, because the data of no image can be used")
        failed = self._report is not None and self._report.covered is not None and self._report.covered.failed
        failed = failed and self._settings.shard is None  # else `pyimages merge` checks all parts together
        if failed or self._problems:
            session.testsfailed += 1  # as pytest-cov does, for the exit status
        return result

    def _explain_missing(self, label: str) -> str:
        result = self._results[label]
        if label in self._files.problems:
            return self._files.problems[label]
        return "it was not tested to its end" if result.problem or not result.ended else "it measured nothing"

    def _make_report(self, session: pytest.Session) -> None:
        schedule = self._schedule()
        if schedule is None:
            return
        data = {label: self._files.data[label] for label in self._results if label in self._files.data}
        invocation = self._settings.invocation
        destinations = make_destinations(invocation)
        report = self._report = CoverageReport(list(data), destinations)
        lost = {backend.address for backend in schedule.backends if backend.is_lost}
        usable = [label for label in data if self._results[label].engine not in lost] or list(data)
        self._reporter = choose_reporter(self._results[label] for label in usable)
        job = CoverageJob(
            labels=tuple(data),
            paths=tuple(data.values()),
            sizes=tuple(path.stat().st_size for path in data.values()),
            failures=session.testsfailed,
            contexts=self._settings.coverage_contexts,
        )
        problem = make_report(schedule, self._reporter, job, report, columns=_get_columns(session.config))
        if problem or report.covered is None:
            self._problems.append(f"coverage: the report could not be made on {self._reporter}: {problem}")
            return
        unusable = [(label, reason) for label, reason in report.covered.unusable if label in data]
        self._missing |= {label: f"its data cannot be read ({reason})" for label, reason in unusable}
        self._problems += report.files.problems

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._report is not None:
            self._report.write(terminalreporter)
        for line in format_missing_coverage(self._missing):
            terminalreporter.write_line(line, yellow=True)
        partly = [label for label in self._counted if self._results[label].stopped_early]
        if partly:
            terminalreporter.write_line(
                f" coverage of {', '.join(partly)} is incomplete: the suite was stopped", yellow=True
            )
        for label, loss in self._files.losses.items():
            terminalreporter.write_line(f" coverage of {label}: {loss}", yellow=True)
        if self._report is not None and self._settings.shard is not None:
            text = " coverage is that of this shard; `pyimages merge` combines all, and checks the minimum"
            terminalreporter.write_line(text)
        for problem in self._problems:
            terminalreporter.write_line(f" {problem}", red=True)

    @property
    def written(self) -> Sequence[Path]:
        """The files of the report, once it is made."""
        return () if self._report is None else self._report.files.written

    @property
    def _counted(self) -> list[str]:
        """The labels of the images whose data are in the report."""
        report = self._report
        return [] if report is None else [label for label in report.labels if label not in self._missing]

    @pytest.hookimpl
    def pytest_pyimages_report(self, document: dict[str, Any]) -> None:
        if self._report is not None:
            document["coverage"] = {
                "images": self._counted,
                "missing": self._missing,
                "reported_by": self._reporter,
                **self._report.make_document(),
            }
            if self._settings.shard is not None:
                document["coverage"] |= {"root": str(self._root), "data": encode_files(self._files.data)}


def encode_files(paths: Mapping[str, Path]) -> dict[str, str]:
    """Return the content of files for a JSON report, by the same keys."""
    return {name: base64.b64encode(zlib.compress(path.read_bytes())).decode() for name, path in paths.items()}


def choose_reporter(results: Iterable[ImageResult]) -> str:
    """Return the label of the image that makes the report: that of the newest Python."""
    return max(results, key=lambda result: _parse_version(result.python)).label


def make_report(schedule: Schedule, label: str, job: CoverageJob, report: CoverageReport, *, columns: int) -> str:
    """Make the report in an image's environment; return the problem if that fails, or else an empty string.

    :param report: receives it.
    :param columns: of the terminal.
    """
    schedule.start_report(label, job, columns=columns)
    try:
        problem = _receive(schedule, report)
    except (PyimagesError, OSError) as error:
        problem = str(error)
    return problem or ("the container ended without it" if report.covered is None else "")


def _receive(schedule: Schedule, report: CoverageReport) -> str:
    """Pass the container's events to the report until it has ended; return its problem, or an empty string."""
    while True:
        try:
            message = schedule.outbox.messages.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if message.label != REPORT:
            continue
        if isinstance(message, EventsReceived):
            report.take(message.events)
        elif isinstance(message, ImageEnded):
            report.files.end()
            return str(message.error) if message.error is not None else _describe_problem(message.end)


def make_destinations(invocation: Invocation) -> Destinations:
    """Return the places of the requested reports, from the options and coverage's configuration."""
    options, folders = invocation.command_line, (invocation.cwd, invocation.rootdir)
    names = (
        *options.values("--cov-config"),
        ".coveragerc",
        ".coveragerc.toml",
        "setup.cfg",
        "tox.ini",
        "pyproject.toml",
    )
    files = [folder / name for folder in folders for name in names]
    settings = [file.read_text("utf-8", "replace") for file in files if file.is_file()]
    if "COVERAGE_FILE" in invocation.environment:
        settings.append(f"data_file = {invocation.environment['COVERAGE_FILE']}")
    return Destinations(folders, options.values("--cov-report"), invocation.cwd, settings)


def _describe_problem(end: RunEnd | None) -> str:
    if end is None or (end.status == 0 and not end.problem):
        return ""
    last = next((line for line in reversed(clean(end.stderr).splitlines()) if line.strip()), "")
    return ": ".join(filter(None, (end.problem, last)))


def _parse_version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")


def _get_columns(config: pytest.Config) -> int:
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal is None:
        return shutil.get_terminal_size().columns
    return int(terminal._tw.fullwidth)  # noqa: SLF001 - get_terminal_writer is not on the reporter
