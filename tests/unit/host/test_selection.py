"""The arguments of each image, by the node ids and expressions that name images."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.host.selection import describe_selection, selects_tests, split_by_image
from tests.support.golden import message
from tests.support.invocations import make_invocation

LABELS = ALL = ("3.12", "3.14-slim", "registry.example:5000/python:3.13")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        pytest.param("t.py::a -x", dict.fromkeys(ALL, "t.py::a -x"), id="no image named"),
        pytest.param("--py-images=3.12 't.py::a[3.14-slim]'", {"3.14-slim": "t.py::a[3.14-slim]"}, id="one"),
        pytest.param(
            "'t.py::a[registry.example:5000/python:3.13]'",
            {ALL[2]: "t.py::a[registry.example:5000/python:3.13]"},
            id="reference",
        ),
        pytest.param("'t.py::a[1-x][3.12]' -v", {"3.12": "t.py::a[1-x][3.12] -v"}, id="parameter"),
        pytest.param("'t.py::a[3.12][3.12]'", {"3.12": "t.py::a[3.12][3.12]"}, id="parameter like a label"),
        pytest.param(
            "'t.py::a[3.12' 't.py::b[3.99]' 't.py::c[]'",
            dict.fromkeys(ALL, "t.py::a[3.12 t.py::b[3.99] t.py::c[]"),
            id="no label",
        ),
        pytest.param(
            "'t.py::a[3.12]' 't.py::b[3.14-slim]' 't.py::c[3.12]'",
            {"3.12": "t.py::a[3.12] t.py::c[3.12]", "3.14-slim": "t.py::b[3.14-slim]"},
            id="each its own",
        ),
        pytest.param(
            "'t.py::a[3.12]' u.py",
            {"3.12": "t.py::a[3.12] u.py", "3.14-slim": "u.py", ALL[2]: "u.py"},
            id="without a label to all",
        ),
        pytest.param("-x -- 't.py::a[3.12]'", {"3.12": "-x -- t.py::a[3.12]"}, id="after --"),
        pytest.param("'t.py[3.12]'", {"3.12": "t.py"}, id="file"),
        pytest.param("'[3.12]' -x", {"3.12": "-x"}, id="a whole image"),
        pytest.param("'[3.12]' 't.py::a[3.12]'", {"3.12": ""}, id="a whole image and more"),
        pytest.param(
            "--deselect 't.py::a[3.12]' --deselect=u.py",
            dict.fromkeys(ALL, "--deselect 't.py::a[3.12]' --deselect=u.py"),
            id="deselect",
        ),
        pytest.param("--deselect '[3.12]'", dict.fromkeys(ALL[1:], "--deselect '[3.12]'"), id="deselect an image"),
        pytest.param("-xk 3.12 -q", {"3.12": "-x -k 3.12 -q"}, id="-k of one image"),
        pytest.param("-k 'not 3.12' -- t.py", dict.fromkeys(ALL[1:], "-k 'not 3.12' -- t.py"), id="-k of the others"),
        pytest.param("-k 3.12 -k spam", dict.fromkeys(ALL, "-k 3.12 -k spam"), id="the last -k counts"),
        pytest.param("-m 3.12 --co", dict.fromkeys(ALL, "-m 3.12 --collect-only"), id="a marker is none"),
        pytest.param("--its=own 't.py::a[3.12]'", {"3.12": "--its=own t.py::a[3.12]"}, id="no value"),
        pytest.param("--its a b 't.py[3.12]'", dict.fromkeys(ALL, "--its a b 't.py[3.12]'"), id="maybe of several"),
        pytest.param("--its-own 't.py::a[3.12]'", dict.fromkeys(ALL, "--its-own 't.py::a[3.12]'"), id="maybe a value"),
    ],
)
def test_split_by_image(tmp_path: Path, typed: str, expected: dict[str, str]) -> None:
    found = split_by_image(make_invocation(typed, cwd=tmp_path), LABELS)
    assert {label: one.words for label, one in found.items()} == {
        label: tuple(shlex.split(args)) for label, args in expected.items()
    }


def selection(typed: str, cwd: Path) -> dict[str, Any]:
    return {label: one.selection for label, one in split_by_image(make_invocation(typed, cwd=cwd), LABELS).items()}


def test_containers_decide_what_a_node_id_means(tmp_path: Path) -> None:
    entry = {"word": "t.py::a[3.12]", "nodeid": "t.py::a", "mine": True, "unique": True}
    (job,) = selection("'t.py::a[3.12]'", tmp_path).values()
    assert job == {"ids": [entry], "deselected": [], "keywords": None}
    jobs = selection("--unknown 't.py::a[3.12]'", tmp_path)
    assert [jobs[label]["ids"] for label in LABELS] == [
        [{**entry, "mine": label == "3.12", "unique": False}] for label in LABELS
    ]
    assert selection("t.py::a --unknown t.py", tmp_path) == dict.fromkeys(LABELS)


@pytest.mark.parametrize(
    ("name", "source", "for_all"),
    [
        ("test_a.py::test_v", "@parametrize('v', VERSIONS)\ndef test_v(v): pass", True),
        ("test_a.py::test_v", "# for 3.12\ndef test_v(v): pass", True),
        ("test_a.py::TestV::test_v", "@parametrize('v', V)\nclass TestV:\n    def test_v(self, v): pass", True),
        ("test_a.py::test_v", "pytestmark = [mark.parametrize('v', V)]\ndef test_v(v): pass", True),
        ("test_a.py::test_v", "def pytest_generate_tests(metafunc): pass\ndef test_v(v): pass", True),
        ("test_a.py::test_v", "def test_v(): pass\n@parametrize('v', V)\ndef test_other(v): pass", False),
        ("test_a.py::test_v[a]", "@parametrize('v', VERSIONS)\ndef test_v(v): pass", False),
        ("test_a.py::test_v[a [", "@parametrize('v', VERSIONS)\ndef test_v(v): pass", True),
        ("test_a.py::test_v", "no Python", False),
        ("test_missing.py::test_v", "", False),
    ],
)
def test_images_are_left_out_unless_there_may_be_such_a_parameter(
    tmp_path: Path, name: str, source: str, for_all: bool
) -> None:
    (tmp_path / "test_a.py").write_text(source)
    found = selection(f"'{name}[3.12]'", tmp_path)
    assert list(found) == (list(LABELS) if for_all else ["3.12"])


def test_keywords_of_images_may_be_names_of_tests(tmp_path: Path) -> None:
    keywords = {"expression": "3.12 and a", "operands": ["3.12"], "folded": "a", "unique": True}
    assert selection("-k '3.12 and a'", tmp_path) == {"3.12": {"ids": [], "deselected": [], "keywords": keywords}}
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/test_a.py").write_text("VERSIONS = ['3.12']")
    found = selection("-k '3.12 and a'", tmp_path)
    assert [found[label]["keywords"]["folded"] for label in LABELS] == ["a", None, None]
    assert not any(found[label]["keywords"]["unique"] for label in LABELS)


def test_an_image_in_a_deselected_id_is_for_the_container(tmp_path: Path) -> None:
    found = selection("--deselect 't.py::a[3.12]'", tmp_path)
    job = {"ids": [], "deselected": [{"word": "t.py::a[3.12]", "nodeid": "t.py::a"}], "keywords": None}
    assert found == {**dict.fromkeys(LABELS), "3.12": job}


def test_configured_arguments_are_left_as_they_are(tmp_path: Path) -> None:
    configured = "-k 3.12 --deselect 't.py::a[3.12]' --deselect '[3.12]' 't.py::b[3.12]'"
    found = split_by_image(make_invocation("t.py", addopts=configured, cwd=tmp_path), LABELS)
    assert {label: (one.words, one.selection) for label, one in found.items()} == dict.fromkeys(
        LABELS, (("t.py",), None)
    )


def test_an_existing_path_is_not_split(tmp_path: Path) -> None:
    (tmp_path / "data[3.12]").mkdir()
    asked = make_invocation("'data[3.12]'", cwd=tmp_path)
    assert set(split_by_image(asked, LABELS)) == set(LABELS)


def test_notes_say_what_was_taken_for_a_test(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("VERSIONS = ['3.12']")
    asked = make_invocation("'t.py::a[3.12]' 't.py::b[3.14-slim]' -k 'not 3.12'", cwd=tmp_path)
    assert list(describe_selection(asked, LABELS, ["t.py::a[3.12]", "t.py::b"])) == [
        message("host", "id-of-a-parameter", nodeid="t.py::a[3.12]", image="3.12"),
        message("host", "keyword-of-a-test", operand="3.12"),
    ]
    assert list(describe_selection(make_invocation("t.py"), LABELS, ["t.py::a[3.12]"])) == []


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", False),
        ("tests", False),
        ("tests -x .", False),
        ("tests -k a", True),
        ("tests t.py", True),
        ("t.py::a", True),
        (f"t.py::a[{'x' * 300}]", True),
        (f"{'x' * 300}/t.py", True),
        (f"tests --its-option={'x' * 300}", False),
    ],
)
def test_selects_tests(tmp_path: Path, typed: str, expected: bool) -> None:
    (tmp_path / "tests").mkdir()
    assert selects_tests(make_invocation(typed, cwd=tmp_path)) is expected
