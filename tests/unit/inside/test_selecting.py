"""What arguments that name an image mean, once the tests are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.project_tree import write_tree
from tests.unit.inside.conftest import RunSuite, list_tests

TESTS = """
import pytest

@pytest.mark.parametrize("version", ["3.12", "other"])
def test_x(version): pass

def test_y(): pass

class TestB:
    def test_z(self): pass
"""
ALL = ["test_x[3.12]", "test_x[other]", "test_y", "TestB::test_z"]


@pytest.fixture(autouse=True)
def _tests(suite: Path) -> None:
    write_tree(suite, {"test_a.py": TESTS})


def entry(name: str, *, is_mine: bool = True, is_unique: bool = False) -> dict[str, object]:
    """Return the part of the job about an argument that may name the image 3.12."""
    nodeid = f"test_a.py::{name}"
    return {"word": f"{nodeid}[3.12]", "nodeid": nodeid, "mine": is_mine, "unique": is_unique}


def make_job(*ids: dict[str, object], **others: object) -> dict[str, Any]:
    return {"ids": list(ids), "deselected": [], "keywords": None, **others}


@pytest.mark.parametrize(
    ("ids", "arguments", "expected"),
    [
        pytest.param([entry("test_y")], ["test_a.py::test_y[3.12]"], ["test_y"], id="image"),
        pytest.param([entry("test_y", is_mine=False)], ["test_a.py::test_y[3.12]"], [], id="another image"),
        pytest.param([entry("test_x", is_mine=False)], ["test_a.py::test_x[3.12]"], ["test_x[3.12]"], id="parameter"),
        pytest.param([entry("TestB")], ["test_a.py::TestB[3.12]"], ["TestB::test_z"], id="class"),
        pytest.param(
            [entry("test_y", is_mine=False)],
            ["test_a.py::test_y[3.12]", "test_a.py::TestB", "test_a.py::test_x[other]"],
            ["TestB::test_z", "test_x[other]"],
            id="beside others",
        ),
        pytest.param(
            [entry("test_y", is_mine=False)], ["test_a.py::test_y[3.12]", "."], ALL, id="selected by another, too"
        ),
        pytest.param([entry("test_y", is_mine=False)], ["test_a.py"], ALL, id="value of an option"),
    ],
)
def test_ids_that_may_name_an_image(
    run_suite: RunSuite, ids: list[dict[str, object]], arguments: list[str], expected: list[str]
) -> None:
    record = run_suite("selection", make_job(*ids), *arguments)
    assert sorted(list_tests(record)) == sorted(f"test_a.py::{name}" for name in expected)


def test_a_test_of_a_package(suite: Path, run_suite: RunSuite, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(suite, {"shop/__init__.py": "", "shop/test_b.py": "def test_b(): pass\ndef test_c(): pass\n"})
    monkeypatch.syspath_prepend(suite)
    word = "shop.test_b::test_b"
    ids = {"word": f"{word}[3.12]", "nodeid": word, "mine": True, "unique": False}
    assert list_tests(run_suite("selection", make_job(ids), "--pyargs", f"{word}[3.12]")) == ["shop/test_b.py::test_b"]


@pytest.mark.parametrize(
    ("job", "arguments", "text"),
    [
        (
            make_job(entry("test_x", is_unique=True)),
            ["test_a.py::test_x[3.12]"],
            "test_x[3.12] is the id of a test, too; to select that test, add an image: test_a.py::test_x[3.12][3.12]",
        ),
        (
            make_job(keywords={"expression": "3.12", "operands": ["3.12"], "folded": "", "unique": True}),
            ["-k", "3.12"],
            "-k: 3.12 is a part of test names, too; select images with --py-images and tests by their ids",
        ),
    ],
    ids=["id", "-k"],
)
def test_what_may_mean_both_is_an_error(
    run_suite: RunSuite, capsys: pytest.CaptureFixture[str], job: dict[str, Any], arguments: list[str], text: str
) -> None:
    record = run_suite("selection", job, *arguments)
    assert (record.ret, list_tests(record)) == (pytest.ExitCode.USAGE_ERROR, [])
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keywords", "expression", "expected"),
    [
        pytest.param({"operands": ["3.13"], "folded": "test_y"}, "3.13 and test_y", ["test_y"], id="true"),
        pytest.param({"operands": ["3.13"], "folded": None}, "3.13 and test_y", [], id="false"),
        pytest.param({"operands": ["3.12"], "folded": ""}, "3.12", ["test_x[3.12]"], id="names have it"),
        pytest.param(
            {"operands": ["3.13"], "folded": None, "expression": "x"}, "test_y", ["test_y"], id="of the suite"
        ),
    ],
)
def test_images_in_keywords(
    run_suite: RunSuite, keywords: dict[str, object], expression: str, expected: list[str]
) -> None:
    job = make_job(keywords={"expression": expression, "unique": False, **keywords})
    record = run_suite("selection", job, "-k", expression)
    assert list_tests(record) == [f"test_a.py::{name}" for name in expected]
    deselected = sum(len(call.items) for call in record.getcalls("pytest_deselected"))
    assert deselected == len(ALL) - len(expected)


@pytest.mark.parametrize(("name", "expected"), [("test_y", [ALL[0], ALL[1], ALL[3]]), ("test_x", ALL)])
def test_a_deselected_id_names_an_image_unless_a_test_has_it(
    run_suite: RunSuite, name: str, expected: list[str]
) -> None:
    nodeid = f"test_a.py::{name}"
    job = make_job(deselected=[{"word": f"{nodeid}[3.12]", "nodeid": nodeid}])
    assert list_tests(run_suite("selection", job)) == [f"test_a.py::{name}" for name in expected]
