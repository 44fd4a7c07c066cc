"""Tables and lines of images in terminals of any width."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult, Shard
from pytest_pyimages.results.output.rows import format_image_lines, make_remark, summarize_images
from pytest_pyimages.results.output.terminal import append_cause, format_image_table, write_summary
from tests.support.results import make_result

LABELS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.14-slim", "3.15-rc")
LONG = "tests/test_representation.py::test_repr_is_stable_across_versions"


@pytest.fixture(autouse=True)
def _no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PY_COLORS", "0")  # in CI, FORCE_COLOR is set


def result(label: str, *, allowed: bool = False, **outcomes: str) -> ImageResult:
    by_nodeid = {{"long": LONG}.get(name, name): outcome for name, outcome in outcomes.items()}
    status = int("failed" in outcomes.values())
    return make_result(label, by_nodeid, allowed_to_fail=allowed, python="3.14.4", ended=True, exit_status=status)


def summary(results: Sequence[ImageResult], width: int, *options: str) -> list[str]:
    """What the section of the images looks like, below its title."""
    from _pytest.config import get_config
    from _pytest.terminal import TerminalReporter

    config = get_config()
    config.parse([*options])
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


def test_columns_if_there_is_room() -> None:
    lines = summary(seven(), 150)
    assert lines[0].split() == ["image", "python", "passed", "failed", "skipped", "build", "run"]
    assert lines[9].split() == ["differs", "between", "images", *LABELS[:-1], "3.15-rc?"]
    assert [line.split() for line in lines if LONG in line] == [[LONG, *"....FF."]]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_lines_on_narrow_terminals(width: int) -> None:
    lines = summary(seven(), width)
    place = lines.index(" differs between images")
    assert lines[place + 1 :] == [
        " fails on 3.14, 3.14-slim",
        f"   {LONG}",
        " fails only on 3.15-rc?",
        "   t",
        "     s on 3.10 · F on 3.15-rc?",
    ]
    assert all(len(line) <= width for line in lines[:place] if "allowed" not in line)


def test_images_in_lines() -> None:
    lines = summary(seven(), 40)
    assert lines[:2] == [" 3.10 (3.14.4): 1 passed, 1 skipped", "   build - · run -"]
    assert lines[12:14] == [" 3.15-rc? (3.14.4): 1 failed, 1 passed", "   build - · run - · allowed to fail"]


def test_long_remark_needs_no_room() -> None:
    lines = summary([result("3.12", t="passed"), result("3.15-rc", t="passed", allowed=True)], 80)
    assert lines[2].split()[:2] == ["3.15-rc?", "3.14.4"]
    assert lines[2].endswith("passed although allowed to fail: remove the ?")


def test_no_remark_with_collect_only() -> None:
    image = replace(result("3.15-rc", allowed=True), collected=9)
    assert make_remark(image) == ""


def test_remark_names_one_of_several_engines() -> None:
    image = replace(result("3.12", a="passed"), engine="ssh://b", shard=Shard(index=1, of=3, collected=9, tests=1))
    assert make_remark(image) == "on ssh://b · shard 1/3: 1 of 9 tests"


def test_remark_of_a_passing_shard() -> None:
    shard = Shard(index=1, of=3, collected=9, tests=1)
    image = replace(result("3.15-rc", t="passed", allowed=True), shard=shard)
    assert make_remark(image) == "shard 1/3: 1 of 9 tests"


def test_short_id_needs_little_room() -> None:
    lines = summary([result("3.12", t="passed"), result("3.13", t="failed")], 60)
    assert " differs between images" not in lines
    assert any(line.split() == ["t", ".", "F"] for line in lines)


def test_columns_leave_room_for_their_title() -> None:
    lines = summary([result("3.12", t="passed"), result("3.14-slim", allowed=True, t="failed")], 40)
    place = lines.index(" differs between images")
    assert lines[place + 1 :] == [" fails only on 3.14-slim?", "   t"]


def test_long_id_stays_in_one_piece() -> None:
    """An id is there to be copied; the columns stand below it."""
    name = "tests/test_x.py::test_x[" + "x" * 200 + " y-z]"
    others = {"3.12": ("passed", "passed"), "3.13": ("failed", "failed"), "3.14-slim": ("failed", "skipped")}
    images = [make_result(label, {"t": short, name: long}, ended=True) for label, (short, long) in others.items()]
    lines = summary(images, 80)
    place = lines.index(f"   {name}")
    head = next(line for line in lines if line.startswith(" differs"))
    assert [lines[place + 1].index(letter) for letter in ".Fs"] == [
        head.index("3.12") + 1,
        head.index("3.13") + 1,
        head.index("3.14-slim") + 4,
    ]
    assert all(len(line) <= 80 for line in lines if line != f"   {name}")


@pytest.mark.parametrize("width", [50, 150])
def test_many_differences_are_cut_and_v_shows_all(width: int) -> None:
    names = [f"tests/test_many.py::test_{number:03}" for number in range(200)]
    images = [
        make_result(label, dict.fromkeys(names, outcome), ended=True)
        for label, outcome in (("3.12", "passed"), ("3.13", "failed"))
    ]
    lines = summary(images, width)
    assert [name for name in names if any(name in line for line in lines)] == names[:20]
    assert "   … and 180 more; -v shows all" in lines
    lines = summary(images, width, "-v")
    assert [name for name in names if any(name in line for line in lines)] == names


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("X", " ALLOWED t[3.15-rc] - one two..."), ("CI", " ALLOWED t[3.15-rc] - one two three four")],
)
def test_allowed_failure_is_cut_to_the_width(monkeypatch: pytest.MonkeyPatch, variable: str, expected: str) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    monkeypatch.setenv(variable, "1")
    cause = "one two three four"
    assert append_cause(" ALLOWED t[3.15-rc]", cause, 32) == expected
    assert append_cause(" ALLOWED t[3.15-rc]", cause, 40) == f" ALLOWED t[3.15-rc] - {cause}"
    assert append_cause(" ALLOWED t[3.15-rc]", "", 10) == " ALLOWED t[3.15-rc]", "an id is there to be copied"


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("passed", " all 3 tests agree on 2 images, 2 skipped everywhere"),
        ("failed", " skipped everywhere: 2 tests"),
    ],
)
def test_tests_skipped_everywhere_are_shown(second: str, expected: str) -> None:
    images = [
        result("3.12", a="passed", b="skipped", c="skipped"),
        result("3.13", a=second, b="skipped", c="skipped"),
    ]
    lines = summary(images, 80)
    assert lines[-1] == expected
    assert summary(images, 80, "-v")[-3:] == [expected, "   b", "   c"]


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
def test_images_on_one_line(results: list[ImageResult], expected: str) -> None:
    assert summarize_images(results) == expected


@pytest.mark.parametrize(("problem", "expected"), [("", "interrupted · 2 not run"), ("worker died", "see below")])
def test_tests_not_run_are_shown_once(problem: str, expected: str) -> None:
    outcomes = {"a": "passed", "b": NOT_RUN, "c": NOT_RUN}
    image = make_result("3.12", outcomes, ended=bool(problem), problem=problem)
    assert make_remark(image) == expected


def test_collected_tests() -> None:
    image = replace(result("3.12", t_file="error"), collected=7)
    lines = list(format_image_lines([image], collect_only=True))
    assert lines[0] == "3.12 (3.14.4): 7 collected, 1 error"
    assert format_image_table([image], collect_only=True)[0].split()[2:4] == ["tests", "error"]


def test_remark_without_tests() -> None:
    nothing = replace(result("3.15-rc", allowed=True), exit_status=int(pytest.ExitCode.NO_TESTS_COLLECTED))
    assert make_remark(nothing) == "nothing collected"
