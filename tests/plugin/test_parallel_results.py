"""Results with ``-n``: crashes of workers, early ends, ids and counts are as without."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from .conftest import ImagesRun

Run = Callable[..., ImagesRun]
TWO = "3.11,3.12"
CRASHING = """
import os, signal, pytest
@pytest.mark.parametrize("number", range(6))
def test_good(number): pass
class TestIt:
    def test_exits(self): os._exit(0)
def test_fails(): assert 0
"""
ONLY_ON_312 = """
import os, pytest
@pytest.mark.parametrize("number", range(4))
def test_good(number): pass
def test_picky(): assert os.environ["FAKE_IMAGE"] != "python:3.12"
"""


def test_crashed_worker_is_reported_like_xdist(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=CRASHING)
    run = run_images("-n4", "--junitxml=junit.xml", images=TWO)
    assert run.result.ret == 1
    assert run.result.parseoutcomes() == {"passed": 12, "failed": 4}
    for label in ("3.11", "3.12"):
        image = run.images[label]
        assert (image["outcome"], image["counts"]["passed"], image["counts"]["failed"]) == ("failed", 6, 2)
        assert image["problem"] == ""
        crash = "worker 'gw[0-9]' crashed while running 'test_it.py::TestIt::test_exits'"
        run.result.stdout.fnmatch_lines_random(["*__ TestIt.test_exits?3.11, 3.12? __*", crash])
        run.result.stdout.fnmatch_lines([f"FAILED test_it.py::TestIt::test_exits?{label}? - worker 'gw[0-9]' cra*"])
    assert run.tests["test_it.py::TestIt::test_exits"] == {"3.11": "failed", "3.12": "failed"}
    assert "[gw" not in run.out
    suites = list(ET.parse(pytester.path / "junit.xml").iter("testsuite"))
    assert [(suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in suites] == [
        ("8", "2", "0"),
        ("8", "2", "0"),
    ]


def test_too_many_crashes_are_an_error_of_the_image(pytester: pytest.Pytester, run_images: Run) -> None:
    """What was not run then is told, and is not green."""
    pytester.makepyfile(
        test_it="""
        import os, pytest
        def test_exits(): os._exit(0)
        @pytest.mark.parametrize("number", range(20))
        def test_good(number): pass
        """
    )
    run = run_images("-n1", "--max-worker-restart=0")
    assert run.result.ret == 1
    assert run.images["3.12"]["outcome"] == "error"
    run.result.stdout.fnmatch_lines(
        [
            " 3.12  xdist: worker gw0 crashed and worker restarting disabled (after 1 of 21 tests; 20 not run)",
            "FAILED test_it.py::test_exits?3.12? - worker 'gw0' crashed*",
            "ERROR ?3.12? - xdist: worker gw0 crashed and worker restarting disabled*",
        ]
    )


def test_crashed_workers_are_not_no_tests(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest("import os\nif 'PYTEST_XDIST_WORKER' in os.environ: os._exit(0)\n")
    pytester.makepyfile("def test_a(): pass")
    run = run_images("-n1", "--max-worker-restart=1")
    assert run.result.ret == 1
    assert run.images["3.12"]["problem"] == "xdist: maximum crashed workers reached: 1"


def test_crash_of_xdist_blames_no_test(pytester: pytest.Pytester, run_images: Run) -> None:
    """Several run at once, and the process that dies is the one that runs none."""
    pytester.makepyfile(
        test_it="""
        import os, signal
        def test_first(): pass
        def test_kills(): os.kill(os.getppid(), signal.SIGKILL)
        """
    )
    run = run_images("-n1")
    assert run.result.ret == 1
    assert run.images["3.12"]["problem"].startswith("worker died of SIGKILL (after ")
    assert "failed" not in run.result.parseoutcomes()


@pytest.mark.parametrize("option", ["-x", "--maxfail=2", "--py-images-fail-fast=session"])
def test_enough_failures_stop_all_containers(pytester: pytest.Pytester, run_images: Run, option: str) -> None:
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.parametrize("number", range(40))
        def test_bad(number): assert 0
        """
    )
    run = run_images("-n2", option, images=TWO)
    assert run.result.ret == 1
    assert run.result.parseoutcomes() == {"failed": 2 if option == "--maxfail=2" else 1}
    run.result.stdout.fnmatch_lines(["!* stopping after ? failures !*"])
    assert " not run" in run.out


def test_fail_fast_image_with_workers(pytester: pytest.Pytester, run_images: Run) -> None:
    """For xdist that is an interruption, for pytest a failure."""
    pytester.makepyfile(ONLY_ON_312)
    run = run_images("-n2", "--py-images-fail-fast=image", images=TWO)
    assert run.result.ret == 1
    assert {label: image["outcome"] for label, image in run.images.items()} == {"3.11": "passed", "3.12": "failed"}


def test_every_test_has_one_line(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=CRASHING)
    run = run_images("-n3", "-v", "--tb=no")
    lines = [line for line in run.out.splitlines() if line.startswith("test_it.py::")]
    words = sorted(line.partition("%]")[0].rpartition("[")[0].strip() for line in lines)
    assert words == [
        "test_it.py::TestIt::test_exits[3.12] FAILED",
        "test_it.py::test_fails[3.12] FAILED",
        *(f"test_it.py::test_good[{number}][3.12] PASSED" for number in range(6)),
    ]


def test_interleaved_files_share_a_line(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_a="def test_1(): pass\ndef test_2(): pass", test_b="def test_3(): pass")
    run = run_images("-n2", images=TWO)
    run.result.stdout.fnmatch_lines(["...... *[[]100%[]]"])
    assert "test_a.py" not in run.out


def test_xdist_group_is_not_part_of_the_id(pytester: pytest.Pytester, run_images: Run) -> None:
    """A shown id can be pasted, and is the same with and without --dist=loadgroup."""
    pytester.makepyfile(
        test_it="""
        import pytest
        @pytest.mark.xdist_group("one")
        @pytest.mark.parametrize("name", ["a@b", "c"])
        def test_grouped(name): assert name == "c"
        @pytest.mark.xdist_group("one")
        def test_plain(): pass
        """
    )
    run = run_images("-n2", "--dist=loadgroup", "-v")
    assert (run.result.ret, run.result.parseoutcomes()) == (1, {"passed": 2, "failed": 1})
    assert sorted(run.tests) == [
        "test_it.py::test_grouped[a@b]",
        "test_it.py::test_grouped[c]",
        "test_it.py::test_plain",
    ]
    run.result.stdout.fnmatch_lines(["FAILED test_it.py::test_grouped?a@b??3.12? - *"])


def test_failures_of_workers_are_saved(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=ONLY_ON_312)
    first = run_images("-n2", images=TWO)
    assert first.result.parseoutcomes() == {"passed": 9, "failed": 1}
    again = run_images("-n2", "--lf", images=TWO)
    assert again.result.parseoutcomes() == {"failed": 1}
    assert list(again.images) == ["3.12"]


def test_collection_errors_of_workers_are_reported_once(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_a="import nothing_of_that_name", test_b="def test_b(): pass")
    run = run_images("-n4", images=TWO)
    assert (run.result.ret, run.result.parseoutcomes()) == (1, {"passed": 2, "errors": 2})


def test_collect_only_starts_no_workers(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    run = run_images("-n4", "--collect-only", "-q", images=TWO)
    assert run.result.ret == 0
    assert sorted(run.out.split()[:2]) == ["test_it.py::test_a[3.11]", "test_it.py::test_a[3.12]"]


def test_deselected_tests_with_workers(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=ONLY_ON_312)
    run = run_images("-n2", "-k", "good", images=TWO)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 8})
    run.result.stdout.fnmatch_lines(["*[[]100%[]]"])
