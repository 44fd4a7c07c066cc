"""A failure that several images share is drawn once, with its images and what differs; -v shows all tracebacks."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from pytest_pyimages.results.replay.shared_failures import limit_teardowns
from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

SUITE = """
    import os
    import pytest

    IMAGE = os.environ["FAKE_IMAGE"].partition(":")[2]

    def test_minor():
        print("on", "something" if IMAGE == "3.14" else "else")
        assert int(IMAGE.partition(".")[2]) == 1
    def test_here_and_there():
        assert IMAGE == "3.12", "later" if IMAGE > "3.13" else "now"
    @pytest.fixture
    def broken(): raise RuntimeError("broken fixture")
    def test_error(broken): pass
"""
IMAGES = "3.12,3.13,3.14,3.15?"


def headings(run: ImagesRun) -> list[str]:
    return [line.strip("_ ") for line in run.result.outlines if line.startswith("___")]


def test_one_traceback_for_all_images(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=SUITE)
    run = run_images(images=IMAGES)
    assert headings(run) == [
        "ERROR at setup of test_error[3.12, 3.13, 3.14, 3.15]",
        "test_minor[3.12, 3.13, 3.14, 3.15]",
        "test_here_and_there[3.13]",
        "test_here_and_there[3.14, 3.15]",
    ]
    lines = run.result.outlines
    at = lines.index("test_it.py:8: AssertionError")
    assert lines[at + 2 : at + 6] == [
        " 3.12  E       AssertionError: assert 12 == 1",
        " 3.13  E       AssertionError: assert 13 == 1",
        " 3.14  E       AssertionError: assert 14 == 1",
        " 3.15  E       AssertionError: assert 15 == 1",
    ]
    assert " 3.14  the captured output differs (-v shows all)" in lines
    assert run.result.parseoutcomes() == {"failed": 5, "passed": 1, "errors": 3, "allowed": 3}
    for label in ("3.12", "3.13", "3.14"):
        assert any(line.startswith(f"FAILED test_it.py::test_minor[{label}]") for line in lines)


@pytest.mark.parametrize("option", ["-v", "--tb=line", "--tb=no"])
def test_all_failures(pytester: pytest.Pytester, run_images: Run, option: str) -> None:
    pytester.makepyfile(test_it="def test_it(): assert 0")
    run = run_images(option, images="3.12,3.14")
    assert sorted(headings(run)) == (["test_it[3.12]", "test_it[3.14]"] if option == "-v" else [])
    assert run.out.count("test_it.py:1: ") == (0 if option == "--tb=no" else 2)


def test_files_that_cannot_be_collected(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="raise ValueError('no')", test_well="def test_it(): pass")
    run = run_images(images="3.12,3.14")
    assert headings(run) == ["ERROR collecting test_it.py[3.12, 3.14]"]
    assert run.result.parseoutcomes() == {"errors": 2}


def test_allowed_failures_alone(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_it(): assert 0")
    run = run_images(images="3.14?,3.15?")
    assert headings(run) == ["test_it[3.14, 3.15] (allowed to fail)"]
    assert run.out.index("= ALLOWED FAILURES =") < run.out.index("= py-images ="), "the commands follow the comparison"


def test_parameters_and_subfolders(pytester: pytest.Pytester, run_images: Run) -> None:
    """A parameter's bracket is not an image's."""
    pytester.makepyfile(
        test_it="""
        import pytest
        class TestIt:
            @pytest.mark.parametrize("text", ["3.12", "a[b]"])
            def test_x(self, text): assert not text
        """
    )
    run = run_images(images="3.12,3.14")
    assert headings(run) == [f"TestIt.test_x[{text}][3.12, 3.14]" for text in ("3.12", "a[b]")]


@pytest.mark.parametrize("option", ["--tb=short", "--tb=no", "--tb=native", "-n2 --tb=line"])
def test_reports_have_long_tracebacks(pytester: pytest.Pytester, run_images: Run, option: str) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest
        def check(value):
            assert value == 2
        def test_it():
            expected = 1
            check(expected)
        @pytest.mark.xfail
        def test_expected(): assert 0
        """
    )
    run = run_images(*option.split(), images="3.12")
    (failed,) = (test for test in run.report["tests"] if "failures" in test)
    text = failed["failures"]["3.12"]["text"]
    assert "    def test_it():\n        expected = 1\n>       check(expected)" in text
    assert "E       assert 1 == 2" in text
    assert "expected = 1" not in run.out


@pytest.mark.parametrize("options", [(), ("-v",)])
def test_output_of_a_teardown_is_shown(pytester: pytest.Pytester, run_images: Run, options: tuple[str, ...]) -> None:
    """As by hand, although the teardown passed."""
    pytester.makepyfile(
        """
        import pytest
        @pytest.fixture
        def told():
            yield
            print("from the teardown")
        def test_bad(told): assert 0
        def test_good(told): pass
        """
    )
    run = run_images(*options, images="3.12,3.14")
    run.result.stdout.fnmatch_lines(["*- Captured stdout teardown -*", "from the teardown"], consecutive=True)
    assert run.out.count("from the teardown") == (2 if options else 1)


def test_teardown_is_found_without_a_look_at_all_others(pytester: pytest.Pytester) -> None:
    terminal = pytest.TerminalReporter(pytester.parseconfig(), io.StringIO())
    sections = {"test_a": [("Captured stdout teardown", "text")], "test_b": []}
    reports = [
        pytest.TestReport(name, (name, 0, name), {}, "passed", None, when, sections[name])
        for name in sections
        for when in ("setup", "teardown")
    ]
    terminal.stats[""] = reports[:2]
    terminal.stats["passed"] = reports[2:]
    limit_teardowns(terminal)
    assert terminal.getreports("") == [reports[1]]
    assert terminal.getreports("passed") == reports[2:]
    terminal.stats[""] = [*reports, reports[1]]
    assert terminal.getreports("") == [reports[1], reports[1]]
