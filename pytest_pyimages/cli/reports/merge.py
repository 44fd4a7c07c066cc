"""``pyimages merge``: merge the JSON reports of several jobs into one."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

from pytest_pyimages.cli.project import read_invocation, run_with_terminal
from pytest_pyimages.host import OPTIONS, Value, parse_report_file, reports_to_github
from pytest_pyimages.results import (
    make_document,
    merge_reports,
    read_report,
    write_failed,
    write_reports,
    write_summary,
)
from pytest_pyimages.session import Durations

SUMMARY = "merge the reports of several jobs"
DESCRIPTION = """\
Merge the JSON reports of several jobs: of different images, of the parts of --py-images-shard, or of other parts of
the tests. Print the summary of the merged run and write it to files. The exit status is the worst of all jobs, and 1 if
a shard or one of its tests is missing. If an image occurs twice, the longer time counts."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="a report written by --py-images-report=FILE.json")
    parser.add_argument(
        "-o",
        dest="reports",
        metavar="OUT",
        action="append",
        default=[],
        help="write the merged report to this .json, .html or .md file; may be repeated",
    )
    parser.add_argument(
        "--keep-durations",
        action="store_true",
        help="record the durations of tests in this project's pytest cache; shards are balanced by them",
    )
    parser.add_argument("--github", metavar="WHEN", default="auto", help="as --py-images-github: auto or no")


def run(arguments: Namespace) -> int:
    """Read the files, write the merged report, and print its summary."""
    reports = [parse_report_file("-o", name, Path.cwd()) for name in arguments.reports]
    github = reports_to_github(Value(option=OPTIONS["py_images_github"], texts=(arguments.github,), origin="--github"))
    invocation = read_invocation(())
    whole = merge_reports([read_report(Path(name)) for name in arguments.files])
    document = make_document(whole.results, exit_status=whole.exit_status, started=whole.started, ended=whole.ended)
    document |= {"session": dict(whole.session)} if whole.session else {}
    problems = [text.replace("--py-images-report", "-o", 1) for text in write_reports(reports, document)]

    def show(terminal: pytest.TerminalReporter) -> int:
        if arguments.keep_durations:
            cache = pytest.Cache.for_config(terminal.config, _ispytest=True)
            Durations(cache, invocation).save(whole.results.values())
        if github:
            from pytest_pyimages.results import report_to_github

            lines, problem = report_to_github(document, rootdir=invocation.rootdir, environ=os.environ)
            problems.extend([problem] if problem else [])
            for line in lines:
                terminal.write_line(line)
        write_summary(terminal, whole.results, collect_only=False, notes=[*whole.notes, *problems])
        write_failed(terminal, whole.results)
        return whole.exit_status or (int(pytest.ExitCode.TESTS_FAILED) if problems else 0)

    return run_with_terminal(invocation, show)
