"""Write what plugins and conftests of the suites print in pytest_terminal_summary, such as tables of benchmarks."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_pyimages.results.outcome import ImageResult


def write_summaries(terminal: pytest.TerminalReporter, results: Iterable[ImageResult]) -> None:
    """Write a section for each distinct text, titled with the labels of its images."""
    texts: dict[str, list[str]] = {}
    for result in results:
        text = "\n".join(line.rstrip() for line in result.summary.strip("\n").splitlines())
        if text:
            texts.setdefault(text, []).append(result.label)
    for text, labels in texts.items():
        terminal.write_sep("=", f"summary of {', '.join(labels)}")
        terminal.write_line(text)
