"""One report of coverage over all images: what it says, and what only one image covers."""

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
    """What the container that makes the report sends."""

    def __init__(self, labels: Sequence[str], destinations: Destinations) -> None:
        """Be ready to receive.

        :param labels: of the images whose data it is made of, in the order that was told to the container.
        """
        self.labels = tuple(labels)
        self.files = ReportFiles(destinations)
        self.covered: Covered | None = None  # None until it is complete
        self._said: list[CoverageSaid] = []
        self._lines: list[CoverageLines] = []
        self._records = self._text = 0

    def take(self, events: Sequence[Event]) -> None:
        """Keep what was sent."""
        for event in events:
            if isinstance(event, CoveragePart):
                self.files.add(event.data)
                continue
            self.files.end()
            self._count(event)
            if isinstance(event, CoverageFile):
                self.files.begin(event)
            elif isinstance(event, CoverageSaid):
                self._said.append(event)
            elif isinstance(event, CoverageLines):
                self._lines.append(event)
            elif isinstance(event, Covered):
                self.covered = event

    def _count(self, event: Event) -> None:
        self._records += 1
        if isinstance(event, CoverageSaid):
            self._text += len(event.text)
        elif isinstance(event, CoverageLines):
            self._text += sum(8 * len(numbers) + len(text) for _, numbers, text in event.rows)
        if self._records > MOST_RECORDS or self._text > MOST_TEXT:
            raise PyimagesError("coverage: the report is too long")

    def write(self, terminal: pytest.TerminalReporter) -> None:
        """Write what pytest-cov says, and below it what only one image covers; nothing where that is to be silent."""
        for said in self._said:
            if said.sep:
                terminal.write_sep(said.sep, said.text)
            else:
                terminal.write(said.text, **{name: True for name in said.markup if name in MARKUP})
        lines = self.only_lines() if self._said else []
        for line in ["", *lines] if lines else ():
            terminal.write_line(line)

    def _labelled(self, places: Sequence[int]) -> list[str]:
        return [self.labels[place] for place in places if place < len(self.labels)]

    def only_lines(self) -> list[str]:
        """Return lines on what is covered on one image only."""
        found: dict[str, list[str]] = {}
        for lines in self._lines:
            for places, _, text in lines.rows:
                labels = self._labelled(places)
                if len(labels) == 1:
                    shown = text if len(text) <= SHOWN_RANGES else text[:SHOWN_RANGES].rpartition(",")[0] + ", …"
                    found.setdefault(labels[0], []).append(f"   {lines.path}  {shown}")
        told = []
        for label in self.labels:
            files = found.get(label, ())
            if files:
                told += [f" covered only on {label}", *files[:SHOWN_FILES]]
            if len(files) > SHOWN_FILES:
                told.append(f"   … and {len(files) - SHOWN_FILES} more files")
        return told

    def make_document(self) -> dict[str, Any]:
        """Return the coverage of report.schema.json, as far as this knows it."""
        covered = self.covered
        return {
            "total": None if covered is None or covered.total is None else round(covered.total, 4),
            "failed": covered is not None and covered.failed,
            "files": [
                {
                    "path": lines.path,
                    "covered": [
                        {"images": self._labelled(places), "lines": list(numbers)} for places, numbers, _ in lines.rows
                    ],
                }
                for lines in self._lines
            ],
        }


def format_missing_coverage(missing: Mapping[str, str]) -> list[str]:
    """Return lines on the images whose data are not in the report, and why; images of the same reason together."""
    reasons: dict[str, list[str]] = {}
    for label, reason in missing.items():
        reasons.setdefault(reason, []).append(label)
    return [f" coverage is without {', '.join(labels)}: {reason}" for reason, labels in reasons.items()]
