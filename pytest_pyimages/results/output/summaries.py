"""What plugins and conftests of the suites write at the end: tables of benchmarks, tests that were run again, ..."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_pyimages.results.outcome import ImageResult


def write_summaries(terminal: pytest.TerminalReporter, results: Iterable[ImageResult]) -> None:
    """Write a section for each different text, with the names of the images whose suites wrote it."""
    texts: dict[str, list[str]] = {}
    for result in results:
        text = "\n".join(line.rstrip() for line in result.summary.strip("\n").splitlines())
        if text:
            texts.setdefault(text, []).append(result.label)
    for text, labels in texts.items():
        terminal.write_sep("=", f"summary of {', '.join(labels)}")
        terminal.write_line(text)
