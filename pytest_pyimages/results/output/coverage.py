"""Write one coverage report over all images, and the lines that only one image covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.results.output.coverage_files import Destinations, ReportFiles
from pytest_pyimages.runs.events import CoverageFile, CoverageLines, CoveragePart, CoverageSaid, Covered, Event

SHOWN_FILES = 10  # per image
SHOWN_RANGES = 160  # characters
MOST_RECORDS = 200_000  # beside parts of files; each has a limit of its own
MOST_TEXT = 64 * 1024 * 1024  # characters
MARKUP = frozenset(("red", "green", "yellow", "bold"))


class CoverageReport:
    """Receives the report from the container that makes it."""

    def __init__(self, labels: Sequence[str], destinations: Destinations) -> None:
        """Prepare to receive.

        :param labels: of the images whose data are combined, in the order that the container was given.
        """
        self.labels = tuple(labels)
        self.files = ReportFiles(destinations)
        self.covered: Covered | None = None  # None until it is complete
        self._output: list[CoverageSaid] = []
        self._lines: list[CoverageLines] = []
        self._records = self._text = 0

    def take(self, events: Sequence[Event]) -> None:
        """Keep the events of the container."""
        for event in events:
            if isinstance(event, CoveragePart):
                self.files.add(event.data)
            elif isinstance(event, CoverageFile | CoverageSaid | CoverageLines | Covered):  # not a beat between parts
                self.files.end()
                self._count(event)
                self._keep(event)

    def _keep(self, event: CoverageFile | CoverageSaid | CoverageLines | Covered) -> None:
        if isinstance(event, CoverageFile):
            self.files.begin(event)
        elif isinstance(event, CoverageSaid):
            self._output.append(event)
        elif isinstance(event, CoverageLines):
            self._lines.append(event)
        else:
            self.covered = event

    def _count(self, event: Event) -> None:
        self._records += 1
        if isinstance(event, CoverageSaid):
            self._text += len(event.text)
        elif isinstance(event, CoverageLines):
            self._text += sum(8 * len(numbers) + len(text) for _, numbers, text in event.rows)
        if self._records > MOST_RECORDS or self._text > MOST_TEXT:
            raise PyimagesError("coverage: the report is too large")

    def write(self, terminal: pytest.TerminalReporter) -> None:
        """Write pytest-cov's output, and the lines that only one image covers; nothing if pytest-cov prints nothing."""
        for part in self._output:
            if part.sep:
                terminal.write_sep(part.sep, part.text)
            else:
                terminal.write(part.text, **{name: True for name in part.markup if name in MARKUP})
        lines = self.format_unique_lines() if self._output else []
        for line in ["", *lines] if lines else ():
            terminal.write_line(line)

    def _get_labels(self, places: Sequence[int]) -> list[str]:
        return [self.labels[place] for place in places if place < len(self.labels)]

    def format_unique_lines(self) -> list[str]:
        """Return a section per image with the lines that only that image covers."""
        found: dict[str, list[str]] = {}
        for lines in self._lines:
            for places, _, text in lines.rows:
                labels = self._get_labels(places)
                if len(labels) == 1:
                    shown = text if len(text) <= SHOWN_RANGES else text[:SHOWN_RANGES].rpartition(",")[0] + ", …"
                    found.setdefault(labels[0], []).append(f"   {lines.path}  {shown}")
        section = []
        for label in self.labels:
            files = found.get(label, ())
            if files:
                section += [f" covered only on {label}", *files[:SHOWN_FILES]]
            if len(files) > SHOWN_FILES:
                section.append(f"   … and {len(files) - SHOWN_FILES} more files")
        return section

    def make_document(self) -> dict[str, Any]:
        """Return total and files of the coverage of report.schema.json."""
        covered = self.covered
        return {
            "total": None if covered is None or covered.total is None else round(covered.total, 4),
            "failed": covered is not None and covered.failed,
            "files": [
                {
                    "path": lines.path,
                    "covered": [
                        {"images": self._get_labels(places), "lines": list(numbers)}
                        for places, numbers, _ in lines.rows
                    ],
                }
                for lines in self._lines
            ],
        }


def format_missing_coverage(missing: Mapping[str, str]) -> list[str]:
    """Return a line for each reason why the data of images are not in the report."""
    reasons: dict[str, list[str]] = {}
    for label, reason in missing.items():
        reasons.setdefault(reason, []).append(label)
    return [f" no coverage data of {', '.join(labels)}: {reason}" for reason, labels in reasons.items()]
