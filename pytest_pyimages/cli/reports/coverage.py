"""Merge the coverage of several jobs, by the report that a session of all tests would have made."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.cli.builds import build_images, connect_engine
from pytest_pyimages.cli.project import Place, run_at_project
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.results import CoverageReport, ImageResult, JobReport, format_missing_coverage
from pytest_pyimages.runs import CoverageJob
from pytest_pyimages.session import Schedule, choose_reporter, make_destinations, make_report

ADD_OPTIONS = "add the --cov options of the jobs after --"


@dataclass(slots=True)
class MergedCoverage:
    """The combined coverage of all jobs, and the problems of combining it."""

    problems: list[str] = field(default_factory=list)  # that fail the merged run
    notes: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # by label, or label and shard: why data are not counted
    reporter: str = ""  # label of the image that makes the report
    report: CoverageReport | None = None

    @property
    def failed(self) -> bool:
        covered = None if self.report is None else self.report.covered
        return bool(self.problems) or (covered is not None and covered.failed)

    def add_to(self, document: dict[str, Any]) -> None:
        """Add what a session has in its report."""
        if self.report is not None and self.report.covered is not None:
            counted = [label for label in self.report.labels if label not in self.missing]
            described = {"images": counted, "missing": self.missing, "reported_by": self.reporter}
            document["coverage"] = {**described, **self.report.make_document()}

    def write(self, terminal: pytest.TerminalReporter) -> None:
        """Write pytest-cov's output, and a line for each image without data."""
        if self.report is not None:
            self.report.write(terminal)
        for line in format_missing_coverage(self.missing):
            terminal.write_line(line, yellow=True)
        for problem in self.problems:
            terminal.write_line(f" {problem}", red=True)


def merge_coverage(
    jobs: Sequence[JobReport], results: Mapping[str, ImageResult], *, args: Sequence[str], is_requested: bool
) -> MergedCoverage:
    """Make the report of all jobs' data in the environment of the newest Python, which is built if needed.

    :param results: the merged ones.
    :param args: of pytest, with its --cov options.
    :param is_requested: whether these or the configuration measure coverage.
    """
    merged = MergedCoverage()
    measured = [job for job in jobs if job.coverage is not None]
    if not measured:
        return merged
    if not is_requested:
        merged.notes.append(f"the jobs have measured coverage, which is not merged: {ADD_OPTIONS}")
        if any(job.coverage.failed for job in measured if job.coverage is not None):
            merged.problems.append(f"coverage: a job has less than the minimum, which is checked here: {ADD_OPTIONS}")
        return merged
    merged.missing.update(_list_missing(jobs, results))
    labels = [label for label in results if any(job.coverage and label in job.coverage.data for job in jobs)]
    if not labels:
        merged.problems.append("coverage: no report, because no job has data (those of --py-images-shard have)")
        return merged
    merged.reporter = choose_reporter(results[label] for label in labels)

    def work(place: Place) -> int:
        with tempfile.TemporaryDirectory(prefix="pyimages-coverage-") as folder:
            job = replace(_write_data(measured, labels, Path(folder)), failures=_count_failures(results))
            problem = _make_report(place, merged, job)
        if problem:
            raise PyimagesError(problem)
        return 0

    try:
        run_at_project([f"--py-images={merged.reporter}", *args], work)
    except PyimagesError as error:
        merged.problems.append(f"coverage: the report could not be made on {merged.reporter}: {error}")
    return merged


def _list_missing(jobs: Sequence[JobReport], results: Mapping[str, ImageResult]) -> Iterator[tuple[str, str]]:
    """Yield image, or image and shard, and why its data are not there."""
    found = set[str]()
    for job in jobs:
        for label, result in job.results.items():
            found.add(label)
            if job.coverage is not None and label in job.coverage.data:
                continue
            reason = "" if job.coverage is None else job.coverage.missing.get(label, "")
            if result.outcomes or result.problem:  # else a shard without tests
                part = label if result.shard is None else f"{label} shard {result.shard}"
                yield part, reason or ("it was not tested to its end" if result.problem else "it measured nothing")
    yield from ((label, "it was not tested to its end") for label in results if label not in found)


def _count_failures(results: Mapping[str, ImageResult]) -> int:
    required = [result for result in results.values() if not result.allowed_to_fail]
    return sum(result.counts["failed"] + result.counts["error"] for result in required)


def _write_data(jobs: Sequence[JobReport], labels: Sequence[str], folder: Path) -> CoverageJob:
    """Write the data of all jobs to files; return the job without the settings of this project."""
    parts = [
        (label, job.coverage.data[label], job.coverage.root)
        for label in labels
        for job in jobs
        if job.coverage is not None and label in job.coverage.data
    ]
    paths = [folder / str(number) for number in range(len(parts))]
    for path, (_, data, _) in zip(paths, parts, strict=True):
        path.write_bytes(data)
    return CoverageJob(
        labels=tuple(label for label, _, _ in parts),
        paths=tuple(paths),
        sizes=tuple(len(data) for _, data, _ in parts),
        roots=tuple(dict.fromkeys(root for _, _, root in parts)),
        failures=0,
        contexts=False,
    )


def _make_report(place: Place, merged: MergedCoverage, job: CoverageJob) -> str:
    """Make the report; return the problem if that fails, or else an empty string."""
    plan, settings = place.plan(), place.settings
    root = str(plan.source.root)
    roots = dict.fromkeys((root, *job.roots))
    job = replace(job, roots=tuple(roots), contexts=settings.coverage_contexts)
    labels = list(dict.fromkeys(job.labels))
    with (
        connect_engine(place) as engine,
        closing(Schedule([engine], settings, plan.source, build_only=True)) as schedule,
    ):
        (build,) = build_images(schedule, plan)
        if build.error is not None or build.image is None:
            return str(build.error or "the image was not built")
        merged.report = report = CoverageReport(labels, make_destinations(settings.invocation))
        columns = shutil.get_terminal_size().columns
        with closing(report.files):
            problem = make_report(schedule, merged.reporter, job, report, columns=columns)
    unusable = report.covered.unusable if report.covered is not None else ()
    merged.missing.update(
        (label, f"its data cannot be read ({reason})") for label, reason in unusable if label in labels
    )
    merged.problems += report.files.problems
    return problem
