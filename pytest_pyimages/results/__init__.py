"""From a run's events to what people read: pytest's reports, the comparison, the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.results.missing_modules import IniFile, MissingModules
    from pytest_pyimages.results.outcome import NOT_RUN, ImageResult, Shard, exit_status
    from pytest_pyimages.results.output.coverage import CoverageReport, missing_lines
    from pytest_pyimages.results.output.coverage_files import Destinations
    from pytest_pyimages.results.output.github import tell_github
    from pytest_pyimages.results.output.json_reading import read_report
    from pytest_pyimages.results.output.json_report import as_document
    from pytest_pyimages.results.output.junit import JunitSuites
    from pytest_pyimages.results.output.live import Stages, stages
    from pytest_pyimages.results.output.merging import merged
    from pytest_pyimages.results.output.report_files import write_reports
    from pytest_pyimages.results.output.rows import all_in_one_line
    from pytest_pyimages.results.output.summaries import write_summaries
    from pytest_pyimages.results.output.terminal import write_failed, write_summary
    from pytest_pyimages.results.regressions import regression_lines, tomorrow_lines
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
    "all_in_one_line",
    "as_document",
    "exit_status",
    "merged",
    "missing_lines",
    "read_report",
    "regression_lines",
    "stages",
    "tell_github",
    "tomorrow_lines",
    "write_failed",
    "write_reports",
    "write_summaries",
    "write_summary",
]
__getattr__ = lazy_names(
    __name__,
    {
        "missing_modules": "IniFile MissingModules",
        "outcome": "ImageResult NOT_RUN Shard exit_status",
        "output.coverage": "CoverageReport missing_lines",
        "output.coverage_files": "Destinations",
        "output.github": "tell_github",
        "output.json_reading": "read_report",
        "output.json_report": "as_document",
        "output.junit": "JunitSuites",
        "output.live": "Stages stages",
        "output.merging": "merged",
        "output.report_files": "write_reports",
        "output.rows": "all_in_one_line",
        "output.summaries": "write_summaries",
        "output.terminal": "write_failed write_summary",
        "regressions": "regression_lines tomorrow_lines",
        "replay.debugger": "DebuggerTerminal",
        "replay.replay": "Replay",
        "reports": "STATUS",
        "verdict": "Judge",
    },
)
