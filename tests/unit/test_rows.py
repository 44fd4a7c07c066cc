"""Tables and lines of images, in terminals of any width."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult
from pytest_pyimages.results.rows import all_in_one_line, image_lines, remark
from pytest_pyimages.results.terminal import image_table, write_summary

LABELS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.14-slim", "3.15-rc")
LONG = "tests/test_representation.py::test_repr_is_stable_across_versions"


def result(label: str, *, allowed: bool = False, **outcomes: str) -> ImageResult:
    made = ImageResult(label=label, reference=f"python:{label}", allowed_to_fail=allowed, python="3.14.4", ended=True)
    made.exit_status = int("failed" in outcomes.values())
    for name, outcome in outcomes.items():
        made.count({"long": LONG}.get(name, name), outcome)
    return made


def summary(results: Sequence[ImageResult], width: int) -> list[str]:
    """What the section of the images looks like, below its title."""
    from _pytest.config import get_config
    from _pytest.terminal import TerminalReporter

    config = get_config()
    config.parse([])  # its options' defaults
    file = io.StringIO()
    terminal = TerminalReporter(config, file)
    terminal._tw.fullwidth = width
    write_summary(terminal, {one.label: one for one in results}, collect_only=False, notes=())
    return file.getvalue().splitlines()[1:]


def seven() -> list[ImageResult]:
    failing = ("3.14", "3.14-slim")
    return [
        result(
            label,
            long="failed" if label in failing else "passed",
            t="skipped" if label == "3.10" else "failed" if label == "3.15-rc" else "passed",
            allowed=label == "3.15-rc",
        )
        for label in LABELS
    ]


def test_columns_where_there_is_room() -> None:
    lines = summary(seven(), 150)
    assert lines[0].split() == ["image", "python", "passed", "failed", "skipped", "build", "run"]
    assert lines[9].split() == ["differs", "between", "images", *LABELS]
    assert [line.split() for line in lines if LONG in line] == [[LONG, *"....FF."]]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_lines_where_there_is_none(width: int) -> None:
    lines = summary(seven(), width)
    place = lines.index(" differs between images")
    assert lines[place + 1 :] == [
        " fails on 3.14, 3.14-slim",
        f"   {LONG}",
        "     F on 3.14, 3.14-slim",
        " fails only on 3.15-rc",
        "   t",
        "     s on 3.10 · F on 3.15-rc",
    ]
    assert all(len(line) <= width for line in lines[:place] if "allowed" not in line)


def test_images_in_lines() -> None:
    lines = summary(seven(), 40)
    assert lines[:2] == [" 3.10 (3.14.4): 1 passed, 1 skipped", "   build - · run -"]
    assert lines[12:14] == [" 3.15-rc? (3.14.4): 1 failed, 1 passed", "   build - · run - · allowed to fail"]


def test_a_long_remark_needs_no_room() -> None:
    lines = summary([result("3.12", t="passed"), result("3.15-rc", t="passed", allowed=True)], 80)
    assert lines[2].split()[:2] == ["3.15-rc?", "3.14.4"]
    assert lines[2].endswith("passes although it may fail: the ? can go")


def test_a_short_id_needs_little_room() -> None:
    lines = summary([result("3.12", t="passed"), result("3.13", t="failed")], 60)
    assert " differs between images" not in lines
    assert any(line.split() == ["t", ".", "F"] for line in lines)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([result("3.12", a="passed", b="passed"), result("3.13", a="passed", b="passed")], "3.12, 3.13: 2 passed"),
        (
            [result("3.12", a="passed", b="skipped"), result("3.13", a="xfailed"), result("3.15-rc", allowed=True)],
            "3.12: 1 passed, 1 skipped · 3.13: 1 xfailed · 3.15-rc?: no tests",
        ),
        ([result("3.12", a="error", b="error"), result("3.13", a="error")], "3.12: 2 errors · 3.13: 1 error"),
    ],
)
def test_all_in_one_line(results: list[ImageResult], expected: str) -> None:
    assert all_in_one_line(results) == expected


@pytest.mark.parametrize(("problem", "expected"), [("", "interrupted · 2 not run"), ("worker died", "see below")])
def test_what_was_not_run_is_told_once(problem: str, expected: str) -> None:
    image = result("3.12", a="passed")
    image.outcomes.update(dict.fromkeys("bc", NOT_RUN))
    image.exit_status, image.ended, image.problem = None, bool(problem), problem
    assert remark(image) == expected


def test_what_was_only_collected() -> None:
    image = result("3.12", t_file="error")
    image.collected = 7
    lines = list(image_lines([image], collect_only=True))
    assert lines[0] == "3.12 (3.14.4): 7 collected, 1 error"
    assert [column.header for column in image_table([image], collect_only=True).columns][2:4] == ["tests", "error"]


def test_what_collected_nothing_does_not_pass() -> None:
    nothing = result("3.15-rc", allowed=True)
    nothing.exit_status = int(pytest.ExitCode.NO_TESTS_COLLECTED)
    assert remark(nothing) == "nothing collected"
