"""Which arguments the host handles, and which the containers get."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from _pytest.config import get_config

from pytest_pyimages.host.command_line import POSITION, CommandLine
from pytest_pyimages.host.option_table import FLAG_NAMES, OPTION_NAMES


def parse(args: str) -> CommandLine:
    return CommandLine.parse(args.split())


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("tests/test_a.py", ""),
        ("-x -v", "-x -v"),
        ("-xvs", "-x -v"),
        ("-rA -k spam", "-rA"),
        ("-k -v", ""),
        ("-r A", "-r A"),
        ("-m slow --maxfail 2", "--maxfail 2"),
        ("--maxfail=2 --tb=short", "--maxfail=2 --tb=short"),
        ("-n auto --dist loadfile", ""),
        ("-n4 -q", "-q"),
        ("-n 4 -q", "-q"),
        ("-vn4 -q", "-v -q"),
        ("--its-own-option tests/x --durations=3", "--durations=3"),
        ("--cov=src --cov-report=xml", ""),
        ("-W error::project.Warning", ""),
        ("-o junit_family=xunit1 -o xfail_strict=true", "-o junit_family=xunit1"),
        ("-p no:randomly --junitxml out.xml", "--junitxml out.xml"),
        ("--py-images 3.12 --py-images-report=a.json", "--py-images 3.12 --py-images-report=a.json"),
        ("-q -- -x", "-q"),
        ("-", ""),
        ("--color", "--color"),
    ],
)
def test_host_arguments(args: str, expected: str) -> None:
    assert parse(args).host_arguments() == expected.split()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("tests/x -n 2 --py-images 3.12 -k a", "tests/x -n 2 -k a"),
        ("--py-images=3.12 --its-own-option tests/x", "--its-own-option tests/x"),
        ("-x -- --py-images=3.12", "-x -- --py-images=3.12"),
        ("-k --py-images=3.12", "-k --py-images=3.12"),
        ("--py-images", ""),
        ("-p pyimages -p no:randomly -ppyimages -pxdist", "-p no:randomly -pxdist"),
        ("--co -q --config-file=a.ini b --config-file c.ini", "--collect-only -q -c a.ini b -c c.ini"),
    ],
)
def test_container_arguments(args: str, expected: str) -> None:
    assert parse(args).container_arguments().words == tuple(expected.split())


def test_the_form_of_each_option_of_pytest_is_known() -> None:
    """Of the installed pytest; its parser is private."""
    parser: Any = get_config()._parser
    optparser: argparse.ArgumentParser = getattr(parser, "optparser", None) or parser._getparser()
    for action in optparser._actions:
        for name in action.option_strings:
            line = parse(f"{name} word")
            if action.nargs == 0:
                assert line.paths == ("word",), name
            else:
                assert line.values(name) == ("word",), name


@pytest.mark.parametrize("option", FLAG_NAMES)
def test_a_flag_leaves_the_next_word_to_pytest(option: str) -> None:
    line = parse(f"{option} tests")
    assert line.has(option)
    assert line.paths == ("tests",)
    assert line.host_arguments() == [option]
    assert line.container_arguments().words == ("tests",)


@pytest.mark.parametrize("option", [name for name in OPTION_NAMES if name not in FLAG_NAMES])
def test_both_forms_of_each_option_are_the_same(option: str) -> None:
    for line in (parse(f"-x {option}=2 tests"), parse(f"-x {option} 2 tests")):
        assert line.values(option) == ("2",)
        assert line.positions == ("tests",)
        assert line.container_arguments().words == ("-x", "tests")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("--cov", True),
        ("-x --cov=shop", True),
        ("--cov --no-cov", False),
        ("-k cov --no-cov-on-fail", False),
        ("-k --cov", False),
    ],
)
def test_measures_coverage(args: str, expected: bool) -> None:
    assert parse(args).measures_coverage is expected


def test_values_of_coverage_options_are_no_positions() -> None:
    line = parse("--cov shop --cov-report html:page --cov -x --cov --cov=a tests --cov-config a.cfg more")
    assert [(argument.name, argument.value) for argument in line.arguments] == [
        ("--cov", "shop"),
        ("--cov-report", "html:page"),
        ("--cov", None),
        ("-x", None),
        ("--cov", None),
        ("--cov", "a"),
        (POSITION, "tests"),
        ("--cov-config", "a.cfg"),
        (POSITION, "more"),
    ]
    assert line.positions == ("tests", "more")


def test_options_keep_their_words() -> None:
    assert [
        (option.name, option.value, option.words) for option in parse("-kspam --tb short --co --ours=1").options
    ] == [
        ("-k", "spam", ("-kspam",)),
        ("--tb", "short", ("--tb", "short")),
        ("--co", None, ("--co",)),
        ("--ours", "1", ("--ours=1",)),
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["--cov"], "-x --cov-report xml -p a -p b -- --cov"),
        ("--cov*", "-x -p a -p b -- --cov"),
        ("-x -p", "--cov=a --cov-report xml -- --cov"),
    ],
)
def test_without_some_options(names: str | list[str], expected: str) -> None:
    line = parse("-x --cov=a --cov-report xml -p a -p b -- --cov")
    assert line.without(names).words == tuple(expected.split())


def test_without_a_plugin() -> None:
    assert parse("-p a -pb -p c").without("", plugins=["b", "c"]).words == ("-p", "a")


@pytest.mark.parametrize(("args", "expected"), [("-x tests", "-x tests -q"), ("-x -- -k", "-x -q -- -k"), ("", "-q")])
def test_added_options_stand_before_the_end_of_options(args: str, expected: str) -> None:
    assert parse(args).adding("-q") == tuple(expected.split())


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        *((f"-q {name}", name) for name in "--pdb --trace --pastebin --looponfail".split()),
        ("--dist each", "--dist=each"),
        ("--dist=load", None),
        ("--dist=no", None),
        ("--tx ssh=elsewhere", "--tx"),
        ("--tx=2*popen//python=python3.9", "--tx"),
        ("--tx 2*popen --tx popen//chdir=/tmp/x", None),
        ("--tx popen//chdir=x//python=python3.9", "--tx"),
        ("--tx popenssh=x", "--tx"),
        ("--px id=proxy//socket=host:80", "--px"),
        ("-f", "-f"),
        ("-n each", None),
        ("-k --pdb", None),
    ],
)
def test_find_refused(args: str, expected: str | None) -> None:
    refused = parse(args).find_refused(terminal=False)
    assert (refused[0] if refused else None) == expected
    assert refused is None or len(refused[1]) > 10


def test_a_debugger_is_not_refused_where_there_is_a_terminal() -> None:
    assert parse("--pdb --trace").find_refused(terminal=True) is None
    assert parse("-q --trace -k --pdb").debugger == "--trace"
    assert parse("-k --pdb").debugger == ""


@pytest.mark.parametrize(
    ("args", "expected"),
    [("-s", True), ("-vs", True), ("--capture=no", True), ("-s --capture=fd", False), ("-k s", False)],
)
def test_shows_output(args: str, expected: bool) -> None:
    assert parse(args).shows_output is expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-x", "--py-images=3.12", "-k", "a and b", "tests"], "-x --py-images=3.12 -k 'a and b' tests"),
        (["--password=canary", "tests"], "--password=… tests"),
        (["--token", "canary", "tests"], "--token … tests"),
        (["--slow", "tests/test_a.py::test_x"], "--slow tests/test_a.py::test_x"),
        (["-n", "4", "--cov=shop"], "-n 4 --cov=shop"),
        (["--db-url", "postgres://me:canary@db/x"], "--db-url …"),
    ],
)
def test_values_that_may_be_passwords_are_hidden(words: list[str], expected: str, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").touch()
    assert CommandLine.parse(words).format_without_foreign_values(tmp_path) == expected
