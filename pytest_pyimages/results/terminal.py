"""What stands below the failures: a row per image, what differs between them, what to do next."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_pyimages.results.comparison import Difference, compared_labels, differences, patterns
from pytest_pyimages.results.outcome import NOT_RUN, ImageResult
from pytest_pyimages.results.reports import ALLOWED, with_label
from pytest_pyimages.results.rows import (
    LETTERS,
    SHOWN_PER_PATTERN,
    build_time,
    comparison_lines,
    counted_names,
    image_lines,
    remark,
    seconds,
    shown_label,
)

NARROWEST_ID = 40  # columns for node ids; where there are fewer, a test gets lines of its own
UNWRAPPED = 400  # columns: a row of an image stays one line, whatever a terminal makes of a long remark
STYLES = {"failed": "red", "error": "red", NOT_RUN: "red", "passed": "green", "xpassed": "yellow", "skipped": "yellow"}


def write_summary(  # noqa: PLR0913 - all that it is to show
    terminal: pytest.TerminalReporter,
    results: Mapping[str, ImageResult],
    *,
    collect_only: bool,
    notes: Sequence[str],
    again: Iterable[tuple[str, str]] = (),
    worse: Sequence[str] = (),
) -> None:
    """Write the section of the images: the table, the comparison, notes, what to do next.

    :param worse: lines on what is worse on some images than on others.
    :param again: labels of images that failed, and the command that runs what failed there once more.
    """
    quiet = terminal.config.get_verbosity() < 0
    rows = [result for result in results.values() if not quiet or result.failed]
    terminal.write_sep("=", "py-images")
    if rows:
        table = image_table(rows, remarks=False, collect_only=collect_only)
        if max(cell_len(line) for line in _drawn(table, UNWRAPPED)) <= _width(terminal):
            table = image_table(rows, collect_only=collect_only)
            _write(terminal, _drawn(table, UNWRAPPED, has_markup=terminal.hasmarkup))
        else:
            _write(terminal, [f" {line}" for line in image_lines(rows, collect_only=collect_only)])
        for told, ones in _said(rows).items():
            labels = ", ".join(result.label for result in ones)
            terminal.write_line(f" {labels}  {told}", red=not all(result.allowed_to_fail for result in ones))
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


def write_failed(terminal: pytest.TerminalReporter, results: Mapping[str, ImageResult]) -> None:
    """Write what pytest ends with, where no session has reported anything: a line per failure, and the counts."""
    lines = [line for result in results.values() for line in _failed_lines(result)]
    if lines:
        terminal.write_sep("=", "short test summary info")
        _write(terminal, lines)
    counts: dict[str, int] = {}
    for result in results.values():
        for category, count in result.counts.items():
            is_allowed = result.allowed_to_fail and not result.incomplete and category in ("failed", "error")
            name = ALLOWED if is_allowed else category
            counts[name] = counts.get(name, 0) + count
    if counts.get("error", 0) > 1:
        counts["errors"] = counts.pop("error")
    told = ", ".join(f"{counts[name]} {name}" for name in sorted(counts, key=_rank_of) if counts[name])
    failed = any(one.failed for one in results.values() if one.incomplete or not one.allowed_to_fail)
    terminal.write_sep("=", told or "no tests", bold=True, red=failed, green=not failed)


_FIRST = (
    "failed",
    "passed",
    "skipped",
    "xfailed",
    "xpassed",
    "error",
    "errors",
    ALLOWED,
)  # as pytest's last line has them


def _rank_of(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _failed_lines(result: ImageResult) -> Iterator[str]:
    for nodeid, outcome in result.outcomes.items():
        if outcome in ("failed", "error"):
            word = "ALLOWED" if result.allowed_to_fail else outcome.upper()
            failure = result.failures.get(nodeid)
            message = f" - {' '.join(failure.message.split())}" if failure is not None and failure.message else ""
            yield f"{word} {with_label(nodeid, result.label)}{message}"
    if result.problem:
        word = "ALLOWED" if result.allowed_to_fail and not result.incomplete else "ERROR"
        yield f"{word} {with_label('', result.label)} - {result.problem}"


def _said(results: Sequence[ImageResult]) -> dict[str, list[ImageResult]]:
    """Return what is to be told of images in a line each; of those of which the same is told, once."""
    said: dict[str, list[ImageResult]] = {}
    for result in results:
        # The advice is part of a problem.
        for told in (result.problem,) if result.problem else (result.stopped, result.advice):
            if told:
                said.setdefault(told, []).append(result)
    return said


def image_table(results: Sequence[ImageResult], *, remarks: bool = True, collect_only: bool = False) -> Table:
    """Return a row per image: version, counts, build and run time, what is special about it."""
    names = counted_names(results, collect_only=collect_only)
    table = _table()
    table.add_column("image", no_wrap=True)
    table.add_column("python", no_wrap=True)
    for name in (*(["tests"] if collect_only else []), *names):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("build", justify="right", no_wrap=True)
    table.add_column("run", justify="right", no_wrap=True)
    table.add_column("")
    for result in results:
        counts = [Text(str(result.counts.get(name, 0)), style=_count_style(name, result)) for name in names]
        if collect_only:
            counts.insert(0, Text(str(result.collected)))
        table.add_row(
            Text(shown_label(result), style="red" if result.failed else "green"),
            result.python,
            *counts,
            build_time(result),
            seconds(result.run_seconds),
            Text(remark(result) if remarks else ""),
        )
    return table


def _count_style(name: str, result: ImageResult) -> str:
    return STYLES.get(name, "yellow") if result.counts.get(name, 0) else "dim"


def _write_allowed(terminal: pytest.TerminalReporter) -> None:
    """Show the failures that fail nothing: pytest has no place of its own for them."""
    allowed = terminal.stats.get(ALLOWED, ())
    if not allowed:
        return
    if terminal.config.option.tbstyle != "no" and terminal.config.get_verbosity() >= 0:
        for report in allowed:
            terminal.write_sep("_", f"{report.head_line or report.nodeid} ({ALLOWED})", yellow=True)
            report.toterminal(terminal._tw)  # noqa: SLF001 - as pytest's own summary of failures does
    for report in allowed:
        crash = getattr(report.longrepr, "reprcrash", None)
        first = crash.message.splitlines()[0] if crash is not None and crash.message else ""
        terminal.write_line(f" ALLOWED {report.nodeid}" + (f" - {first}" if first else ""), yellow=True)


def _write_comparison(terminal: pytest.TerminalReporter, results: Mapping[str, ImageResult], *, quiet: bool) -> None:
    labels = compared_labels(results)
    if len(labels) < 2:
        return
    found = differences(results)
    terminal.write_line("")
    if found and _has_room(terminal, labels, found):
        _write(terminal, _drawn(comparison_table(labels, found), _width(terminal), has_markup=terminal.hasmarkup))
    elif found:
        _write(terminal, [" differs between images", *(f" {line}" for line in comparison_lines(labels, found))])
    elif not quiet and all(result.outcome in ("passed", "failed", "nothing collected") for result in results.values()):
        total = len(results[labels[0]].outcomes)
        tests = "1 test agrees" if total == 1 else f"all {total} tests agree"
        terminal.write_line(f" {tests} on {len(labels)} images")


def _has_room(terminal: pytest.TerminalReporter, labels: tuple[str, ...], found: tuple[Difference, ...]) -> bool:
    """Whether columns of images leave enough for the node ids."""
    longest = max(cell_len(difference.nodeid) for difference in found)
    # A space at each side of a column, and an indent of two.
    return _width(terminal) - sum(cell_len(label) + 2 for label in labels) >= min(longest, NARROWEST_ID) + 4


def comparison_table(labels: tuple[str, ...], found: tuple[Difference, ...]) -> Table:
    """Return the tests that differ, grouped by what they have in common, with a column per image."""
    table = _table()
    table.add_column("differs between images", overflow="fold")
    for label in labels:
        table.add_column(label, justify="center", no_wrap=True)
    for pattern, members in patterns(labels, found):
        table.add_row(Text(pattern, style="bold"))
        for difference in members[:SHOWN_PER_PATTERN]:
            letters = [Text(LETTERS.get(value, "?"), style=STYLES.get(value, "")) for value in difference.outcomes]
            table.add_row(Text("  " + difference.nodeid), *letters)
        if len(members) > SHOWN_PER_PATTERN:
            table.add_row(Text(f"  … and {len(members) - SHOWN_PER_PATTERN} more"))
    return table


def _table() -> Table:
    return Table(box=None, pad_edge=True, header_style="", show_edge=False)


def _width(terminal: pytest.TerminalReporter) -> int:
    return int(terminal._tw.fullwidth)  # noqa: SLF001 - get_terminal_writer is not on the reporter


def _drawn(table: Table, width: int, *, has_markup: bool = False) -> list[str]:
    """Draw with rich, write with pytest: one place decides on colours, width and where output goes."""
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=has_markup,
        color_system="standard" if has_markup else None,
        highlight=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def _write(terminal: pytest.TerminalReporter, lines: Sequence[str]) -> None:
    for line in lines:
        terminal.write_line(line)
