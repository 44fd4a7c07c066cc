"""Which argument is whose."""

from __future__ import annotations

import pytest

from pytest_pyimages.host.command_line import (
    captures_nothing,
    container_arguments,
    debugs,
    host_arguments,
    measures,
    options,
    pieces,
    refused,
)
from pytest_pyimages.host.option_table import OWN_OPTIONS


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
def test_host_sees_only_its_own(args: str, expected: str) -> None:
    assert host_arguments(args.split(), OWN_OPTIONS) == expected.split()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("tests/x -n 2 --py-images 3.12 -k a", "tests/x -n 2 -k a"),
        ("--py-images=3.12 --its-own-option tests/x", "--its-own-option tests/x"),
        ("-x -- --py-images=3.12", "-x -- --py-images=3.12"),
        ("--py-images", ""),
        ("-p pyimages -p no:randomly -ppyimages -pxdist", "-p no:randomly -pxdist"),
    ],
)
def test_container_gets_everything_but_ours(args: str, expected: str) -> None:
    assert container_arguments(args.split(), OWN_OPTIONS) == expected.split()


@pytest.mark.parametrize(
    ("args", "expected"),
    [("--cov", True), ("-x --cov=shop", True), ("--cov --no-cov", False), ("-k cov --no-cov-on-fail", False)],
)
def test_whether_anything_is_measured(args: str, expected: bool) -> None:
    assert measures(args.split()) == expected


def test_values_of_coverage_are_no_paths() -> None:
    words = "--cov shop --cov-report html:page --cov -x --cov --cov=a tests --cov-config a.cfg more".split()
    found = [(piece.name, piece.value) for piece in pieces(words, OWN_OPTIONS)]
    assert found == [
        ("--cov", "shop"),
        ("--cov-report", "html:page"),
        ("--cov", None),
        ("-x", None),
        ("--cov", None),
        ("--cov", "a"),
        ("", "tests"),
        ("--cov-config", "a.cfg"),
        ("", "more"),
    ]


def test_option_values_are_kept_with_their_words() -> None:
    found = options(["-kspam", "--tb", "short", "--co", "--ours=1"], OWN_OPTIONS)
    assert [(option.name, option.value, option.tokens) for option in found] == [
        ("-k", "spam", ("-kspam",)),
        ("--tb", "short", ("--tb", "short")),
        ("--co", None, ("--co",)),
        ("--ours", "1", ("--ours=1",)),
    ]


@pytest.mark.parametrize("name", ["--pdb", "--trace", "--cache-show", "--fixtures", "--pastebin"])
def test_what_cannot_work_is_refused_with_a_reason(name: str) -> None:
    found = refused(["-q", name], OWN_OPTIONS, terminal=False)
    assert found is not None
    assert found[0] == name
    assert len(found[1]) > 10


@pytest.mark.parametrize(
    ("args", "expected"),
    [
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
    ],
)
def test_workers_elsewhere_are_refused(args: str, expected: str | None) -> None:
    found = refused(args.split(), OWN_OPTIONS, terminal=False)
    assert (found[0] if found else None) == expected


def test_a_value_is_not_taken_for_an_option() -> None:
    assert refused(["-k", "--pdb"], OWN_OPTIONS, terminal=False) is None


def test_a_debugger_is_not_refused_where_there_is_a_terminal() -> None:
    assert refused(["--pdb", "--trace"], OWN_OPTIONS, terminal=True) is None
    assert debugs(["-q", "--trace", "-k", "--pdb"], OWN_OPTIONS) == "--trace"
    assert not debugs(["-k", "--pdb"], OWN_OPTIONS)


@pytest.mark.parametrize(
    ("args", "expected"),
    [("-s", True), ("-vs", True), ("--capture=no", True), ("--capture=fd", False), ("-k s", False)],
)
def test_capture_switched_off_is_seen(args: str, expected: bool) -> None:
    assert captures_nothing(args.split(), OWN_OPTIONS) is expected
