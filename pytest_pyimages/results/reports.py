"""From a worker's events to the reports that pytest on the host draws, counts and writes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter
from _pytest.pathlib import bestrelpath

from pytest_pyimages.runs.events import CollectReport, Item, LongRepr, Passed, Report, Warned

STATUS = "pyimages_status"  # attribute of a report: pytest_report_teststatus inside the container
SUBTEST = "pyimages_subtest"  # attribute of a report: it is a part of a test only
PROPERTY = "py_image"  # user property: which image a report comes from
ALLOWED = "allowed to fail"

# What the private decoder of pytest raises on a tree that another version of pytest made.
_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError, RuntimeError, AssertionError)


def append_label(text: str, label: str) -> str:
    """Return a node id or a test's name with the image behind it: ``tests/test_a.py::test_x[3.12]``."""
    return f"{text}[{label}]"


class Told(TerminalRepr):
    """A failure of which there is only a text; its cause in one line is what pytest's short summary shows."""

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

    def passed(self, item: Item, event: Passed, *, call_only: bool) -> Iterator[pytest.TestReport]:
        """Yield the three reports of a test that simply passed, or the one that everybody listens to."""
        nodeid = append_label(item.nodeid, self._label)
        location = (item.path, item.line, append_label(item.domain, self._label))
        properties = [self._property]
        start = event.start
        for when, duration in zip(("setup", "call", "teardown"), event.durations, strict=True):
            if call_only and when != "call":
                continue
            yield pytest.TestReport(
                nodeid,
                location,
                {},
                "passed",
                None,
                when,  # type: ignore[arg-type]  # mypy sees the tuple's str, not its three literals
                (),
                duration,
                start,
                start + duration,
                properties,
            )
            start += duration

    def report(self, event: Report) -> pytest.TestReport:
        """Return the report of any other phase; a failure on an image that is allowed to fail fails nothing."""
        path, line, domain = event.location
        report = pytest.TestReport(
            append_label(event.nodeid, self._label),
            (path, line, append_label(domain, self._label)),
            {},
            event.outcome,  # type: ignore[arg-type]  # plugins have outcomes of their own, such as "rerun"
            rebuild_longrepr(event.longrepr),
            event.when,  # type: ignore[arg-type]
            event.sections,
            event.duration,
            event.start,
            event.start + event.duration,
            [*event.properties, self._property],
        )
        if event.wasxfail is not None:
            report.wasxfail = event.wasxfail
        setattr(report, STATUS, event.status)
        setattr(report, SUBTEST, event.subtest)
        return self.allow(report)

    def crash(self, item: Item, problem: str, detail: str) -> pytest.TestReport:
        """Return the report of the test during which the worker died."""
        return self.allow(
            pytest.TestReport(
                append_label(item.nodeid, self._label),
                (item.path, item.line, append_label(item.domain, self._label)),
                {},
                "failed",
                f"{self._label}: {problem} while it ran this test",
                "call",
                [("stderr of the worker", detail)] if detail else [],
                user_properties=[self._property],
            )
        )

    def collect(self, event: CollectReport) -> pytest.CollectReport:
        """Return the report of a collector that failed or was skipped."""
        return pytest.CollectReport(
            append_label(event.nodeid, self._label), event.outcome, rebuild_longrepr(event.longrepr), [], event.sections
        )

    def image_error(self, problem: str, detail: str) -> pytest.CollectReport:
        """Return the error of an image that could not be tested, or not to the end."""
        text = f"{self._label}: {problem}" + (f"\n{detail}" if detail else "")
        return pytest.CollectReport(f"[{self._label}]", "failed", Told(text, cause=problem), [])

    def allow(self, report: pytest.TestReport) -> pytest.TestReport:
        """Turn a failure into what fails nothing and is shown, where this image is allowed to fail."""
        if self._allowed and report.outcome == "failed":
            # The form of an expected failure: pytest, junit and the cache do not count it as one.
            report.wasxfail = f"{self._label} is {ALLOWED}"
            report.outcome = "skipped"
            setattr(report, STATUS, (ALLOWED, "a", "ALLOWED"))
        return report


def rebuild_longrepr(longrepr: LongRepr) -> Any:
    """Return what pytest draws: its own tree of entries where it can be read, a text where it cannot."""
    if longrepr.kind == "none":
        return None
    if longrepr.skip is not None:
        return longrepr.skip
    if longrepr.tree is not None:
        # Experimental in pytest, and written by whichever version runs inside.
        from _pytest.reports import _report_kwargs_from_json

        try:
            return _report_kwargs_from_json({"longrepr": longrepr.tree})["longrepr"]
        except _UNREADABLE:
            pass  # the text says the same without colours
    cause = longrepr.crash[2] if longrepr.crash is not None else _last_error(longrepr.text)
    return Told(longrepr.text, cause=cause) if cause else longrepr.text


def _last_error(text: str) -> str:
    """Return what a traceback ends with; pytest draws it behind an "E"."""
    found = [line[1:].strip() for line in text.splitlines() if line.startswith("E  ")]
    return found[-1] if found else ""


def locate_warning(event: Warned, label: str, folder: Path) -> str:
    """Return what stands over a warning in pytest's summary: the test, or the line of code; each with its image.

    :param folder: paths are relative to it.
    """
    return append_label(event.nodeid or f"{bestrelpath(folder, Path(event.path))}:{event.line}", label)


def make_warning(event: Warned) -> warnings.WarningMessage:
    """Return the warning as the host's pytest takes it; its class exists inside only, its name is what is shown."""
    category = type(event.category, (Warning,), {})
    return warnings.WarningMessage(category(event.text), category, event.path, event.line)
