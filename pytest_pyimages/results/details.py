"""Shorten the failure of a test for report files."""

from __future__ import annotations

import re

from pytest_pyimages.results.outcome import Failure
from pytest_pyimages.results.reports import describe_error
from pytest_pyimages.runs.events import CollectReport, Report
from pytest_pyimages.text import clean_line

LONGEST_TEXT = 20_000  # characters of a traceback
LONGEST_SECTION = 4_000  # characters of captured output
LONGEST_MESSAGE = 300


def describe_failure(event: Report | CollectReport) -> Failure:
    """Return the failure of one phase of a test, or of a file that cannot be collected."""
    return Failure(
        phase=event.when if isinstance(event, Report) else "collect",
        message=_message(event),
        text=shorten(restore_indent(event.longrepr.whole or event.longrepr.text), LONGEST_TEXT),
        line=_line(event),
        sections=tuple((title, shorten(text, LONGEST_SECTION)) for title, text in event.sections),
    )


def describe_reason(event: Report | CollectReport) -> str:
    """Return on one line why a test or file was skipped or is expected to fail; empty if it is neither."""
    reason = event.wasxfail if isinstance(event, Report) else None
    if reason is None:
        reason = event.longrepr.skip[2] if event.longrepr.skip is not None else ""
    reason = clean_line(" ".join(reason.removeprefix("Skipped: ").removeprefix("reason: ").split()))
    return reason if len(reason) <= LONGEST_MESSAGE else f"{reason[: LONGEST_MESSAGE - 1]}…"


def restore_indent(text: str) -> str:
    """Return a traceback with the indent of its first line, which pytest's own text lacks."""
    first, _, rest = text.partition("\n")
    is_source = re.match(r"(async )?def |class |@", first) and re.match(r"(?:(?: {4}.*)?\n)*>", rest)
    return f"    {text}" if is_source else text


def shorten(text: str, limit: int) -> str:
    """Return the text, or its beginning and end if it is too long."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _line(event: Report | CollectReport) -> int:
    """Return the line of the failure if it is in the test's own file, else the first line of the test."""
    path, line, _ = event.location if isinstance(event, Report) else (event.nodeid.partition("::")[0], None, "")
    crash = event.longrepr.crash
    if crash is not None and crash[0].endswith(path):
        return crash[1]
    return (line or 0) + 1


def _message(event: Report | CollectReport) -> str:
    error = describe_error(event.longrepr)
    lines = (error or event.longrepr.text).strip().splitlines()
    line = (lines[0] if error else lines[-1]) if lines else ""
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 1]}…"
