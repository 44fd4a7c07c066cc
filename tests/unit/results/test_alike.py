"""Failures of one test that differ in numbers only are one, with the differences listed."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pyimages.results.alike import group_failures, list_differences

TRACEBACK = """\
    def test_it():
>       assert sys.version_info.minor == 1
E       AssertionError: assert {minor} == 1
E        +  where {minor} = <object at 0x{address}>.minor

{place}: AssertionError"""


def failure(minor: int = 12, address: str = "7f1a", place: str = "test_it.py:4", **others: Any) -> dict[str, Any]:
    text = TRACEBACK.format(minor=minor, address=address, place=place)
    return {"phase": "call", "message": f"assert {minor} == 1", "text": text, "sections": [], **others}


@pytest.mark.parametrize(
    ("other", "groups"),
    [
        pytest.param(failure(14, "9e3b"), [["3.12", "3.14"]], id="a version and an address"),
        pytest.param(failure(place="/usr/lib/python3.14/json.py:9"), [["3.12"], ["3.14"]], id="one frame less of ours"),
        pytest.param(failure(place="test_it.py:7"), [["3.12"], ["3.14"]], id="another line of the test"),
        pytest.param(failure(phase="teardown"), [["3.12"], ["3.14"]], id="another phase"),
        pytest.param(failure(text="E   TypeError: no"), [["3.12"], ["3.14"]], id="another exception"),
        pytest.param(failure(sections=[["stdout", "x"]]), [["3.12", "3.14"]], id="other output"),
    ],
)
def test_groups(other: dict[str, Any], groups: list[list[str]]) -> None:
    assert [list(group) for group in group_failures({"3.12": failure(), "3.14": other})] == groups


def test_libraries_of_another_python_are_the_same_failure() -> None:
    texts = {
        label: f"test_it.py:4: \n{path}:{line}: in loads\n    {source}\nE   ValueError: no\n\n{path}:{line}: ValueError"
        for label, path, line, source in (
            ("3.12", "/usr/local/lib/python3.12/json/decoder.py", 337, "a = 1"),
            ("3.14", "../usr/local/lib/python3.14/json/decoder.py", 345, "b = 2"),
        )
    }
    (group,) = group_failures({label: failure(text=text) for label, text in texts.items()})
    assert list(list_differences(group)) == [("3.14", "the traceback differs")]


@pytest.mark.parametrize("text", ["", "Killed by signal 11", "x\u2028y"])
def test_text_without_marked_lines_counts_as_a_whole(text: str) -> None:
    found = {"3.12": failure(text=text, message="a"), "3.13": failure(text=text, message="a")}
    assert len(group_failures(found)) == 1
    found["3.14"] = failure(text="other", message="b")
    assert len(group_failures(found)) == 2


def test_differences() -> None:
    group = {"3.12": failure(), "3.13": failure(), "3.14": failure(14, sections=[["stdout", "hello"]])}
    assert list(list_differences(group)) == [
        ("3.12, 3.13", "E       AssertionError: assert 12 == 1"),
        ("3.14", "E       AssertionError: assert 14 == 1"),
        ("3.12, 3.13", "E        +  where 12 = <object at 0x7f1a>.minor"),
        ("3.14", "E        +  where 14 = <object at 0x7f1a>.minor"),
        ("3.14", "the captured output differs"),
    ]


def test_many_and_long_differences_are_cut() -> None:
    texts = {label: "\n".join(f"E {number} {label} {'x' * 300}" for number in range(8)) for label in ("1", "2")}
    (group,) = group_failures({label: failure(text=text) for label, text in texts.items()})
    found = list(list_differences(group))
    assert found[-1] == ("1, 2", "3 more lines differ")
    assert len(found) == 11
    assert max(len(line) for _, line in found) == 200


def test_equal_failures_have_no_differences() -> None:
    assert not list(list_differences({"3.12": failure(), "3.13": failure()}))
