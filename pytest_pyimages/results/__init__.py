"""Turn the events of runs into pytest's reports, a comparison of images, and report files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.results.missing_modules import IniFile, MissingModules
    from pytest_pyimages.results.outcome import NOT_RUN, ImageResult, Shard, fold_exit_statuses
    from pytest_pyimages.results.output.coverage import CoverageReport, format_missing_coverage
    from pytest_pyimages.results.output.coverage_files import Destinations
    from pytest_pyimages.results.output.github import report_to_github
    from pytest_pyimages.results.output.json_reading import read_report
    from pytest_pyimages.results.output.json_report import make_document
    from pytest_pyimages.results.output.junit import JunitSuites
    from pytest_pyimages.results.output.live import Stages, make_stages
    from pytest_pyimages.results.output.merging import merge_reports
    from pytest_pyimages.results.output.report_files import write_reports
    from pytest_pyimages.results.output.rows import summarize_images
    from pytest_pyimages.results.output.terminal import write_failed, write_summaries, write_summary
    from pytest_pyimages.results.regressions import format_new_warnings, format_regressions
    from pytest_pyimages.results.replay.debugger import DebuggerTerminal
    from pytest_pyimages.results.replay.replay import Replay
    from pytest_pyimages.results.reports import STATUS
    from pytest_pyimages.results.verdict import Judge

__all__ = [
    "NOT_RUN",
    "STATUS",
    "CoverageReport",
    "DebuggerTerminal",
    "Destinations",
    "ImageResult",
    "IniFile",
    "Judge",
    "JunitSuites",
    "MissingModules",
    "Replay",
    "Shard",
    "Stages",
    "fold_exit_statuses",
    "format_missing_coverage",
    "format_new_warnings",
    "format_regressions",
    "make_document",
    "make_stages",
    "merge_reports",
    "read_report",
    "report_to_github",
    "summarize_images",
    "write_failed",
    "write_reports",
    "write_summaries",
    "write_summary",
]
__getattr__ = lazy_names(
    __name__,
    {
        "missing_modules": "IniFile MissingModules",
        "outcome": "ImageResult NOT_RUN Shard fold_exit_statuses",
        "output.coverage": "CoverageReport format_missing_coverage",
        "output.coverage_files": "Destinations",
        "output.github": "report_to_github",
        "output.json_reading": "read_report",
        "output.json_report": "make_document",
        "output.junit": "JunitSuites",
        "output.live": "Stages make_stages",
        "output.merging": "merge_reports",
        "output.report_files": "write_reports",
        "output.rows": "summarize_images",
        "output.terminal": "write_failed write_summaries write_summary",
        "regressions": "format_regressions format_new_warnings",
        "replay.debugger": "DebuggerTerminal",
        "replay.replay": "Replay",
        "reports": "STATUS",
        "verdict": "Judge",
    },
)
