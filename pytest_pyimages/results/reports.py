"""Make the reports that pytest on the host draws, counts and writes from a worker's events."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter
from _pytest.pathlib import bestrelpath

from pytest_pyimages.runs.events import CollectReport, Item, LongRepr, Passed, Report, Warned

R = TypeVar("R", pytest.TestReport, pytest.CollectReport)
Phase = Literal["setup", "call", "teardown"]
PHASES: tuple[Phase, ...] = ("setup", "call", "teardown")
STATUS = "pyimages_status"  # attribute of a report: what pytest_report_teststatus returned in the container
SUBTEST = "pyimages_subtest"  # attribute of a report: whether it is of a subtest
ATTRIBUTES = "pyimages_attributes"  # attribute of a report: what its test adds to its element in a junit file
LABEL = "pyimages_label"  # attribute of a report: its image
PROPERTY = "py_image"  # user property: the label of the image
ALLOWED = "allowed to fail"


def append_label(text: str, label: str) -> str:
    """Return a node id or a test's name followed by its image: ``tests/test_a.py::test_x[3.12]``."""
    return f"{text}[{label}]"


class TextRepr(TerminalRepr):
    """A failure as plain text; pytest's short summary shows its cause, one line."""

    def __init__(self, text: str, *, cause: str) -> None:
        self.text = text
        self.reprcrash = ReprFileLocation("", 0, cause)

    def toterminal(self, tw: TerminalWriter) -> None:
        for line in self.text.splitlines():
            tw.line(line)


class ReportMaker:
    """Makes the reports of one image."""

    def __init__(self, label: str, *, allowed_to_fail: bool) -> None:
        self._label = label
        self._allowed = allowed_to_fail
        self._property = (PROPERTY, label)

    def make_passed(self, item: Item, event: Passed, *, call_only: bool) -> Iterator[pytest.TestReport]:
        """Yield the reports of a test that passed: of its three phases, or only of the call."""
        start = event.start
        for when, duration in zip(PHASES, event.durations, strict=True):
            if when == "call" or not call_only:
                yield self.make_passed_phase(item, when, start, duration)
            start += duration

    def make_passed_phase(self, item: Item, when: Phase, start: float, duration: float) -> pytest.TestReport:
        """Return the report of a phase that passed.

        :param start: seconds since the epoch.
        :param duration: in seconds.
        """
        return pytest.TestReport(
            append_label(item.nodeid, self._label),
            (item.path, item.line, append_label(item.domain, self._label)),
            {},
            "passed",
            None,
            when,
            (),
            duration,
            start,
            start + duration,
            [self._property],
        )

    def make_report(self, event: Report) -> pytest.TestReport:
        """Return the report of any other phase."""
        path, line, domain = event.location
        longrepr = rebuild_longrepr(event.longrepr)
        if event.wasxfail is None:
            longrepr = _fit_outcome(longrepr, event.outcome, path, line)
        report = pytest.TestReport(
            append_label(event.shown or event.nodeid, self._label),
            (path, line, append_label(domain, self._label)),
            {},
            event.outcome,  # type: ignore[arg-type]  # plugins have outcomes of their own, such as "rerun"
            longrepr,
            event.when,  # type: ignore[arg-type]
            event.sections,
            event.duration,
            event.start,
            event.start + event.duration,
            [*event.properties, self._property],
        )
        if event.wasxfail is not None:
            report.wasxfail = event.wasxfail
        if _can_be_shown_as(event.status[0], report):
            setattr(report, STATUS, event.status)
        setattr(report, SUBTEST, event.subtest)
        setattr(report, ATTRIBUTES, event.attributes)
        return self._allow(report)

    def make_crash(
        self, item: Item, problem: str, detail: str, *, when: Literal["call", "teardown"]
    ) -> pytest.TestReport:
        """Return the report of the test during which the worker died."""
        return self._allow(
            pytest.TestReport(
                append_label(item.nodeid, self._label),
                (item.path, item.line, append_label(item.domain, self._label)),
                {},
                "failed",
                f"{self._label}: {problem} while it ran this test",
                when,
                [("stderr of the worker", detail)] if detail else [],
                user_properties=[self._property],
            )
        )

    def make_collect(self, event: CollectReport) -> pytest.CollectReport:
        """Return the report of a collector that failed or was skipped."""
        longrepr = _fit_outcome(rebuild_longrepr(event.longrepr), event.outcome, event.nodeid, None)
        nodeid = append_label(event.nodeid, self._label)
        return self._mark(pytest.CollectReport(nodeid, event.outcome, longrepr, [], event.sections))

    def make_image_error(self, problem: str, detail: str) -> pytest.CollectReport:
        """Return the error of an image that could not be tested, or only in part."""
        text = f"{self._label}: {problem}" + (f"\n{detail}" if detail else "")
        return self._mark(pytest.CollectReport(f"[{self._label}]", "failed", TextRepr(text, cause=problem), []))

    def _mark(self, report: R) -> R:
        setattr(report, LABEL, self._label)
        return report

    def _allow(self, report: pytest.TestReport) -> pytest.TestReport:
        """Turn a failure into one that does not fail the session if the image is allowed to fail."""
        if self._allowed and report.outcome == "failed":
            # An expected failure: pytest, junit and the cache do not count it as a failure.
            report.wasxfail = f"{self._label} is {ALLOWED}"
            report.outcome = "skipped"
            setattr(report, STATUS, (ALLOWED, "a", "ALLOWED"))
        return self._mark(report)


def rebuild_longrepr(longrepr: LongRepr) -> Any:
    """Return the failure as pytest draws it: from its own tree of entries, or as text if that cannot be read."""
    if longrepr.kind == "none":
        return None
    if longrepr.skip is not None:
        return longrepr.skip
    if longrepr.tree is not None:
        # Experimental in pytest; the tree comes from the version in the container.
        from _pytest.reports import _report_kwargs_from_json

        try:
            rebuilt = _report_kwargs_from_json({"longrepr": longrepr.tree})["longrepr"]
            _check_drawable(rebuilt)
        except Exception:  # noqa: BLE001, S110 - whatever pytest raises for the tree of another version
            pass  # the text has the same without colours
        else:
            return rebuilt
    cause = describe_error(longrepr)
    return TextRepr(longrepr.text, cause=cause) if cause else longrepr.text


def _check_drawable(longrepr: Any) -> None:
    """Raise an exception if pytest cannot draw a failure, with or without its traceback.

    It would otherwise be raised at the end of the session, when pytest draws the failures of all images.
    """
    str(longrepr)
    crash = longrepr.reprcrash
    if crash is not None and not (
        isinstance(crash.path, str) and type(crash.lineno) is int and isinstance(crash.message, str)
    ):
        raise TypeError("wrong place of a failure")


def _can_be_shown_as(category: str, report: pytest.TestReport) -> bool:
    """Return whether pytest's terminal can show a report in a category; else it shows it in one of its own.

    The summaries of pytest take for granted what its own reports of a category have.
    """
    if category == "skipped":
        return isinstance(report.longrepr, tuple)
    if category in ("xfailed", "xpassed"):
        return hasattr(report, "wasxfail")
    return category != "warnings" and bool(category or report.outcome != "failed")


def _fit_outcome(longrepr: Any, outcome: str, path: str, line: int | None) -> Any:
    """Return a cause of the kind that pytest and junit insist on: a failure has one, and that of a skip has a place."""
    if outcome == "failed":
        return "no traceback was reported" if longrepr is None else longrepr
    if outcome == "skipped" and not isinstance(longrepr, tuple):
        return path, (line or 0) + 1, "" if longrepr is None else str(longrepr)
    return longrepr


def describe_error(longrepr: LongRepr) -> str:
    """Return the type and the message of an exception, as far as they are known."""
    return longrepr.crash[2] if longrepr.crash is not None else _last_error(longrepr.text)


def _last_error(text: str) -> str:
    """Return the last line of a traceback that pytest marks with "E"."""
    found = [line[1:].strip() for line in text.splitlines() if line.startswith("E  ")]
    return found[-1] if found else ""


def locate_warning(event: Warned, label: str, folder: Path) -> str:
    """Return the heading of a warning in pytest's summary: its test or its line of code, and the image.

    :param folder: that paths are relative to.
    """
    return append_label(event.nodeid or f"{bestrelpath(folder, Path(event.path))}:{event.line}", label)


def make_warning(event: Warned) -> warnings.WarningMessage:
    """Return the warning for the host's pytest; a class of the same name stands for the container's own."""
    category = type(event.category, (Warning,), {})
    return warnings.WarningMessage(category(event.text), category, event.path, event.line)
