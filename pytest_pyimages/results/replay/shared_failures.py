"""Let pytest draw a failure that several images share once."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from _pytest._io import TerminalWriter

from pytest_pyimages.results.alike import Failures, group_failures, list_differences
from pytest_pyimages.results.output.live import is_ci_log
from pytest_pyimages.results.reports import ALLOWED, LABEL
from pytest_pyimages.text import align_columns, cut_to_width, display_width, join_cells

_CATEGORIES = ("failed", "error", ALLOWED)


def limit_teardowns(terminal: pytest.TerminalReporter) -> None:
    """Let a terminal look for the output of a failed test's teardown among those that have some.

    pytest looks through all setups and teardowns for each failure, which takes minutes where thousands fail.
    """
    get_reports = terminal.getreports
    found: dict[int, list[Any]] = {}  # by the number of reports that it was found among

    def get_quickly(category: str) -> list[Any]:
        if category:
            return list(get_reports(category))
        reports = terminal.stats.get("", ())
        if len(reports) not in found:
            found[len(reports)] = [report for report in reports if report.when == "teardown" and report.sections]
        return found[len(reports)]

    terminal.getreports = get_quickly  # type: ignore[assignment, method-assign]


def share_failures(terminal: pytest.TerminalReporter, labels: Sequence[str]) -> None:
    """Change what a terminal's sections of failures and errors are drawn from; -v shows all tracebacks.

    The statistics and the short test summary still have each report.

    :param labels: of all images, in their order.
    """
    config = terminal.config
    if config.get_verbosity() > 0 or config.getoption("tbstyle", "auto") in ("line", "no"):
        return
    get_reports, draw_errors = terminal.getreports, terminal.summary_errors

    def get_shared(category: str) -> list[Any]:
        if category not in _CATEGORIES:
            return list(get_reports(category))
        reports = {name: get_reports(name) for name in _CATEGORIES}
        return [report for name, report in _share(reports, labels) if name == category]

    def draw_shared_errors() -> None:
        errors = terminal.stats.get("error")
        if errors is None:
            return
        terminal.stats["error"] = get_shared("error")  # pytest draws these, instead of what getreports returns
        try:
            draw_errors()
        finally:
            terminal.stats["error"] = errors

    terminal.getreports = get_shared  # type: ignore[assignment, method-assign]
    terminal.summary_errors = draw_shared_errors  # type: ignore[method-assign]


def _share(reports: Mapping[str, list[Any]], labels: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield categories and the reports to draw: of each group that of the first image, required ones before others."""
    tests: dict[tuple[str, str], dict[str, tuple[str, Any]]] = {}
    others = []
    for category, listed in reports.items():
        for report in listed:
            label = getattr(report, LABEL, "")
            owners = tests.setdefault((report.when or "", _remove_label(report.nodeid, label)), {})
            if label and label not in owners:
                owners[label] = category, report
            else:  # of another plugin, or one of several failures of a test on an image, such as of subtests
                others.append((category, report))
    for (_, nodeid), owners in tests.items():
        failures = {label: _describe(label, owners[label][1]) for label in labels if label in owners}
        for group in group_failures(failures):
            required = [label for label in group if owners[label][0] != ALLOWED]
            category, report = owners[required[0] if required else next(iter(group))]
            yield category, report if len(group) == 1 else _merge(nodeid, report, group)
    yield from others


def _describe(label: str, report: Any) -> dict[str, Any]:
    return {
        "phase": report.when,
        "message": "",
        "text": report.longreprtext.removeprefix(f"{label}: "),
        "sections": report.sections,
    }


def _remove_label(text: str, label: str) -> str:
    return text.removesuffix(f"[{label}]")


def _merge(nodeid: str, report: Any, group: Failures) -> Any:
    """Return a report that is drawn with the labels of all images, and with the differences below the traceback."""
    merged, labels = copy.copy(report), ", ".join(group)
    if isinstance(report, pytest.TestReport):
        path, line, domain = report.location
        merged.location = path, line, f"{_remove_label(domain, getattr(report, LABEL))}[{labels}]"
    else:
        merged.nodeid = f"{nodeid}[{labels}]"
    rows = [[names, line + " (-v shows all)" * line.startswith("the ")] for names, line in list_differences(group)]

    def draw(writer: TerminalWriter) -> None:
        report.toterminal(writer)
        if rows:
            writer.line("")
            for cells in align_columns(rows):
                line = join_cells(cells)
                is_cut = display_width(line) > writer.fullwidth and not is_ci_log(os.environ)
                writer.line(f"{cut_to_width(line, writer.fullwidth - 3)}..." if is_cut else line, yellow=True)

    merged.toterminal = draw
    return merged
