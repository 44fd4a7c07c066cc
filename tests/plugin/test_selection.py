"""pytest's own arguments work for the whole matrix, each applied once."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]

ONE = "tests/test_a.py::test_one"
TWO = ["tests/test_a.py::test_two[1]", "tests/test_a.py::test_two[2]"]
SLOW = "tests/test_b.py::TestB::test_slow"
OTHER = "tests/test_b.py::TestB::test_other"
IMAGES = "3.12,3.14-slim"


@pytest.fixture
def suite(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers = slow: takes time\n")
    tests = pytester.mkdir("tests")
    (tests / "test_a.py").write_text(
        "import pytest\ndef test_one(): pass\n@pytest.mark.parametrize('number', [1, 2])\ndef test_two(number): pass\n"
    )
    (tests / "test_b.py").write_text(
        "import pytest\n"
        "class TestB:\n    @pytest.mark.slow\n    def test_slow(self): pass\n    def test_other(self): pass\n"
    )


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param(["tests/test_a.py"], [ONE, *TWO], id="path"),
        pytest.param([ONE, SLOW], [ONE, SLOW], id="node ids"),
        pytest.param([TWO[1]], [TWO[1]], id="parameter"),
        pytest.param(["-k", "two or slow"], [*TWO, SLOW], id="-k"),
        pytest.param(["-m", "not slow", "tests/test_b.py"], [OTHER], id="-m"),
        pytest.param(["--deselect", ONE, "--ignore=tests/test_b.py"], TWO, id="deselect and ignore"),
        pytest.param(["-o", "python_functions=test_o*"], [ONE, OTHER], id="-o"),
    ],
)
def test_selected_on_every_image(run_images: Run, args: list[str], expected: list[str]) -> None:
    run = run_images(*args, images=IMAGES)
    assert run.result.ret == 0
    assert run.tests == {nodeid: {"3.12": "passed", "3.14-slim": "passed"} for nodeid in expected}


@pytest.mark.usefixtures("suite")
def test_deselected_tests_are_counted(run_images: Run) -> None:
    run = run_images("-k", "one", images=IMAGES)
    assert run.result.parseoutcomes() == {"passed": 2, "deselected": 8}


@pytest.mark.usefixtures("suite")
def test_nothing_selected_anywhere(run_images: Run) -> None:
    run = run_images("-k", "no_such_test", images=IMAGES)
    assert run.result.ret == 5


@pytest.mark.usefixtures("suite")
def test_collect_only_runs_nothing(run_images: Run) -> None:
    run = run_images("--collect-only", "-q", "tests/test_a.py", images=IMAGES)
    assert run.result.ret == 0
    for label in IMAGES.split(","):
        for nodeid in (ONE, *TWO):
            assert run.out.splitlines().count(f"{nodeid}[{label}]") == 1
    assert "passed" not in run.result.parseoutcomes()
    run.result.stdout.fnmatch_lines(["*6 tests collected*"])


FAILURES = """
    import os, time
    import pytest

    @pytest.mark.parametrize("number", range({failing}))
    def test_fails(number): assert 0
    @pytest.mark.parametrize("number", range(200))
    def test_passes(number): time.sleep(0.05)
"""


@pytest.mark.parametrize(
    ("args", "failing", "images", "failed"),
    [
        pytest.param(["-x"], 1, IMAGES, 1, id="-x"),
        pytest.param(["--maxfail=3"], 2, IMAGES, 3, id="maxfail over two images"),
        pytest.param(["--maxfail=2", "-v"], 5, "3.12", 2, id="maxfail on one image"),
    ],
)
def test_failures_are_counted_over_the_matrix(
    pytester: pytest.Pytester, run_images: Run, args: list[str], failing: int, images: str, failed: int
) -> None:
    """The run ends there: ten more seconds of tests are not run on any image, and that is no failure of theirs."""
    pytester.makepyfile(test_it=FAILURES.format(failing=failing))
    run = run_images(*args, images=images)
    assert run.result.ret == 1
    outcomes = run.result.parseoutcomes()
    assert outcomes["failed"] == failed
    assert set(outcomes) <= {"failed", "passed"}
    assert outcomes.get("passed", 0) < 100
    run.result.stdout.fnmatch_lines([f"*stopping after {failed} failures*"])
    assert "-v" in args or "test_passes" not in run.out, "a test that was not run is no difference"
    assert run.out.count("FAILED test_it.py::test_fails") == failed
    if len(run.images) > 1:
        assert {"not run"} < {found for outcomes in run.tests.values() for found in outcomes.values()}
        run.result.stdout.re_match_lines([r" 3\..* \d+ not run$"])
    assert "crashed" not in run.out


def test_stop_where_nothing_fails(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): pass\ndef test_b(): pass")
    run = run_images("-x", images=IMAGES)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 4})


REPORTED = """
    import time
    import pytest

    def test_fails():
        local_name = "value of a local"
        print("printed by the test")
        assert local_name == ""
    def test_slow(): time.sleep(0.3)
    def test_skips(): pytest.skip("no reason")
    @pytest.mark.xfail
    def test_xpasses(): pass
"""


def test_each_reporting_option_works_once(pytester: pytest.Pytester, run_images: Run) -> None:
    """What shapes a failure's text is done inside, what shapes the terminal on the host."""
    pytester.makepyfile(test_it=REPORTED)
    run = run_images(
        "-vrsX", "--tb=short", "-l", "--durations=1", "--show-capture=no", "-o", "console_output_style=count"
    )
    assert run.result.ret == 1
    run.result.stdout.fnmatch_lines(
        [
            "test_it.py::test_fails[[]3.12[]] FAILED*[[]1/4[]]",
            "test_it.py:7: in test_fails",
            "*local_name = 'value of a local'",
            "*= slowest 1 durations =*",
            "*s call*test_it.py::test_slow[[]3.12[]]",
            "SKIPPED [[]1[]] test_it.py:9: no reason",
            "XPASS test_it.py::test_xpasses[[]3.12[]]*",
        ]
    )
    assert "printed by the test" not in run.out
    assert "FAILED test_it.py" not in run.out  # -r without f
    assert run.out.count("slowest 1 durations") == 1
    assert run.out.count("local_name = ") == 1


@pytest.mark.parametrize(
    ("args", "there", "absent"),
    [
        pytest.param(
            ["--tb=no", "-q"],
            ["FAILED test_it.py::test_fails[3.12]"],
            ["value of a local", "rootdir"],
            id="no traceback",
        ),
        pytest.param(
            ["--tb=line", "--no-header"],
            ["test_it.py:7: AssertionError: assert"],
            ["local_name =", "platform linux"],
            id="line",
        ),
        pytest.param(["-rA", "--no-summary"], ["test_it.py F.sX"], ["short test summary", "FAILED"], id="no summary"),
        pytest.param(["-rP", "-o", "xfail_strict=1"], ["2 failed"], ["xpassed"], id="ini value for the inside"),
        pytest.param(["-p", "no:skipping"], ["test_it.py F."], ["1 xpassed"], id="-p"),
    ],
)
def test_reporting_options(
    pytester: pytest.Pytester, run_images: Run, args: list[str], there: list[str], absent: list[str]
) -> None:
    pytester.makepyfile(test_it=REPORTED)
    run = run_images(*args)
    assert run.result.ret == 1
    assert [text for text in there if text not in run.out] == []
    assert [text for text in absent if text in run.out] == []


def test_quiet_is_as_quiet_as_pytest(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass\ndef test_b(): pass")
    run = run_images("-q", images=IMAGES)
    lines = [line for line in run.out.splitlines() if line.strip()]
    assert re.fullmatch(r"\.{4} +\[100%\]", lines[0])
    assert lines[1:-1] == ["py-images: 3.12, 3.14-slim: 2 passed"]
    assert re.fullmatch(r"4 passed in [\d.]+s", lines[-1])
    assert "3.12" not in run_images("-qq", images=IMAGES).out


def test_plugin_of_the_suite_by_name(pytester: pytest.Pytester, run_images: Run) -> None:
    """``-p`` with a module of the project: loaded inside, where it is."""
    pytester.makepyfile(
        ours="import os, pytest\n@pytest.fixture\ndef answer():\n    assert 'FAKE_IMAGE' in os.environ\n    return 42",
        test_it="def test_a(answer): assert answer == 42",
    )
    run = run_images("-p", "ours")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 1})


def test_no_capture_with_s(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        test_it="""
        import sys
        def test_a(capsys):
            with capsys.disabled():
                print("from stdout", flush=True)
                print("from stderr", file=sys.stderr)
        def test_b():
            print("before the failure")
            assert 0
        """
    )
    run = run_images("-s")
    assert run.result.ret == 1
    shown = run.out + run.err
    for text in ("from stdout", "from stderr", "before the failure"):
        assert len(re.findall(rf"^(?!.*print\().*{text}", shown, re.MULTILINE)) == 1
    assert "Captured" not in shown


def test_junit_options(pytester: pytest.Pytester, run_images: Run) -> None:
    """One file, written by the host, with what the tests recorded inside."""
    pytester.makeconftest(
        """
        import os
        def pytest_unconfigure(config):
            open("unconfigured", "w").write(str(os.path.exists("junit.xml")))
        """
    )
    pytester.makepyfile(
        test_it="""
        import pytest
        def test_property(record_property): record_property("speed", 3)
        def test_suite_property(record_testsuite_property): record_testsuite_property("machine", "fast")
        def test_fails():
            print("printed by the test")
            assert 0
        def test_skips(): pytest.skip("no reason")
        """
    )
    ini = ("-o", "junit_suite_name=shop", "-o", "junit_logging=all", "-o", "junit_family=xunit1")
    run = run_images("--junitxml=junit.xml", "--junit-prefix=pre", *ini, images=IMAGES)
    assert run.result.ret == 1
    assert (pytester.path / "unconfigured").read_text() == "True"  # as by hand
    root = ET.parse(pytester.path / "junit.xml").getroot()
    assert root.get("name") in ("pytest tests", None)  # None until pytest 8.1
    assert [suite.get("name") for suite in root] == IMAGES.split(",")
    suite = root[0]
    counts = [suite.get(name) for name in ("tests", "failures", "skipped", "errors")]
    assert counts == ["4", "1", "1", "0"]
    cases = {str(case.get("name")): case for case in suite.iter("testcase")}
    assert set(cases) == {"test_property", "test_suite_property", "test_fails", "test_skips"}
    assert {case.get("classname") for case in cases.values()} == {"pre.test_it"}
    found = cases["test_property"].find(".//property[@name='speed']")
    assert found is not None
    assert found.get("value") == "3"
    assert "printed by the test" in (cases["test_fails"].findtext("system-out") or "")


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("option", ["--pdb", "--trace"])
def test_refused_options_name_the_reason(run_images: Run, option: str) -> None:
    """What cannot work is not ignored."""
    run = run_images(option)
    assert run.result.ret == 4
    errors = [line for line in run.err.splitlines() if line]
    assert len(errors) == 1
    assert errors[0].startswith("ERROR: ")
    assert option in errors[0]
    assert len(errors[0]) > len(f"ERROR: {option}") + 20
    assert not any(call.startswith(("create", "pull")) for call in run.calls)


@pytest.mark.usefixtures("suite")
def test_error_of_a_run_on_the_terminal_ends_in_one_line(run_images: Run) -> None:
    """The fake engine cannot attach a terminal's process; that is an error like that of any engine."""
    run = run_images("--setup-plan")
    assert run.result.ret == 1
    assert run.err.rstrip().splitlines()[-1] == message("cli", "attended-not-started")


def test_report_files_in_all_formats(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        "import os\ndef test_a():\n    print('said')\n    assert os.environ['FAKE_IMAGE'] != 'python:3.13'"
    )
    run = run_images("--py-images-report=a.html", "--py-images-report=b/c.md", images="3.12,3.13")
    (test,) = run.report["tests"]
    told = test["failures"]["3.13"]
    assert (test["differs"], told["phase"], run.report["exit_status"]) == (True, "call", 1)
    assert told["message"].startswith("AssertionError: assert 'python:3.13' != 'python:3.13'")
    assert told["sections"] == [["Captured stdout call", "said\n"]]
    assert told["text"].startswith("    def test_a():\n        print('said')\n>       assert os.environ")
    assert test["seconds"].keys() == {"3.12", "3.13"}
    assert "test_report_files_in_all_formats.py::test_a" in (pytester.path / "a.html").read_text()
    assert "fails only on 3.13" in (pytester.path / "b/c.md").read_text()


FIRST_FAILS = """
    import os

    def test_first(): assert "3.14" not in os.environ["FAKE_IMAGE"]
    def test_second(): assert 1
    def test_third(): assert 0
"""


@pytest.mark.parametrize("way", ["option", "ini", "with --maxfail", "behind --"])
def test_fail_fast_image(pytester: pytest.Pytester, run_images: Run, way: str) -> None:
    pytester.makepyfile(test_it=FIRST_FAILS)
    option = "--py-images-fail-fast=image"
    if way == "ini":
        pytester.makeini("[pytest]\npy_images_fail_fast = image\n")
    args = {"ini": [], "with --maxfail": [option, "--maxfail=5"], "behind --": [option, "--", "test_it.py"]}
    run = run_images(*args.get(way, [option]), images=IMAGES)
    assert (run.result.ret, run.result.parseoutcomes()) == (1, {"failed": 2, "passed": 2})
    assert run.tests == {
        "test_it.py::test_first": {"3.12": "passed", "3.14-slim": "failed"},
        "test_it.py::test_second": {"3.12": "passed", "3.14-slim": "not run"},
        "test_it.py::test_third": {"3.12": "failed", "3.14-slim": "not run"},
    }
    assert "not run" not in run.out.partition("differs between")[2], "what was not run is no difference"


def test_fail_fast_session(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=FAILURES.format(failing=2))
    run = run_images("--py-images-fail-fast=session", images=IMAGES)
    assert (run.result.ret, run.result.parseoutcomes()["failed"]) == (1, 1)
    run.result.stdout.fnmatch_lines(["*stopping after 1 failures*"])
    assert run.result.parseoutcomes().get("passed", 0) < 200


@pytest.mark.parametrize("way", ["option", "ini"])
def test_invalid_fail_fast(pytester: pytest.Pytester, run_images: Run, way: str) -> None:
    if way == "ini":
        pytester.makeini("[pytest]\npy_images_fail_fast = images\n")
    run = run_images(*(["--py-images-fail-fast=images"] if way == "option" else []))
    assert run.result.ret == 4
    origin = "--py-images-fail-fast" if way == "option" else "py_images_fail_fast in tox.ini"
    assert run.err.strip() == f"ERROR: {message('host', 'invalid-scope', origin=origin, value='images')}"
    assert not run.calls
