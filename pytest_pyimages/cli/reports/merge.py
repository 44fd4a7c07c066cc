"""``pyimages merge``: merge the reports of several jobs into those of one run."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.cli.project import pytest_arguments, read_invocation, run_with_terminal
from pytest_pyimages.cli.reports.coverage import merge_coverage
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import OPTIONS, Value, parse_report_file, reports_to_github
from pytest_pyimages.matrix import parse_matrix
from pytest_pyimages.results import (
    ImageResult,
    allow_commands,
    compare_with_report,
    fill_statistics,
    filter_terminal,
    format_new_warnings,
    format_regressions,
    make_document,
    merge_reports,
    read_report,
    summarize_images,
    write_junit,
    write_last_line,
    write_reports,
    write_summary,
)
from pytest_pyimages.session import Durations

SUMMARY = "merge the reports of several jobs"
DESCRIPTION = """\
Merge the JSON reports of several jobs: of different images, of the parts of --py-images-shard, or of other parts of
the tests. Print the summary of the merged run and write it to files. The exit status is the worst of all jobs, and 1 if
an image, a shard or one of its tests is missing. If an image occurs twice, the longer time counts. With the --cov
options of pytest-cov after -- or in addopts, the coverage of all jobs is combined in an environment image."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a report written by --py-images-report=FILE.json, a file of --junitxml (FILE.xml), or a folder of them",
    )
    parser.add_argument(
        "-o",
        dest="reports",
        metavar="OUT",
        action="append",
        default=[],
        help="write the merged report to this .json, .html, .md or .xml (junit) file; may be repeated",
    )
    parser.add_argument(
        "--images",
        metavar="SPEC",
        action="append",
        default=[],
        help="the images that must be in the reports, such as 3.12,3.14-slim,3.16-rc?; fails if one is missing",
    )
    parser.add_argument(
        "--keep-durations",
        action="store_true",
        help="record the durations of tests in this project's pytest cache; shards are balanced by them",
    )
    parser.add_argument("--github", metavar="WHEN", default="auto", help="as --py-images-github: auto or no")


def run(arguments: Namespace) -> int:
    """Read the files, write the merged report, and print its summary."""
    junit = [Path.cwd() / name for name in arguments.reports if name.endswith(".xml")]
    reports = [parse_report_file("-o", name, Path.cwd()) for name in arguments.reports if not name.endswith(".xml")]
    github = reports_to_github(Value(option=OPTIONS["py_images_github"], texts=(arguments.github,), origin="--github"))
    args = pytest_arguments(arguments)
    invocation = read_invocation(args)
    files, junit_files = _list_files(arguments.files)
    expected = parse_matrix(arguments.images) if arguments.images else ()
    if not files and not expected:
        raise ConfigurationError("no JSON report was named", "name files of --py-images-report=FILE.json")
    jobs = [read_report(path) for path in files]
    whole = merge_reports(jobs, expected=expected)
    problems = [problem for path in junit for problem in write_junit(path, junit_files, whole.results, jobs)]
    is_requested = invocation.command_line.measures_coverage
    coverage = merge_coverage(jobs, whole.results, args=args, is_requested=is_requested)
    notes = [*whole.notes, *coverage.notes]
    status = whole.exit_status or int(pytest.ExitCode.TESTS_FAILED if problems or coverage.failed else 0)
    document = make_document(
        whole.results, exit_status=status, started=whole.started, ended=whole.ended, is_changed=False
    )
    document |= {"session": dict(whole.session)} if whole.session else {}
    document |= {"notes": notes} if notes else {}
    coverage.add_to(document)
    for image in document["images"]:
        image.update(whole.lists[image["label"]])
    worse = tuple(_compare(invocation.find_text("py_images_baseline"), whole.results, document))
    problems += [text.replace("--py-images-report", "-o", 1) for text in write_reports(reports, document)]

    def show(terminal: pytest.TerminalReporter) -> int:
        filter_terminal(terminal, os.environ)
        if arguments.keep_durations:
            cache = pytest.Cache.for_config(terminal.config, _ispytest=True)
            Durations(cache, invocation).save(whole.results.values())
        if github:
            from pytest_pyimages.results import report_to_github

            lines, problem = report_to_github(document, rootdir=invocation.rootdir, environ=os.environ)
            problems.extend([problem] if problem else [])
            with allow_commands(terminal):
                for line in lines:
                    terminal.write_line(line)
        fill_statistics(terminal, whole.results)
        if not terminal.no_summary:
            terminal.summary_warnings()
        _write_images(terminal, whole.results, notes=[*notes, *problems], worse=worse)
        coverage.write(terminal)
        if not terminal.no_summary:
            terminal.short_test_summary()
        write_last_line(terminal, whole.results, whole.ended - whole.started)
        return status or int(pytest.ExitCode.TESTS_FAILED if problems else 0)

    return run_with_terminal(invocation, show)


def _write_images(
    terminal: pytest.TerminalReporter,
    results: Mapping[str, ImageResult],
    *,
    notes: Sequence[str],
    worse: Sequence[str],
) -> None:
    """Write the section of the images; with -q one line if all have passed."""
    is_quiet = terminal.verbosity < 0
    if is_quiet and not notes and not any(result.failed for result in results.values()):
        if terminal.verbosity == -1:
            terminal.write_line(f"py-images: {summarize_images(list(results.values()))}")
        return
    terminal.config.option.tbstyle = "no"  # tracebacks are in the files of -o
    worse = worse if is_quiet else [*worse, *format_new_warnings(results)]
    write_summary(terminal, results, collect_only=False, notes=notes, worse=worse)


def _compare(baseline: str, results: Mapping[str, ImageResult], document: dict[str, Any]) -> Iterator[str]:
    """Yield lines on regressions, and add the history to the report if they are those since an earlier one.

    :param baseline: the label of an image, or the name of the earlier report; empty for none.
    """
    if baseline in results:
        yield from format_regressions(results, baseline)
    elif Path(baseline).suffix == ".json":
        if not Path(baseline).exists():
            yield f"{baseline} does not exist: nothing is compared"
            return
        earlier = read_report(Path(baseline))
        document["history"] = compare_with_report(earlier, document, results)
        yield from format_regressions(results, baseline, earlier.results)


def _list_files(names: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Return the JSON reports and the junit files that were named, those in folders sorted by their paths."""
    paths: list[Path] = []
    for path in map(Path, names):
        found = (each for each in path.rglob("*") if each.suffix in (".json", ".xml")) if path.is_dir() else (path,)
        paths += sorted(found)
    return [path for path in paths if path.suffix != ".xml"], [path for path in paths if path.suffix == ".xml"]
