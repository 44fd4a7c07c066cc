"""What the adapter adds to pytest's terminal reporter."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import cast

import pytest
from _pytest.config import get_config
from _pytest.terminal import TerminalReporter

from pytest_pyimages.results.replay.reporter import ReporterAdapter
from pytest_pyimages.results.reports import ReportMaker


@pytest.fixture
def reporter() -> TerminalReporter:
    config = get_config()
    config.parse(["-p", "no:terminal"])
    terminal = TerminalReporter(config, io.StringIO())
    terminal._session = cast("pytest.Session", SimpleNamespace(testscollected=1))
    config.pluginmanager.register(terminal, "terminalreporter")
    return terminal


def test_allowed_error_is_in_the_last_line_although_it_comes_last(reporter: TerminalReporter) -> None:
    adapter = ReporterAdapter(reporter.config, ["3.14", "3.15-rc"])
    reporter._set_main_color()  # what any earlier report has done
    adapter.add_allowed(ReportMaker("3.15-rc", allowed_to_fail=True).make_image_error("no such image", ""))
    parts, _ = reporter.build_summary_stats_line()
    assert [text for text, _ in parts] == ["1 allowed to fail"]
