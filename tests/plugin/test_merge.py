"""``pyimages merge``: several sessions report what one session would have reported."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.plugin.conftest import ImagesRun, run_command
from tests.support.golden import message

Run = Callable[..., ImagesRun]

PYIMAGES = str(Path(sysconfig.get_path("scripts")) / "pyimages")
IMAGES = "3.12,3.14-slim,3.15?,3.16-rc?"  # there is none of the last
SUITE = """
    import os
    import pytest

    @pytest.mark.parametrize("number", range(4))
    def test_four(number): pass
    def test_fails(): assert "3.14" not in os.environ["FAKE_IMAGE"]
    def test_fails_on_tomorrow():
        print("printed")
        assert "3.15" not in os.environ["FAKE_IMAGE"]
    @pytest.mark.xfail
    def test_expected(): assert False
    @pytest.fixture
    def broken():
        yield
        raise OSError("teardown")
    def test_both(broken): pass
    if "3.14" in os.environ["FAKE_IMAGE"]:
        def test_new(): pass
"""
SKIPPED = "import pytest\npytest.importorskip('nowhere')\ndef test_never(): pass"
TIMES = ("started", "seconds", "build_seconds", "run_seconds", "cached")


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=SUITE, test_skipped=SKIPPED, test_last="def test_last(): pass")


def job(run_images: Run, name: str, *options: str, images: str = IMAGES) -> dict[str, Any]:
    """Run a session, and keep its report by a name."""
    report = run_images(*options, images=images).report
    Path(f"{name}.json").write_text(json.dumps(report))
    return report


def merge(*args: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    out = Path("all.json")
    out.unlink(missing_ok=True)
    result = run_command(PYIMAGES, "merge", *args, "-o", str(out))
    return result, json.loads(out.read_text()) if out.exists() else {}


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    tests = [
        {**test, "seconds": sorted(test["seconds"]), "outcomes": dict(sorted(test["outcomes"].items()))}
        for test in sorted(report["tests"], key=lambda test: str(test["nodeid"]))
    ]
    images = [{key: value for key, value in image.items() if key not in TIMES} for image in report["images"]]
    return {**{key: value for key, value in report.items() if key not in TIMES}, "images": images, "tests": tests}


@pytest.mark.parametrize("number", [2, 3])
def test_merged_shards_equal_one_run(run_images: Run, number: int) -> None:
    names = [f"{index}" for index in range(1, number + 1)]
    for name in names:
        job(run_images, name, f"--py-images-shard={name}/{number}")
    whole = job(run_images, "whole")
    result, report = merge(*(f"{name}.json" for name in names))
    assert report.pop("session") == {**whole.pop("session"), "command": ""}  # each job has a command of its own
    assert without_times(report) == without_times(whole)
    assert (result.ret, whole["exit_status"]) == (1, 1)
    schema = json.loads(files("pytest_pyimages.results").joinpath("report.schema.json").read_text("utf-8"))
    jsonschema.validate(report, schema, cls=jsonschema.Draft202012Validator)
    jsonschema.validate(json.loads(Path("1.json").read_text()), schema, cls=jsonschema.Draft202012Validator)


def test_merge_prints_the_summary_of_a_run(run_images: Run) -> None:
    for index in (1, 2):
        job(run_images, f"{index}", f"--py-images-shard={index}/2", "--tb=no")
    run = run_images("--tb=no", images=IMAGES)
    result, _ = merge("1.json", "2.json")
    shown, expected = result.stdout.str(), run.out
    first, last = " differs between images", "   test_it.py::test_fails_on_tomorrow"
    assert shown[shown.index(first) : shown.index(last)] == expected[expected.index(first) : expected.index(last)]
    result.stdout.fnmatch_lines(
        [
            "=* py-images =*",
            " image  * python *",
            " 3.12 * 8 * 0 *",
            "=* short test summary info =*",
            "FAILED test_it.py::test_fails[[]3.14-slim[]] - AssertionError: assert '3.14' not in *",
            "ALLOWED test_it.py::test_fails_on_tomorrow[[]3.15[]] - *",
            "ALLOWED [[]3.16-rc[]] - no such image: python:3.16-rc *",
            "=* 1 failed, 23 passed, 3 skipped, 3 xfailed, 2 errors, 3 allowed to fail =*",
        ]
    )


def test_merge_images_of_different_jobs(run_images: Run) -> None:
    job(run_images, "old", "-k", "four or last", images="3.12")
    job(run_images, "new", "-k", "four or last", images="3.14-slim")
    result, report = merge("old.json", "new.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines([" all 6 tests agree on 2 images, 1 skipped everywhere", "=* 10 passed, 2 skipped =*"])
    assert [image["label"] for image in report["images"]] == ["3.12", "3.14-slim"]


@pytest.mark.parametrize("mark", ["", "?"])
def test_missing_shard_is_an_error(run_images: Run, mark: str) -> None:
    """Also of an image that is allowed to fail: it is not that image which failed."""
    for index in (1, 3):
        job(run_images, f"{index}", f"--py-images-shard={index}/3", "-k", "four or last", images=f"3.12{mark}")
    result, report = merge("1.json", "3.json")
    assert (result.ret, report["exit_status"], report["images"][0]["outcome"]) == (1, 1, "error")
    assert report["images"][0]["problem"].startswith("shard 2/3 is missing: ")
    result.stdout.fnmatch_lines(
        [
            " 3.12  shard 2/3 is missing: found 4 of 5 tests",
            "ERROR [[]3.12[]] - shard 2/3 is missing: *",
            "=* 4 passed, 1 skipped, 1 error =*",
        ]
    )


def test_shards_with_different_durations_are_an_error(pytester: pytest.Pytester, run_images: Run) -> None:
    """As where one machine has got the cache of an earlier run, and the other has not."""
    options = ("-k", "four or last")
    job(run_images, "1", "--py-images-shard=1/2", *options, images="3.12")
    cache = pytester.path / ".pytest_cache/v/pyimages"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "durations").write_text(json.dumps({"test_it.py::test_four[0]": 9000, "test_last.py::test_last": 1}))
    job(run_images, "2", "--py-images-shard=2/2", *options, images="3.12")
    result, report = merge("1.json", "2.json")
    if result.ret == 4:  # a test ran twice
        result.stderr.fnmatch_lines(
            ["ERROR: * on 3.12 is in both 1.json and 2.json · all shards need the same tests *"]
        )
    else:
        assert report["images"][0]["problem"].startswith("the shards were made with different recorded durations")
        assert result.ret == 1


def test_merge_keeps_durations(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeini("[pytest]\ncache_dir = .kept")
    for index in (1, 2):
        job(run_images, f"{index}", f"--py-images-shard={index}/2")
    path = pytester.path / ".kept/v/pyimages/durations"
    merge("1.json", "2.json")
    assert not path.exists()
    _, report = merge("1.json", "2.json", "--keep-durations")
    assert set(json.loads(path.read_text())) == {test["nodeid"] for test in report["tests"]} - {"test_skipped.py"}


def test_github_output(run_images: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job(run_images, "one", images="3.14-slim")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    result, _ = merge("one.json", "--github=no")
    assert "::error" not in result.stdout.str()
    assert not (tmp_path / "summary.md").exists()
    result, _ = merge("one.json")
    result.stdout.fnmatch_lines(["::error file=test_it.py,line=6,title=test_fails fails on 3.14-slim::*"])
    assert "3.14-slim" in (tmp_path / "summary.md").read_text()


def test_all_report_formats(run_images: Run) -> None:
    job(run_images, "one", images="3.12")
    assert merge("one.json", "-o", "site/all.html", "-o", "all.md")[0].ret == 1
    assert "<!doctype html>" in Path("site/all.html").read_text().lower()
    assert Path("all.md").read_text().startswith("| image | python |")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([], "pyimages merge: the following arguments are required: FILE*"),
        (["none.json"], "none.json cannot be read (No such file or directory)"),
        (["test_it.py"], "test_it.py is not JSON · name files of --py-images-report=FILE.json"),
        (
            ["none.json", "-o", "all.xml"],
            message("host", "unknown-format", origin="-o", file="all.xml"),
        ),
        (
            ["none.json", "--github=yes"],
            message("host", "invalid-value", origin="--github", value="yes", hint="choose auto or no"),
        ),
        (
            ["none.json", "--engine=x"],
            message("cli", "unknown-option", command="pyimages merge", option="--engine=x", hint="*"),
        ),
        (
            ["none.json", "--", "-x"],
            message("cli", "unknown-option", command="pyimages merge", option="--", hint="see pyimages merge --help"),
        ),
    ],
)
def test_wrong_usage(args: list[str], told: str) -> None:
    result = run_command(PYIMAGES, "merge", *args)
    assert (result.ret, result.stdout.str()) == (4, "")
    result.stderr.fnmatch_lines([f"ERROR: {told}"])
    assert len(result.stderr.lines) == 1


def test_unwritable_file(run_images: Run) -> None:
    job(run_images, "one", "-k", "last", images="3.12")
    Path("file").touch()
    result = run_command(PYIMAGES, "merge", "one.json", "-o", "file/all.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines([" note: -o: *file/all.json cannot be written (*) · choose another file"])
