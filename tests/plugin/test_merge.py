"""``pyimages merge``: several sessions report what one session would have reported."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.plugin.conftest import PYIMAGES, ImagesRun, run_command
from tests.support.golden import message
from tests.support.reports import read_junit, without_times

Run = Callable[..., ImagesRun]

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
    result = run_command(PYIMAGES, "merge", "-o", str(out), *args)
    return result, json.loads(out.read_text()) if out.exists() else {}


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


def read_summary(text: str) -> list[str]:
    """Return the lines that list tests and images, and pytest's last line; sorted, without times."""
    listed = re.compile(
        r" ?(FAILED|ERROR|ALLOWED|XFAIL|XPASS|SKIPPED) |py-images: .*passed|[= ]*\d+ \w+.* in \d+\.\d+s"
    )
    lines = filter(listed.match, text.splitlines())
    return sorted(re.sub(r" in \d+\.\d+s.*", "", line.strip("= ")) for line in lines)


@pytest.mark.parametrize(
    "addopts",
    [
        "",
        "-rsxXfE -k 'not four'",
        "-q -rs -k 'four or last or skipped'",
        "-qq -rN",
        "--no-summary --disable-warnings",
    ],
)
def test_merge_prints_the_summary_of_a_run(pytester: pytest.Pytester, run_images: Run, addopts: str) -> None:
    pytester.makeini(f"[pytest]\naddopts = --tb=no --continue-on-collection-errors {addopts}")
    pytester.makepyfile(test_broken="import nowhere" if "last" not in addopts else "")
    images = "3.12,3.14-slim" if "last" in addopts else IMAGES
    for index in (1, 2):
        job(run_images, f"{index}", f"--py-images-shard={index}/2", images=images)
    run = run_images(images=images)
    result, _ = merge("1.json", "2.json")
    shown = result.stdout.str()
    assert result.ret == run.result.ret
    assert read_summary(shown) == read_summary(run.out)
    first, last = " differs between images", "   test_it.py::test_fails_on_tomorrow"
    if first in run.out:
        assert shown[shown.index(first) : shown.index(last)] == run.out[run.out.index(first) : run.out.index(last)]


def test_summary_of_merged_shards(run_images: Run) -> None:
    for index in (1, 2):
        job(run_images, f"{index}", f"--py-images-shard={index}/2")
    result, _ = merge("1.json", "2.json", "--", "-rx")
    result.stdout.fnmatch_lines(
        [
            "=* py-images =*",
            " image  * python *",
            " 3.12 * 8 * 0 *",
            " ALLOWED test_it.py::test_fails_on_tomorrow[[]3.15[]] - *",
            " ALLOWED [[]3.16-rc[]] - no such image: python:3.16-rc *",
            "=* short test summary info =*",
            "XFAIL test_it.py::test_expected[[]3.12[]]",
            "=* 1 failed, 23 passed, 3 skipped, 3 xfailed, 2 errors, 3 allowed to fail in * =*",
        ]
    )
    assert "FAILED" not in result.stdout.str()


@pytest.mark.parametrize("baseline", ["3.12", "earlier.json", "3.11"])
def test_baseline_of_the_configuration_is_that_of_the_merge(
    pytester: pytest.Pytester, run_images: Run, baseline: str
) -> None:
    images = ("3.12", "3.14-slim")
    job(run_images, "earlier", "-k", "fails", "--deselect=test_it.py::test_fails", images=",".join(images))
    pytester.makeini(f"[pytest]\npy_images_baseline = {baseline}")
    for image in images:
        job(run_images, image, images=image)
    run = run_images(images=",".join(images))
    result, report = merge("3.12.json", "3.14-slim.json")
    compared = [line for line in run.out.splitlines() if "compared with" in line or line.startswith("   fails ")]
    assert bool(compared) == (baseline != "3.11")
    assert [line for line in result.stdout.lines if line in compared] == compared
    assert ("history" in report) == ("history" in run.report) == (baseline == "earlier.json")


WARNS = """
    import os, warnings
    import pytest

    @pytest.fixture(scope="session", autouse=True)
    def record(record_testsuite_property):
        record_testsuite_property("suite", "own")

    @pytest.mark.parametrize("number", range(4))
    def test_warns(number):
        warnings.warn("in all")
        if "3.14" in os.environ["FAKE_IMAGE"]:
            warnings.warn("soon gone", DeprecationWarning)
"""

WARNS_OFTEN = """
    import warnings
    import pytest

    @pytest.mark.parametrize("number", range(14))
    def test_warns(number):
        warnings.warn("often\\nsaid")
"""


def test_merge_writes_the_junit_file_of_a_run(pytester: pytest.Pytester, run_images: Run) -> None:
    """Collection errors, skipped files and images that cannot be tested are in each shard, and once in the file."""
    pytester.makeini("[pytest]\naddopts = --continue-on-collection-errors")
    pytester.makepyfile(test_broken="import nowhere", test_warns=WARNS)
    for index in (1, 2):
        job(run_images, f"{index}", f"--py-images-shard={index}/2", f"--junitxml={index}.xml")
    job(run_images, "whole", "--junitxml=whole.xml")
    result, _ = merge("1.json", "2.json", "1.xml", "2.xml", "-o", "all.xml")
    assert result.ret == 1
    assert read_junit("all.xml") == read_junit("whole.xml")
    assert "note:" not in result.stdout.str()


def test_merge_finds_the_files_in_a_folder(run_images: Run) -> None:
    for index in (1, 2):
        Path(f"reports/{index}").mkdir(parents=True)
        job(
            run_images,
            f"reports/{index}/report",
            f"--py-images-shard={index}/2",
            f"--junitxml=reports/{index}/junit.xml",
            *("-k", "four or last"),
            images="3.12",
        )
    result, report = merge("reports", "--images=3.12", "-o", "all.xml")
    assert (result.ret, len(report["tests"])) == (0, 6), "five tests and a skipped file"
    assert len(read_junit("all.xml")["3.12"][2]) == 6


@pytest.mark.parametrize("images", ["3.12,3.13", "3.12,3.13?"])
def test_image_without_a_report_is_an_error(run_images: Run, images: str) -> None:
    """Also if it is allowed to fail: it is not that image which failed."""
    job(run_images, "one", "-k", "four or last", "--junitxml=one.xml", images="3.12")
    result, report = merge("one.json", "one.xml", f"--images={images}", "-o", "all.xml")
    assert (result.ret, report["exit_status"]) == (1, 1)
    result.stdout.fnmatch_lines([message("cli", "lost-image", label="3.13").replace("[", "[[]")])
    assert [len(read_junit("all.xml")[label][2]) for label in ("3.12", "3.13")] == [6, 1]
    assert merge("one.json", "--images=3.12")[0].ret == 0


def test_no_report_at_all_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.mkdir("reports")
    result, report = merge("reports", "--images=3.12,3.14-slim?")
    assert (result.ret, report["exit_status"], len(report["images"])) == (1, 1, 2)
    result = run_command(PYIMAGES, "merge", "reports")
    assert (result.ret, result.stderr.lines) == (4, [f"ERROR: {message('cli', 'nothing-to-merge')}"])


def test_missing_junit_file_is_a_problem(run_images: Run) -> None:
    for index in (1, 2):
        options = (f"--py-images-shard={index}/2", f"--junitxml={index}.xml", "-k", "four or last")
        job(run_images, f"{index}", *options, images="3.12")
    result, report = merge("1.json", "2.json", "1.xml", "-o", "all.xml")
    assert (result.ret, report["exit_status"]) == (1, 1)
    result.stdout.fnmatch_lines([message("cli", "missing-junit", file="all.xml", part="3.12 shard 2/2")])


@pytest.mark.parametrize("text", ["<testsuites", "<html/>", '<testsuites><testsuite name="3.11"/></testsuites>'])
def test_foreign_xml_is_refused(run_images: Run, text: str) -> None:
    job(run_images, "one", images="3.12")
    Path("bad.xml").write_text(text)
    result, report = merge("one.json", "bad.xml", "-o", "all.xml")
    assert (result.ret, report, len(result.stderr.lines)) == (4, {}, 1)
    result.stderr.fnmatch_lines(["ERROR: bad.xml *"])


def read_warnings(result: pytest.RunResult) -> set[tuple[str, ...]]:
    """Return the entries of the warnings summary; pytest's order is that in which the images had them."""
    lines = result.stdout.lines
    first = next(number for number, line in enumerate(lines) if " warnings summary " in line)
    text = "\n".join(lines[first + 1 : next(n for n, line in enumerate(lines) if line.startswith("-- Docs"))])
    return {tuple(sorted(entry.splitlines())) for entry in text.strip().split("\n\n")}


def test_warnings_are_those_of_a_run(pytester: pytest.Pytester, run_images: Run) -> None:
    """With their lines and tests, or the number of those; warnings of the collection are in each shard."""
    pytester.makepyfile(test_warns=f"{WARNS}    warnings.warn('at import')\n", test_warns_too=WARNS_OFTEN)
    for index in (1, 2):
        job(run_images, f"{index}", f"--py-images-shard={index}/2", "-k", "warns", images="3.12,3.14-slim")
    run = run_images("-k", "warns", images="3.12,3.14-slim")
    result, report = merge("1.json", "2.json")
    assert (run.result.parseoutcomes()["warnings"], result.parseoutcomes()["warnings"]) == (42, 42)
    assert read_warnings(result) == read_warnings(run.result)
    result.stdout.fnmatch_lines(
        [
            "=* warnings summary =*",
            "test_warns.py:*[[]3.12[]]",
            "  */test_warns.py:*: UserWarning: at import",
            "    warnings.warn('at import')",
            "test_warns.py::test_warns[[]0[]][[]3.12[]]",
            "test_warns_too.py: 28 warnings",
            "=* 36 passed, 2 skipped, * deselected, 42 warnings in * =*",
        ]
    )
    places = {place["text"]: place for place in report["images"][0]["warning_places"]}
    often = places["often\nsaid"]
    assert (often["path"], often["when"], often["count"]) == ("test_warns_too.py", "runtest", 14)
    assert (often["tests"], places["at import"]["tests"]) == ({"test_warns_too.py": 14}, {})
    assert report["images"][0]["warnings"]["UserWarning: often said"] == 14


@pytest.mark.skipif(pytest.version_tuple < (9, 1), reason="--max-warnings came with pytest 9.1")
@pytest.mark.parametrize(
    ("limit", "failing", "status"),
    [
        pytest.param(5, "", 0, id="the warning of the import counts once"),
        pytest.param(4, "", 6, id="each shard has fewer"),
        pytest.param(1, "", 6, id="each shard has more"),
        pytest.param(1, "def test_warns_not(): assert False", 1, id="a failing test counts more"),
    ],
)
def test_warnings_of_all_shards_are_limited(
    pytester: pytest.Pytester, run_images: Run, limit: int, failing: str, status: int
) -> None:
    pytester.makeini(f"[pytest]\nmax_warnings = {limit}")
    pytester.makepyfile(test_warns=f"{WARNS}    warnings.warn('at import')\n", test_warns_too=failing)
    for index in (1, 2):
        job(run_images, f"{index}", f"--py-images-shard={index}/2", "-k", "warns", images="3.12")
    whole = job(run_images, "whole", "-k", "warns", images="3.12")
    result, report = merge("1.json", "2.json")
    assert (whole["exit_status"], result.ret, report["exit_status"]) == (status, status, status)
    assert report["images"][0]["max_warnings"] == limit
    assert ("too many warnings: 5" in result.stdout.str()) == (status == 6)


def test_odd_places_in_a_report_are_shown(run_images: Run) -> None:
    """A report may come from anywhere."""
    report = job(run_images, "one", "-k", "last", images="3.12")
    odd = "x" * 5000
    place = {"category": "Odd", "text": "odd", "when": "runtest", "path": odd, "line": 7, "count": 1, "tests": {}}
    report["images"][0]["warning_places"] = [place]
    (skipped,) = (test for test in report["tests"] if "skipped" in test["nodeid"])
    skipped["reason_places"] = {"3.12": f"{odd}:{'9' * 5000}"}
    Path("one.json").write_text(json.dumps(report))
    result, _ = merge("one.json", "--", "-rs")
    assert (result.ret, result.stderr.str()) == (0, "")
    result.stdout.fnmatch_lines([f"{odd}:7?3.12?", "SKIPPED ?1? xxx*:999*: could not import 'nowhere'*"])


def test_merge_images_of_different_jobs(run_images: Run) -> None:
    job(run_images, "old", "-k", "four or last", images="3.12")
    job(run_images, "new", "-k", "four or last", images="3.14-slim")
    result, report = merge("old.json", "new.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [" all 6 tests agree on 2 images, 1 skipped everywhere", "=* 10 passed, 2 skipped, * deselected in * =*"]
    )
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
            "=* 4 passed, 1 skipped, * deselected, 1 error in * =*",
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
            ["none.json", "-o", "all.yml"],
            message("host", "unknown-format", origin="-o", file="all.yml"),
        ),
        (["none.json", "--images=3.1O"], '"3.1O" is not a Python tag *'),
        (
            ["none.json", "--github=yes"],
            message("host", "invalid-value", origin="--github", value="yes", hint="choose auto or no"),
        ),
        (
            ["none.json", "--engines=x"],
            message("cli", "unknown-option", command="pyimages merge", option="--engines=x", hint="*"),
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
