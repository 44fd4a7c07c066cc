"""Likely typos are refused with what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import CommandLine
from pytest_pyimages.host.option_table import OPTION_NAMES
from pytest_pyimages.host.typos import check_expressions, check_options, check_positions
from tests.support.golden import message
from tests.support.invocations import make_invocation

NEW_GRAMMAR = pytest.mark.skipif(pytest.version_tuple < (8, 3), reason="-m has arguments since pytest 8.3")


@pytest.mark.parametrize(
    ("typed", "word", "meant"),
    [
        ("--py-images=3.12, 3.14-slim", "3.14-slim", "3.12,3.14-slim"),
        ("--py-images=3.12 3.14-slim? 3.13", "3.14-slim?", "3.12,3.14-slim?,3.13"),
        ("--py-images 3.12 -v 3.14", "3.14", "3.12,3.14"),
        ("--py-images=3.12, 3.13, 3.14", "3.13,", "3.12,3.13,3.14"),
        ("--py-images=3.12 latest", "latest", "3.12,latest"),
        ("--py-images=3.12 3.13..3.14", "3.13..3.14", "3.12,3.13..3.14"),
        ("3.12", "3.12", "3.12"),
    ],
)
def test_an_image_among_the_paths_is_refused(tmp_path: Path, typed: str, word: str, meant: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_positions(make_invocation(typed, cwd=tmp_path))
    assert str(refused.value) == message("host", "image-among-paths", word=word, meant=meant)


@pytest.mark.parametrize(
    "typed",
    [
        "--py-images=3.12 tests",
        "--py-images=3.12 3.13",  # there is such a folder
        "--py-images=3.12 --count 3",
        "--py-images=3.12 --timeout 3.5 tests",
        "--py-images=3.12 -n 2",
        "--py-images=3.12 -k 3.12",
        "--py-images=3.12 test_a.py::test_b 3.99 4.0 pypy:3.11",
        "--py-images=3.12 -- tests",
    ],
)
def test_paths_and_values_are_not_refused(tmp_path: Path, typed: str) -> None:
    (tmp_path / "3.13").mkdir()
    check_positions(make_invocation(typed, cwd=tmp_path))


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("-k 'test_a or'", "wrong expression passed to -k: test_a or: at column 10:"),
        ("'-k=(test_a' -m slow", "wrong expression passed to -k: (test_a: at column 8:"),
        ("'-ma b'", "wrong expression passed to -m: a b: at column 3:"),
        ("-k fine -k 'a@b and and'", "wrong expression passed to -k: a@b and and: at column 9:"),
    ],
)
@NEW_GRAMMAR
def test_wrong_expressions_are_refused(tmp_path: Path, typed: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_expressions(make_invocation(f"--py-images=3.12 {typed}", cwd=tmp_path))
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "-k ''",
        "-k 'test_a[3.12@linux/arm64] or 3.11 and not (b or [x])'",
        "-m 'not slow and device(serial=1)'",
        "-k '(' -k last_one",
        "-k 'grün or test_日本'",
    ],
)
@NEW_GRAMMAR
def test_valid_expressions_are_not_refused(tmp_path: Path, typed: str) -> None:
    check_expressions(make_invocation(f"--py-images=3.12 {typed}", cwd=tmp_path))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--py-image=3.12", "--py-images"),
        ("--pyimages=3.12", "--py-images"),
        ("--py-imags", "--py-images"),
        ("--py-images-registy=x", "--py-images-registry"),
        ("--pyimages-report=x.json", "--py-images-report"),
        ("--py-images-json=x.json", "--py-images-report=FILE.json"),
        ("--py-images-html", "--py-images-report=FILE.html"),
    ],
)
def test_an_option_that_is_similar_to_ours_is_refused(tmp_path: Path, word: str, meant: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_options(CommandLine.parse([word]), [tmp_path], list)
    assert str(refused.value) == message("host", "unknown-option", option=word.partition("=")[0], meant=meant)


def test_an_option_of_the_project_is_not_refused(tmp_path: Path) -> None:
    check_options(CommandLine.parse(["--py-image=3.12"]), [tmp_path], lambda names: [])
    (tmp_path / "conftest.py").write_text("def pytest_addoption(parser): parser.addoption('--py-image')")
    check_options(CommandLine.parse(["--py-image=3.12"]), [tmp_path], list)


def test_an_option_that_is_not_similar_is_not_refused(tmp_path: Path) -> None:
    check_options(CommandLine.parse(["--py-import-all"]), [tmp_path], list)


def test_a_value_is_not_an_option(tmp_path: Path) -> None:
    check_options(CommandLine.parse(["-k", "--py-image"]), [tmp_path], list)


@pytest.mark.parametrize("option", OPTION_NAMES)
def test_every_option_is_suggested(tmp_path: Path, option: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_options(CommandLine.parse([f"{option[:-1]}=x"]), [tmp_path], list)
    assert f"(did you mean {option}?)" in str(refused.value)
