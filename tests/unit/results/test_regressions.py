"""Regressions against a baseline, and warnings that only the newest Pythons have."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.regressions import (
    announces_error,
    count_new_warnings,
    format_new_warnings,
    format_regressions,
)
from tests.support.results import make_result, make_run


def image(label: str, python: str = "", warnings: tuple[str, ...] = (), **tests: tuple[str, float]) -> ImageResult:
    made = make_run(label, python=python or f"{label}.1")
    made.warnings.update(dict.fromkeys(warnings, 1))
    for name, (outcome, seconds) in tests.items():
        made.count(name, outcome)
        made.durations[name] = seconds
    return made.result


def as_results(*images: ImageResult) -> dict[str, ImageResult]:
    return {one.label: one for one in images}


def test_regressions() -> None:
    base = image("3.12", a=("passed", 1.0), b=("failed", 1.0), c=("skipped", 0.1), d=("passed", 0.1), e=("passed", 2.0))
    new = image(
        "3.14",
        warnings=("UserWarning: odd",),
        a=("failed", 1.0),
        b=("failed", 1.0),
        c=("error", 0.1),
        d=("passed", 0.5),
        e=("passed", 4.0),
        f=("failed", 9.0),
    )
    assert list(format_regressions(as_results(base, new), "3.12")) == [
        "3.14 compared with 3.12: 2 newly failing, 1 slower, 1 new warning",
        "  fails   a",
        "  fails   c",
        "  slower  e  2.00s -> 4.00s",
        "  warns   UserWarning: odd",
    ]


def test_no_regressions() -> None:
    same = as_results(image("3.12", a=("passed", 1.0)), image("3.14", a=("passed", 1.4)), image("3.15"))
    assert list(format_regressions(same, "3.12")) == ["no regressions compared with 3.12"]


COMPARED = (("3.12", "passed"), ("3.14", "failed"))


def test_long_lists_are_cut() -> None:
    base, new = (make_result(label, {f"t{number}": outcome for number in range(15)}) for label, outcome in COMPARED)
    lines = list(format_regressions(as_results(base, new), "3.12"))
    assert (len(lines), lines[0], lines[-1]) == (12, "3.14 compared with 3.12: 15 newly failing", "  … and 5 more")


OLD, NEW = "DeprecationWarning: old", "DeprecationWarning: new"


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        pytest.param([image("3.12", warnings=(OLD,)), image("3.14", warnings=(OLD, NEW))], "3.14", id="newest"),
        pytest.param(
            [image("3.12"), image("3.14", warnings=(NEW,)), image("3.15-rc", "3.15.0rc1", (NEW,))],
            "3.14, 3.15-rc",
            id="prerelease",
        ),
        pytest.param([image("3.14", warnings=(NEW,)), image("3.14-slim", "3.14.1", (NEW,))], "", id="one version"),
        pytest.param([image("3.14", warnings=("UserWarning: new",)), image("3.12")], "", id="of another kind"),
        pytest.param([image("3.14", warnings=(NEW,)), image("3.12", python="odd")], "", id="no version"),
        pytest.param([image("3.12", warnings=(NEW,)), image("3.14")], "", id="gone"),
    ],
)
def test_warnings_of_the_newest_python_only(images: list[ImageResult], expected: str) -> None:
    lines = [f"warns only on {expected}", f"  {NEW}"] if expected else []
    assert list(format_new_warnings(as_results(*images))) == lines


def test_earlier_run() -> None:
    """Each image is compared with itself; images that the earlier run lacks are left out."""
    earlier = {
        "3.12": make_result("3.12", {"test_a": "passed", "test_b": "failed", "test_c": "passed"}),
        "3.13": make_result("3.13", {"test_a": "passed"}),
    }
    results = {
        "3.12": make_result("3.12", {"test_a": "failed", "test_b": "passed", "test_c": "passed", "test_d": "failed"}),
        "3.13": make_result("3.13", {"test_a": "passed"}),
        "3.14": make_result("3.14", {"test_a": "failed"}),
    }
    assert list(format_regressions(results, "last.json", earlier)) == [
        "3.12 compared with last.json: 1 newly failing, 1 newly passing",
        "  fails   test_a",
        "  passes  test_b",
    ]
    assert list(format_regressions(earlier, "last.json", earlier)) == ["no regressions compared with last.json"]
    assert list(format_regressions(results, "last.json", {"2.7": results["3.12"]})) == [
        "last.json has none of these images"
    ]


@pytest.mark.parametrize(
    ("warning", "announces"),
    [
        ("DeprecationWarning: ast.Num is deprecated and will be removed in Python 3.14", True),
        ("DeprecationWarning: 'isdst' is deprecated and slated for removal in Python 3.14", True),
        ('SyntaxWarning: "\\d" is an invalid escape sequence. Such sequences will not work in the future.', True),
        ("FutureWarning: this will raise a TypeError in 2.0", True),
        ("DeprecationWarning: use foo() instead", False),
        ("UserWarning: an error was removed", False),
    ],
)
def test_warning_that_announces_an_error(warning: str, announces: bool) -> None:
    assert announces_error(warning) is announces


def test_new_warnings_by_python() -> None:
    old, removed, other = "UserWarning: old", "DeprecationWarning: removed in 3.16", "UserWarning: other"
    images: list[dict[str, Any]] = [
        {"python": "3.14.1", "warnings": {old: 1, removed: 1}},
        {"python": "3.12.1", "warnings": {old: 3}},
        {"python": "3.15.0rc1", "warnings": {removed: 1, other: 1}},
        {"python": "3.13.0"},
        {"python": "3.15.0rc1", "warnings": {other: 2}},
        {"python": "", "warnings": {"UserWarning: unknown": 1}},
    ]
    assert count_new_warnings(images) == [("3.14", 1, 1), ("3.15", 1, 0)]
    assert count_new_warnings(images[:1]) == []
