"""Write the section of the images: a row per image, the comparison, and commands to run failures again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

import pytest

from pytest_pyimages.results.comparison import find_differences, find_skipped_everywhere, make_columns
from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.output.comparison_view import STYLES, Paint, format_comparison
from pytest_pyimages.results.output.live import is_ci_log
from pytest_pyimages.results.output.rows import (
    format_build_time,
    format_image_lines,
    format_run_time,
    list_counted,
    make_remark,
    mark_label,
)
from pytest_pyimages.results.reports import ALLOWED
from pytest_pyimages.text import align_columns, cut_to_width, display_width, join_cells


def _leave_plain(text: str, _style: str) -> str:
    return text


def write_summary(  # noqa: PLR0913 - the parts of the section
    terminal: pytest.TerminalReporter,
    results: Mapping[str, ImageResult],
    *,
    collect_only: bool,
    notes: Sequence[str],
    again: Iterable[tuple[str, str]] = (),
    worse: Sequence[str] = (),
) -> None:
    """Write the failures of images that are allowed to fail, and the section of the images.

    :param worse: lines on regressions.
    :param again: labels of images that failed, and the command that runs their failures again.
    """
    _write_allowed_failures(terminal)
    quiet = terminal.config.get_verbosity() < 0
    rows = [result for result in results.values() if not quiet or result.failed or result.stopped]
    terminal.write_sep("=", "py-images")
    if rows:
        narrowest = format_image_table(rows, remarks=False, collect_only=collect_only)
        if max(map(display_width, narrowest)) <= _width(terminal):  # a long remark may exceed it
            _write(terminal, format_image_table(rows, collect_only=collect_only, paint=_painter(terminal)))
        else:
            _write(terminal, [f" {line}" for line in format_image_lines(rows, collect_only=collect_only)])
        for message, images in _group_messages(rows).items():
            labels = ", ".join(result.label for result in images)
            terminal.write_line(f" {labels}  {message}", red=not all(result.allowed_to_fail for result in images))
    if not collect_only:
        _write_comparison(terminal, results, quiet=quiet)
    if worse:
        _write(terminal, ["", *(f" {line}" for line in worse)])
    _write_allowed(terminal)
    for note in notes:
        terminal.write_line(f" note: {note}")
    for number, (label, command) in enumerate(again):
        if not number:
            terminal.write_line("")
        terminal.write_line(f" {label} again: {command}")


def write_summaries(terminal: pytest.TerminalReporter, results: Iterable[ImageResult]) -> None:
    """Write what the suites printed outside of pytest's capture, and in pytest_terminal_summary.

    There is a section for each distinct text, with its images.
    """
    texts: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for title, printed in (("output", result.output), ("summary", result.summary)):
            text = "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())
            if text:
                texts.setdefault((title, text), []).append(result.label)
    for (title, text), labels in sorted(texts.items(), key=lambda entry: entry[0][0]):
        terminal.write_sep("=", f"{title} of {', '.join(labels)}")
        terminal.write_line(text)


def _group_messages(results: Sequence[ImageResult]) -> dict[str, list[ImageResult]]:
    """Return one-line messages, and the images that have them."""
    messages: dict[str, list[ImageResult]] = {}
    for result in results:
        # A problem includes the hint.
        for message in (result.problem,) if result.problem else (result.stopped, result.hint):
            if message:
                messages.setdefault(message, []).append(result)
    return messages


def format_image_table(
    results: Sequence[ImageResult], *, remarks: bool = True, collect_only: bool = False, paint: Paint = _leave_plain
) -> list[str]:
    """Return a header and a row per image: version, counts, build and run time, remark."""
    names = list_counted(results, collect_only=collect_only)
    numbers = [*(["tests"] if collect_only else []), *names, "build", "run"]
    rows = [["image", "python", *numbers, ""]]
    for result in results:
        counts = [result.collected] if collect_only else []
        counts += [result.counts.get(name, 0) for name in names]
        times = (format_build_time(result), format_run_time(result.run_seconds))
        rows.append(
            [mark_label(result), result.full_python, *map(str, counts), *times, make_remark(result) if remarks else ""]
        )
    header, *aligned = align_columns(rows, right=range(2, 2 + len(numbers)))
    first = 2 + collect_only
    for result, cells in zip(results, aligned, strict=True):
        cells[0] = paint(cells[0], "red" if result.failed else "green")
        for place, name in enumerate(names, first):
            cells[place] = paint(cells[place], STYLES.get(name, "yellow") if result.counts.get(name, 0) else "light")
    return [join_cells(cells) for cells in (header, *aligned)]


def _write_allowed_failures(terminal: pytest.TerminalReporter) -> None:
    """Write the tracebacks of images that are allowed to fail, which pytest's own sections leave out."""
    if terminal.config.option.tbstyle == "no" or terminal.config.get_verbosity() < 0:
        return
    allowed = terminal.getreports(ALLOWED)  # those that are not the failure of a required image as well
    if allowed:
        terminal.write_sep("=", "ALLOWED FAILURES")
        for report in allowed:
            terminal.write_sep("_", f"{report.head_line or report.nodeid} ({ALLOWED})", yellow=True)
            report.toterminal(terminal._tw)  # noqa: SLF001 - as pytest's own summary of failures does


def _write_allowed(terminal: pytest.TerminalReporter) -> None:
    """Write a line for each failure of images that are allowed to fail, as in pytest's short summary."""
    for report in terminal.stats.get(ALLOWED, ()):
        crash = getattr(report.longrepr, "reprcrash", None)
        first = crash.message.splitlines()[0] if crash is not None and crash.message else ""
        line = append_cause(f" ALLOWED {report.nodeid}", first, _width(terminal))
        terminal.write_line(line, yellow=True)


def append_cause(line: str, cause: str, width: int) -> str:
    """Return the line followed by the cause, cut to the width as pytest cuts its own; not cut in the log of a CI."""
    whole = f"{line} - {cause}" if cause else line
    if display_width(whole) <= width or is_ci_log(os.environ):
        return whole
    cut = f"{cut_to_width(whole, width - 3)}..."
    return cut if display_width(cut) > display_width(f"{line} - ...") else line


def _write_comparison(terminal: pytest.TerminalReporter, results: Mapping[str, ImageResult], *, quiet: bool) -> None:
    columns = make_columns(results)
    if len(columns) < 2:
        return
    shows_all = terminal.config.get_verbosity() > 0
    found, skipped = find_differences(results), () if quiet else find_skipped_everywhere(results)
    agrees = not quiet and all(
        result.outcome in ("passed", "failed", "nothing collected") and not result.stopped_early
        for result in results.values()
    )
    if found or skipped or agrees:
        terminal.write_line("")
    if found:
        paint = _painter(terminal)
        _write(terminal, format_comparison(columns, found, width=_width(terminal), shows_all=shows_all, paint=paint))
    if not found and agrees:
        total = len(next(result.outcomes for result in results.values() if result.is_compared))
        tests = "1 test agrees" if total == 1 else f"all {total} tests agree"
        nowhere = f", {len(skipped)} skipped everywhere" if skipped else ""
        terminal.write_line(f" {tests} on {len(columns)} images{nowhere}")
    elif skipped:
        terminal.write_line(f" skipped everywhere: {len(skipped)} {'test' if len(skipped) == 1 else 'tests'}")
    if shows_all:
        _write(terminal, [f"   {nodeid}" for nodeid in skipped])


def _width(terminal: pytest.TerminalReporter) -> int:
    return int(terminal._tw.fullwidth)  # noqa: SLF001 - get_terminal_writer is not on the reporter


def _painter(terminal: pytest.TerminalReporter) -> Paint:
    """Return what colours text if pytest colours its own output."""
    return lambda text, style: terminal._tw.markup(text, **{style: True}) if style else text  # noqa: SLF001 - as above


def _write(terminal: pytest.TerminalReporter, lines: Iterable[str]) -> None:
    for line in lines:
        terminal.write_line(line)
