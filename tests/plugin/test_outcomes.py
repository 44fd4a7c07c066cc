"""Every outcome of pytest is shown as plain pytest shows it, once per image."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from xml.etree import ElementTree as ET

import junitparser
import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]

EVERY_OUTCOME = """
    import warnings
    import pytest

    def test_pass(): pass
    def test_fail():
        print("printed by the test")
        assert 1 + 1 == 3
    def test_skip(): pytest.skip("no reason")
    @pytest.mark.xfail(reason="known")
    def test_xfail(): assert 0
    @pytest.mark.xfail
    def test_xpass(): pass
    @pytest.fixture
    def broken(): raise RuntimeError("broken fixture")
    def test_error(broken): pass
    @pytest.fixture
    def torn():
        yield
        raise RuntimeError("broken teardown")
    def test_teardown(torn): pass
    def test_warns(): warnings.warn(DeprecationWarning("old thing"))
    @pytest.mark.parametrize("value", [1, 2])
    def test_parametrized(value): pass
"""
COUNTS = {"passed": 5, "failed": 1, "skipped": 1, "xfailed": 1, "xpassed": 1, "error": 2}


def test_counts_and_exit_status_are_those_of_plain_pytest(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(EVERY_OUTCOME)
    plain = pytester.runpytest_subprocess("-p", "no:pyimages", "-p", "no:cacheprovider")
    run = run_images(images="3.12,3.14-slim")
    plain_counts = plain.parseoutcomes()
    assert run.result.parseoutcomes() == {name: 2 * count for name, count in plain_counts.items()}
    assert run.result.ret == plain.ret == 1
    for image in run.report["images"]:
        assert image["counts"] == COUNTS
        assert image["outcome"] == "failed"
        assert image["exit_status"] == 1


def test_failure_shows_traceback_and_captured_output(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=EVERY_OUTCOME)
    run = run_images()
    run.result.stdout.fnmatch_lines(["*ERROR at setup of test_error[[]3.12[]]*", "*broken fixture*"])
    run.result.stdout.fnmatch_lines(
        [
            "*_ test_fail[[]3.12[]] _*",
            ">*assert 1 + 1 == 3",
            "E*assert (1 + 1) == 3",
            "test_it.py:7: AssertionError",
            "*- Captured stdout call -*",
            "printed by the test",
        ]
    )
    run.result.stdout.fnmatch_lines(["FAILED test_it.py::test_fail[[]3.12[]] - *"])
    run.result.stdout.fnmatch_lines(["*DeprecationWarning: old thing*"])


def test_warnings_name_their_image(pytester: pytest.Pytester, run_images: Run) -> None:
    """What a module warns of when it is imported belongs to no test."""
    pytester.makepyfile(
        test_it="""
        import os, warnings
        if os.environ["FAKE_IMAGE"] != "python:3.14": warnings.warn("only before 3.14")
        warnings.warn("everywhere")
        def test_warns(): warnings.warn("in a test")
        """
    )
    run = run_images(images="3.12,3.14")
    places = [line for line in run.result.outlines if line.startswith("test_it.py:")]
    assert sorted(places) == [
        "test_it.py:2[3.12]",
        "test_it.py:3[3.12]",
        "test_it.py:3[3.14]",
        "test_it.py::test_warns[3.12]",
        "test_it.py::test_warns[3.14]",
    ]


def test_verbose_names_every_test_with_its_image(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=EVERY_OUTCOME)
    run = run_images("-v", images="3.12,3.14-slim")
    for line in (
        "test_it.py::test_pass[[]3.12[]] PASSED*",
        "test_it.py::test_parametrized[[]1[]][[]3.14-slim[]] PASSED*",
        "test_it.py::test_skip[[]3.12[]] SKIPPED (no reason)*",
        "test_it.py::test_xfail[[]3.14-slim[]] XFAIL*",
    ):
        run.result.stdout.fnmatch_lines([line])
    assert "[100%]" in run.out


def test_junit_has_every_test_of_every_image(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=EVERY_OUTCOME)
    run_images("--junitxml=junit.xml", images="3.12,3.14-slim")
    root = ET.parse(pytester.path / "junit.xml").getroot()
    assert [suite.get("name") for suite in root] == ["3.12", "3.14-slim"]
    for suite in root:
        names = [case.get("name") for case in suite.iter("testcase")]
        assert {"test_pass", "test_parametrized[1]"} < set(names)
        assert (suite.get("failures"), suite.get("errors")) == ("1", "2")
        assert suite.get("tests") == str(len(names))
        told = {one.get("name"): one.get("value") for one in suite.iterfind("properties/property")}
        assert told["image"] == f"python:{suite.get('name')}"
        assert told["python"] == ".".join(map(str, sys.version_info[:3]))
        assert suite.find("testcase/properties") is None


# What Jenkins' xUnit plugin allows (its junit-10.xsd); GitLab reads a part of it.
JENKINS = {
    "testsuites": ({"testsuite"}, set("name time tests failures errors".split())),
    "testsuite": (
        {"properties", "testcase"},
        set("name tests failures errors group time skipped timestamp hostname id package file log url".split()),
    ),
    "properties": ({"property"}, set()),
    "property": (set(), {"name", "value"}),
    "testcase": ({"skipped", "error", "failure", "system-out", "system-err"}, {"name", "time", "classname", "group"}),
    **dict.fromkeys(("skipped", "error", "failure"), (set(), {"type", "message"})),
    **dict.fromkeys(("system-out", "system-err"), (set(), set())),
}


def test_junit_is_accepted_by_common_readers(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=EVERY_OUTCOME)
    run_images("--junitxml=junit.xml", "-o", "junit_logging=all", images="3.12,3.14-slim?,2.7")
    root = ET.parse(pytester.path / "junit.xml").getroot()
    for element in root.iter():
        children, attributes = JENKINS[element.tag]
        assert {child.tag for child in element} <= children
        assert set(element.attrib) <= attributes
        assert re.fullmatch(r"\d{1,3}(\.\d+)?", element.get("time", "0")), "its SUREFIRE_TIME"
    suites = list(junitparser.JUnitXml.fromfile(str(pytester.path / "junit.xml")))
    assert [suite.name for suite in suites] == ["3.12", "3.14-slim", "2.7"]
    for suite in suites:
        results = [type(result).__name__ for case in suite for result in case.result]
        assert suite.tests == len(list(suite))
        counted = [results.count(name) for name in ("Failure", "Error", "Skipped")]
        assert [suite.failures, suite.errors, suite.skipped] == counted
    assert suites[0].failures
    assert suites[2].errors == 1


def test_junit_of_an_untested_image(pytester: pytest.Pytester, run_images: Run) -> None:
    """A suite of its own, with an error; one whose failures are allowed has none that fails."""
    pytester.makepyfile(test_it="import os\ndef test_a(): assert os.environ['FAKE_IMAGE'] != 'python:3.14'")
    run_images("--junitxml=sub/junit.xml", images="3.12,3.13,3.14?", engine="FakeEngine(known=KNOWN[4:6] + KNOWN[8:])")
    suites = {suite.get("name"): suite for suite in ET.parse(pytester.path / "sub/junit.xml").getroot()}
    counts = {name: [suite.get(key) for key in ("tests", "errors", "failures")] for name, suite in suites.items()}
    assert counts == {"3.12": ["1", "0", "0"], "3.13": ["1", "1", "0"], "3.14": ["1", "0", "0"]}
    case = suites["3.13"].find("testcase")
    assert case is not None
    assert case.get("name") == "image"
    assert "manifest for python:3.13 not found" in str(suites["3.13"].findtext("testcase/error"))


def test_report_file_has_the_documented_form(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    report = run_images(images="3.12,3.14-slim?").report
    assert list(report) == ["schema", "version", "started", "seconds", "exit_status", "images", "tests", "session"]
    assert report["schema"] == 1
    assert list(report["images"][0]) == [
        *("label", "reference", "digest", "python", "allowed_to_fail", "outcome", "exit_status", "counts"),
        *("cached", "build_seconds", "run_seconds", "problem"),
    ]
    assert report["images"][1]["allowed_to_fail"] is True
    (test,) = report["tests"]
    assert list(test) == ["nodeid", "outcomes", "differs", "seconds"]
    assert test["nodeid"] == "test_it.py::test_a"
    assert test["outcomes"] == {"3.12": "passed", "3.14-slim": "passed"}


def test_all_agree_is_one_line(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    run = run_images(images="3.12,3.14-slim")
    run.result.stdout.fnmatch_lines([" 1 test agrees on 2 images"])
    assert run.result.ret == 0


def test_second_run_builds_nothing(pytester: pytest.Pytester, run_images: Run) -> None:
    """Within one engine the second session finds the image of the first."""
    pytester.makepyfile(test_it="def test_a(): pass")
    first = run_images()
    assert first.calls.count("commit") == 1
    assert first.report["images"][0]["cached"] is False


def test_unwritable_report_is_an_error(pytester: pytest.Pytester, run_images: Run) -> None:
    """Also one that could be written when the session started."""
    pytester.makepyfile(test_it="import os\ndef test_a():\n    os.rmdir('later')\n    open('later', 'w').close()")
    (pytester.path / "later").mkdir()
    run = run_images("--py-images-report=later/report.json")
    assert run.result.ret == 1
    run.result.stdout.fnmatch_lines(["*--py-images-report: *report.json cannot be written*"])
    assert "INTERNALERROR" not in run.out + run.err


def test_github(pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    pytester.makepyfile(test_it="import os\n\ndef test_a():\n    assert os.environ['FAKE_IMAGE'] != 'python:3.13'")
    run = run_images(images="3.12,3.13")
    found = [line for line in run.result.outlines if line.startswith("::")]
    assert len(found) == 1
    assert found[0].startswith("::error file=test_it.py,line=4,title=test_a fails on 3.13::AssertionError: assert")
    assert "fails only on 3.13" in (pytester.path / "summary.md").read_text()
    off = run_images("--py-images-github=no", images="3.12,3.13")
    assert not [line for line in off.result.outlines if line.startswith("::")]
    assert (pytester.path / "summary.md").read_text().count("fails only") == 1
    told = message("host", "invalid-value", origin="--py-images-github", value="on", hint="choose auto or no")
    assert told in run_images("--py-images-github=on").err


def test_baseline(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        test_it="""
        import os, warnings
        def test_a():
            warnings.warn("odd", FutureWarning) if os.environ["FAKE_IMAGE"] == "python:3.13" else None
            assert os.environ["FAKE_IMAGE"] != "python:3.13"
        """
    )
    run = run_images("--py-images-baseline=3.12", images="3.12,3.13")
    run.result.stdout.fnmatch_lines(
        [
            " 3.13 compared with 3.12: 1 newly failing, 1 new warning",
            "   fails   test_it.py::test_a",
            "   warns   FutureWarning: odd",
        ]
    )
    wrong = run_images("--py-images-baseline=3.1", images="3.12,3.13")
    assert wrong.result.ret == 4
    assert 'ERROR: --py-images-baseline: "3.1" is not one of the images (did you mean 3.1' in wrong.err.replace(
        "· d", "(d"
    )
    pytester.makeini("[pytest]\npy_images_baseline = 3.12\n")
    assert "3.13 compared with 3.12:" in run_images(images="3.12,3.13").out
    assert "against" not in run_images(images="3.13").out
    pasted = run_images("--py-images-baseline=3.12", "test_it.py::test_a[3.13]", images="3.12,3.13")
    assert pasted.result.ret == 1
    assert "against" not in pasted.out


def test_reasons_are_in_the_report(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        test_it=EVERY_OUTCOME, test_other="import pytest\npytest.skip('not here', allow_module_level=True)"
    )
    reasons = {test["nodeid"]: test["reasons"] for test in run_images().report["tests"] if "reasons" in test}
    assert reasons == {
        "test_other.py": {"3.12": "not here"},
        "test_it.py::test_skip": {"3.12": "no reason"},
        "test_it.py::test_xfail": {"3.12": "known"},
    }


def test_baseline_of_an_earlier_run(pytester: pytest.Pytester, run_images: Run) -> None:
    test = pytester.makepyfile(test_it="def test_a(): pass")
    run_images()
    (pytester.path / "report.json").rename(pytester.path / "last.json")
    test.write_text("def test_a(): assert 0")
    option = "--py-images-baseline=last.json"
    run = run_images(option)
    run.result.stdout.fnmatch_lines([" 3.12 compared with last.json: 1 newly failing", "   fails   test_it.py::test_a"])
    changes = run.report["history"]["changes"]
    assert [(change["kind"], change["nodeid"]) for change in changes] == [("newly failing", "test_it.py::test_a")]
    (pytester.path / "last.json").write_text("{}")
    wrong = run_images(option)
    assert wrong.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --py-images-baseline: " in wrong.err


def test_baseline_that_the_run_itself_writes(pytester: pytest.Pytester, run_images: Run) -> None:
    """In CI, the report of one run is the baseline of the next."""
    test = pytester.makepyfile(test_it="def test_a(): pass")
    options = ("--py-images-report=last.json", "--py-images-baseline=last.json")
    first = run_images(*options)
    assert first.result.ret == 0
    assert f" note: {message('results', 'no-baseline-yet', file='last.json')}" in first.result.outlines
    test.write_text("def test_a(): assert 0")
    assert " 3.12 compared with last.json: 1 newly failing" in run_images(*options).result.outlines


@pytest.mark.parametrize("verbosity", [[], ["-v"]], ids=["dots", "-v"])
def test_output_of_several_images_has_no_gaps(pytester: pytest.Pytester, run_images: Run, verbosity: list[str]) -> None:
    """With -s, each printed line stands on a line of its own, and no empty one between it and a test's."""
    pytester.makepyfile(test_it="def test_a(): print('one\\n\\nthree')\ndef test_b(): print('four')")
    lines = run_images("-s", *verbosity, images="3.12,3.14-slim").out.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("[3.1"))
    end = lines.index("", start)
    assert lines[end + 1].startswith("=")
    for label in ("3.12", "3.14-slim"):
        printed = [line for line in lines[start:end] if line.startswith(f"[{label}]")]
        assert [line.strip() for line in printed] == [f"[{label}]{text}" for text in (" one", "", " three", " four")]


@pytest.mark.parametrize(("option", "expected"), [("-rN", " --lf -rN"), ("-pno:cacheprovider", " -pno:cacheprovider")])
def test_rerun_command_works(pytester: pytest.Pytester, run_images: Run, option: str, expected: str) -> None:
    pytester.makepyfile(test_it="def test_a(): assert 0")
    first = run_images(option)
    (line,) = [line for line in first.out.splitlines() if line.startswith(" 3.12 again: ")]
    assert "\n a shell there: pyimages shell 3.12" in first.out
    assert line.endswith(expected)
    again = run_images(*line.split("--py-images=3.12")[1].split())
    assert "1 failed" in again.out
