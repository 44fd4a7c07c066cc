"""``pyimages merge``: the JSON reports of several jobs as one, whose exit status is that of all."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

from pytest_pyimages.cli.project import invocation_at, on_terminal
from pytest_pyimages.host import report_file, tells_github
from pytest_pyimages.results import (
    make_document,
    merge_reports,
    read_report,
    write_failed,
    write_reports,
    write_summary,
)
from pytest_pyimages.session import Durations

SUMMARY = "make one report of those of several jobs"
DESCRIPTION = """\
Put the JSON reports of several jobs together: of different images, of --py-images-shard's parts, or of other parts
of a suite. Print what a run prints at its end, and write it to files. The exit status is the worst of all jobs; 1 if a
shard, or a test of one, is missing. Of times of the same image the longest counts."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="what --py-images-report=FILE.json has written")
    parser.add_argument(
        "-o", dest="reports", metavar="OUT", action="append", default=[], help="a .json, .html or .md; may be repeated"
    )
    parser.add_argument(
        "--keep-durations",
        action="store_true",
        help="record how long tests took in pytest's cache of the project here: shards are made by that",
    )
    parser.add_argument("--github", metavar="WHEN", default="auto", help="as --py-images-github: auto or no")


def run(arguments: Namespace) -> int:
    """Read the files, and say and write what they are together."""
    reports = [report_file("-o", name, Path.cwd()) for name in arguments.reports]
    github = tells_github("--github", arguments.github)
    invocation = invocation_at(())
    whole = merge_reports([read_report(Path(name)) for name in arguments.files])
    document = make_document(whole.results, exit_status=whole.exit_status, started=whole.started, ended=whole.ended)
    problems = [text.replace("--py-images-report", "-o", 1) for text in write_reports(reports, document)]

    def show(terminal: pytest.TerminalReporter) -> int:
        if arguments.keep_durations:
            cache = pytest.Cache.for_config(terminal.config, _ispytest=True)
            Durations(cache, invocation).keep(whole.results.values())
        if github:
            from pytest_pyimages.results import report_to_github

            lines, problem = report_to_github(document, rootdir=invocation.rootdir, environ=os.environ)
            problems.extend([problem] if problem else [])
            for line in lines:
                terminal.write_line(line)
        write_summary(terminal, whole.results, collect_only=False, notes=[*whole.notes, *problems])
        write_failed(terminal, whole.results)
        return whole.exit_status or (int(pytest.ExitCode.TESTS_FAILED) if problems else 0)

    return on_terminal(invocation, show)
