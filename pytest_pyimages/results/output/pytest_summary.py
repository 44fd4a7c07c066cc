"""Let pytest's terminal summarize results that no session has reported, as it would have done in one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

import pytest
from _pytest.terminal import WarningReport
from _pytest.warnings import warning_record_to_str

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult
from pytest_pyimages.results.reports import ALLOWED, STATUS, ReportMaker, append_label, locate_warning, make_warning
from pytest_pyimages.results.warning_places import FEW, WarningPlace
from pytest_pyimages.runs.events import CollectReport, LongRepr, Outcome, Report, Warned

_OUTCOMES: dict[str, Outcome] = {"error": "failed", "xfailed": "skipped", "xpassed": "passed"}  # of pytest's reports
_PHASES = {"error": "setup", "skipped": "setup"}  # if it is not known
_WORDS = {"xfailed": "XFAIL", "xpassed": "XPASS"}


def fill_statistics(terminal: pytest.TerminalReporter, results: Mapping[str, ImageResult]) -> None:
    """Give pytest's terminal the warnings, and a report of each test, in its own categories."""
    for result in results.values():
        for place, locations in result.warning_places.items():
            reports = _make_warning_reports(place, locations, result.label, terminal.config)
            terminal.stats.setdefault("warnings", []).extend(reports)
        for category, report in _make_reports(result, terminal):
            terminal.stats.setdefault(category, []).append(report)


def _make_warning_reports(
    place: WarningPlace, locations: Mapping[str, int], label: str, config: pytest.Config
) -> list[WarningReport]:
    """Return a report for each time that a warning occurred."""
    if not place.when:
        return [WarningReport(place.message, append_label("", label))] * sum(locations.values())
    path = _find_file(place.path, config)
    event = Warned(place.category, place.text, path, place.line, place.when, "")
    message = warning_record_to_str(make_warning(event))
    end = "::" if sum(locations.values()) >= FEW else ""  # of a file, which pytest only counts
    reports: list[WarningReport] = []
    for nodeid, number in locations.items():
        located = event._replace(nodeid=f"{nodeid}{end}" if nodeid else "")
        reports += [WarningReport(message, locate_warning(located, label, config.invocation_params.dir))] * number
    return reports


def _find_file(path: str, config: pytest.Config) -> str:
    """Return the path of a file in the rootdir; that of any other file as it is."""
    own = os.path.join(config.rootpath, path)  # noqa: PTH118 - a path of any length is not an error
    return own if os.path.isfile(own) else path  # noqa: PTH113 - likewise


def _make_reports(
    result: ImageResult, terminal: pytest.TerminalReporter
) -> Iterator[tuple[str, pytest.TestReport | pytest.CollectReport]]:
    """Yield a report of each test, file and image that pytest's short summary may list, and its category."""
    is_allowed = result.allowed_to_fail and not result.incomplete
    maker = ReportMaker(result.label, allowed_to_fail=is_allowed)
    for nodeid, outcome in result.outcomes.items():
        if outcome == NOT_RUN or (outcome == "passed" and "p" not in terminal.reportchars):
            continue
        longrepr = _make_longrepr(result, nodeid, outcome, terminal.config)
        if outcome in ("error", "skipped") and nodeid not in result.durations:
            collected = maker.make_collect(CollectReport(nodeid, _OUTCOMES.get(outcome, "skipped"), longrepr, ()))
            setattr(collected, STATUS, (outcome, "", outcome.upper()))
            yield ALLOWED if is_allowed and outcome == "error" else outcome, collected
        else:
            report = maker.make_report(_make_event(result, nodeid, outcome, longrepr))
            yield getattr(report, STATUS, (outcome,))[0], report
    if result.problem:
        error = maker.make_image_error(result.problem, "")
        setattr(error, STATUS, ("error", "E", "ERROR"))
        yield ALLOWED if is_allowed else "error", error


def _make_event(result: ImageResult, nodeid: str, outcome: str, longrepr: LongRepr) -> Report:
    path, _, domain = nodeid.partition("::")
    failure = result.failures.get(nodeid)
    return Report(
        nodeid=nodeid,
        location=(path, None, domain),
        when=_PHASES.get(outcome, "call") if failure is None else failure.phase,
        outcome=_OUTCOMES.get(outcome, outcome),
        status=(outcome, "", _WORDS.get(outcome, outcome.upper())),
        start=0.0,
        duration=result.durations.get(nodeid, 0.0),
        wasxfail=result.reasons.get(nodeid, "") if outcome in ("xfailed", "xpassed") else None,
        properties=(),
        sections=(),
        longrepr=longrepr,
    )


def _make_longrepr(result: ImageResult, nodeid: str, outcome: str, config: pytest.Config) -> LongRepr:
    if outcome == "skipped":
        path, line = _split_place(result.reason_places.get(nodeid, nodeid.partition("::")[0]))
        return LongRepr("skip", skip=(_find_file(path, config), line, result.reasons.get(nodeid, "")))
    failure = result.failures.get(nodeid)
    if failure is None:
        return LongRepr("none")
    return LongRepr("text", text=failure.text, crash=("", failure.line, failure.message))


def _split_place(place: str) -> tuple[str, int | None]:
    path, _, line = place.rpartition(":")
    return (path, int(line)) if path and re.fullmatch("[0-9]{1,9}", line) else (place, None)


def write_last_line(terminal: pytest.TerminalReporter, results: Mapping[str, ImageResult], seconds: float) -> None:
    """Write pytest's last line, unless -qq leaves it out.

    :param seconds: from the start of the first job to the end of the last.
    """
    if terminal.verbosity < -1:
        return
    counts: dict[str, int] = {}
    for result in results.values():
        for category, count in {**result.counts, "deselected": result.deselected}.items():
            is_allowed = result.allowed_to_fail and not result.incomplete and category in ("failed", "error")
            name = ALLOWED if is_allowed else category
            counts[name] = counts.get(name, 0) + count
    counts["warning"] = len(terminal.stats.get("warnings", ()))
    for name in ("error", "warning"):
        if counts.get(name, 0) > 1:
            counts[f"{name}s"] = counts.pop(name)
    summary = ", ".join(f"{counts[name]} {name}" for name in sorted(counts, key=_rank_of) if counts[name])
    failed = any(one.failed for one in results.values() if one.incomplete or not one.allowed_to_fail)
    line = f"{summary or 'no tests ran'} in {seconds:.2f}s"
    if terminal.verbosity < 0:
        terminal.write_line(line, red=failed, green=not failed)
    else:
        terminal.write_sep("=", line, bold=True, red=failed, green=not failed)


_FIRST = (
    "failed",
    "passed",
    "skipped",
    "deselected",
    "xfailed",
    "xpassed",
    "warning",
    "warnings",
    "error",
    "errors",
    ALLOWED,
)  # as pytest's last line has them


def _rank_of(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)
