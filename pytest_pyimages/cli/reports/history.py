"""``pyimages history``: compare the JSON reports of several runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import parse_report_file
from pytest_pyimages.results import (
    LETTERS,
    Change,
    JobReport,
    append_label,
    find_changes,
    make_document,
    make_history,
    read_report,
    sort_runs,
    write_reports,
)

SUMMARY = "compare the reports of several runs"
DESCRIPTION = """\
Compare the JSON reports of several runs, by test and image. Listed are tests that newly fail or newly pass in the last
run, that are no longer run, that are slower (twice the median of the earlier runs, and half a second more), and flaky
ones: with a result that a single run has and the runs before and after it have not, or with two results at one commit.
Each test has its outcomes, the oldest first: . F E s x X, ! for not run, - where it was not collected."""
MOST = 50  # tests of a kind


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="a report written by --py-images-report=FILE.json")
    parser.add_argument("--last", metavar="N", type=int, help="compare only the last N runs (default: all)")
    parser.add_argument(
        "-o", dest="page", metavar="OUT", help="write the last run as a .html page with this comparison"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help=f"list all tests, not only {MOST} of each kind")


def run(arguments: Namespace) -> int:
    """Read the files, print the comparison, and write the page."""
    if arguments.last is not None and arguments.last < 2:
        raise ConfigurationError("pyimages history: --last must be 2 or more")
    page = parse_report_file("-o", arguments.page, Path.cwd()) if arguments.page else None
    if page is not None and page.suffix != ".html":
        raise ConfigurationError(f"-o: {arguments.page} must end in .html")
    runs: list[JobReport] = sort_runs([read_report(Path(name)) for name in arguments.files])
    runs = runs[-arguments.last :] if arguments.last else runs
    if len(runs) < 2:
        raise ConfigurationError("pyimages history: the files are of a single run", "name the reports of several runs")
    for line in _format(runs, list(find_changes(runs)), shows_all=arguments.verbose):
        print(line)  # noqa: T201 - the command's output
    if page is None:
        return 0
    last = runs[-1]
    document = make_document(
        last.results,
        exit_status=last.exit_status,
        started=last.started,
        ended=last.started + last.seconds,
        is_changed=False,
    )
    document |= {"session": dict(last.session), "history": make_history(runs)}
    problems = [text.replace("--py-images-report", "-o", 1) for text in write_reports([page], document)]
    for problem in problems:
        print(f"note: {problem}")  # noqa: T201 - likewise
    return int(pytest.ExitCode.TESTS_FAILED) if problems else 0


def _format(runs: Sequence[JobReport], changes: Sequence[Change], *, shows_all: bool) -> Iterator[str]:
    first, last = (
        datetime.fromtimestamp(run.started, timezone.utc).strftime("%Y-%m-%d %H:%M") for run in (runs[0], runs[-1])
    )
    yield f"{len(runs)} runs, {first} to {last} UTC"
    for kind in dict.fromkeys(change.kind for change in changes):
        listed = [change for change in changes if change.kind == kind]
        yield ""
        yield f"{kind} ({len(listed)})"
        for change in listed if shows_all else listed[:MOST]:
            letters = "".join(LETTERS.get(outcome, "?") for outcome in change.outcomes)
            times = f"  {change.before:.2f}s -> {change.now:.2f}s" if kind == "slower" else ""
            yield f"  {letters}  {append_label(change.nodeid, change.label)}{times}"
        if not shows_all and len(listed) > MOST:
            yield f"  … and {len(listed) - MOST} more; -v shows all"
    if not changes:
        yield "nothing has changed"
