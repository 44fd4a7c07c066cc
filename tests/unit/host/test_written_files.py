"""Which files that suites write are wanted on the host, for one image and for several."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import WantedFiles, find_wanted_files
from pytest_pyimages.host.command_line import CommandLine

ROOT = Path("/src")


def find(
    typed: str = "",
    *labels: str,
    keep: str = "",
    globs: tuple[str, ...] = (),
    configured: str = "",
    folder: str = "",
    host_options: tuple[str, ...] = (),
) -> WantedFiles:
    invocation = SimpleNamespace(
        typed=CommandLine.parse(shlex.split(typed)),
        configured=CommandLine.parse(shlex.split(configured)),
        rootdir=ROOT / folder,
        cwd=ROOT / folder,
        host_options=host_options,
    )
    settings: Any = SimpleNamespace(
        invocation=invocation, keep_changes=keep, keep_changes_is_typed=True, artifacts=globs, collect_only=False
    )
    return find_wanted_files(settings, ROOT, labels or ("3.12", "3.14"), left_out=("3.13",))


def test_nothing_is_wanted_by_default() -> None:
    assert find() == WantedFiles()


def test_single_image_keeps_the_examples_of_hypothesis() -> None:
    wanted = find("", "3.12")
    assert wanted.label == "3.12"
    assert wanted.keeps(".hypothesis/examples/ab/cd")
    assert not wanted.keeps(".hypothesis/examples2")
    assert not wanted.keeps("tests/a.txt")
    assert not wanted.asked


def test_named_image_keeps_everything() -> None:
    wanted = find(keep="3.14")
    assert wanted.patterns("3.14") == (".*",)
    assert wanted.patterns("3.12") == ()
    assert wanted.asked


@pytest.mark.parametrize(
    "option",
    [
        *("--snapshot-update", "--force-regen", "--regen-all", "--store-durations", "--inline-snapshot=create"),
        *("--inline-snapshot fix", "--inline-snapshot=report,update"),
    ],
)
def test_updating_options_need_one_image(option: str) -> None:
    assert find(option, "3.12").keeps("tests/__snapshots__/a.ambr")
    assert find(option, keep="3.14").keeps("tests/__snapshots__/a.ambr")
    with pytest.raises(ConfigurationError, match=r"--py-images-keep-changes=3\.12"):
        find(option)
    (note,) = find(configured=option).notes
    assert "stayed in the containers" in note


@pytest.mark.parametrize("option", ["--inline-snapshot=disable", "--inline-snapshot=report", "--snapshot-details"])
def test_other_options_of_these_plugins_update_nothing(option: str) -> None:
    assert find(option) == WantedFiles()


@pytest.mark.parametrize(
    ("option", "path"),
    [
        *(("--alluredir=out", "out/a.json"), ("--alluredir out", "out/a.json"), ("--ctrf=r.json", "r.json")),
        *(("--basetemp=/src/tmp", "tmp/test_a0/x"), ("--debug", "pytestdebug.log"), ("--debug=d.log", "d.log")),
        ("--testmon", ".testmondata"),
    ],
)
def test_outputs_are_kept_in_their_place_or_by_image(option: str, path: str) -> None:
    assert find(option, "3.12").keeps(path)
    assert not find(option, "3.12").is_artifact(path)
    assert find(option).is_artifact(path)
    assert find(option).asked


def test_outputs_elsewhere_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="choose a path below /src"):
        find("--alluredir=/tmp/out")
    with pytest.raises(ConfigurationError, match="would stay in the containers"):
        find("--ctrf=../r.json")
    assert "--basetemp" in find("--basetemp=/tmp/x").notes[0]


def test_what_a_plugin_of_the_host_writes_is_its_own() -> None:
    assert find("--alluredir=/tmp/out", host_options=("--alluredir",)) == WantedFiles()


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.png", ("a.png", "x/y/a.png", "x.png/b"), ("a.pngx", "a.txt")),
        ("reports", ("reports/a/b", "x/reports/a"), ("reports2/a",)),
        ("reports/*.xml", ("reports/a.xml",), ("reports/x/a.xml", "x/reports/a.xml")),
        ("out/**", ("out/a", "out/x/y"), ("a/out/b",)),
        ("**/out/?.txt", ("out/a.txt", "x/y/out/b.txt"), ("out/ab.txt",)),
        ("a[1]/+", ("a[1]/+",), ("a1/+",)),
    ],
)
def test_globs(pattern: str, matching: tuple[str, ...], others: tuple[str, ...]) -> None:
    for folder in ("", "sub"):
        prefix = f"{folder}/" if folder else ""
        wanted = find(globs=(pattern,), folder=folder)
        assert [path for path in matching if not wanted.is_artifact(prefix + path)] == []
        assert [path for path in others if wanted.is_artifact(prefix + path)] == []
        assert not wanted.is_artifact("elsewhere/other.bin")


@pytest.mark.parametrize("pattern", ["/etc/*", "../x", "a/../../b", "./a", "a//b"])
def test_globs_stay_below_the_rootdir(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="relative to the rootdir"):
        find(globs=(pattern,))


def test_label_is_one_of_the_images() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean 3\.1"):
        find(keep="3.11")
    assert find(keep="3.13") == WantedFiles(), "requested, but not part of this session"
