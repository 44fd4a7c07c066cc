"""Suites that end their session before all tests have run, and streams that only look like a complete run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.forged_engine import make_engine
from tests.support.forgeries import FORGERIES, GREEN

Run = Callable[..., ImagesRun]

BAD = "import os\nimport pytest\nBAD = os.environ['FAKE_IMAGE'] == 'python:3.14'\n"
LOOP = BAD + "def pytest_runtestloop(session): return True if BAD else None"
PROTOCOL = BAD + "def pytest_runtest_protocol(item): return True if BAD and item.name == 'test_2' else None"
REMOVED = BAD + "@pytest.hookimpl(tryfirst=True)\ndef pytest_runtestloop(session):\n    if BAD: del session.items[1:]"
EXIT = BAD + "def pytest_runtest_setup(item):\n    if BAD and item.name == 'test_2': pytest.exit('bye', returncode={})"
SUITE = "def test_1(): pass\ndef test_2(): pass\ndef test_3(): pass\n"


@pytest.mark.parametrize(
    ("conftest", "status", "line"),
    [
        pytest.param(LOOP, 0, "3 of 3 tests not run: pytest_runtestloop of conftest.py", id="own loop"),
        pytest.param(PROTOCOL, 0, "1 of 3 tests not run: pytest_runtest_protocol of conftest.py", id="own protocol"),
        pytest.param(REMOVED, 0, "2 of 3 tests not run: pytest_runtestloop of conftest.py", id="items removed"),
        pytest.param(EXIT.format(0), 0, "2 of 3 tests not run: Exit: bye", id="exit 0"),
        pytest.param(EXIT.format(5), 1, "2 of 3 tests not run: Exit: bye", id="exit 5"),
    ],
)
@pytest.mark.parametrize("quiet", [False, True], ids=["normal", "quiet"])
def test_tests_that_a_suite_leaves_out_are_counted(
    pytester: pytest.Pytester, run_images: Run, conftest: str, status: int, line: str, quiet: bool
) -> None:
    """The exit status is as by hand, where that is none of pytest's own for no tests; a line says what is missing."""
    pytester.makeconftest(conftest)
    pytester.makepyfile(SUITE)
    run = run_images(*(["-q"] if quiet else []), images="3.12,3.14")
    assert run.result.ret == status, run.out
    assert run.out.count(f" 3.14  {line}") == 1
    assert run.images["3.14"]["outcome"] == ("failed" if status else "passed")
    assert list(run.tests["test_tests_that_a_suite_leaves_out_are_counted.py::test_2"].values()) == [
        "passed",
        "not run",
    ]
    assert "all 3 tests agree" not in run.out


def test_exit_5_of_all_images_is_that_of_the_session(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(EXIT.replace("python:3.14", "python:3.12").format(5))
    pytester.makepyfile(SUITE)
    run = run_images()
    assert run.result.ret == 5
    assert run.images["3.12"]["outcome"] == "failed"


def test_a_test_that_is_made_while_tests_run_counts(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(
        """
        import pytest

        def pytest_runtest_logfinish(nodeid):
            if nodeid.endswith("test_2"):
                made = pytest.Function.from_parent(ITEM.parent, name="test_made", callobj=lambda: None)
                made.ihook.pytest_runtest_protocol(item=made, nextitem=ITEM)

        def pytest_runtest_setup(item):
            global ITEM
            ITEM = item
        """
    )
    pytester.makepyfile(test_it=SUITE)
    run = run_images()
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 4})
    assert run.tests["test_it.py::test_made"] == {"3.12": "passed"}


LABELS = [f"3.{minor}{variant}" for minor in range(10, 16) for variant in ("", "-slim")]


@pytest.mark.parametrize("start", range(0, len(FORGERIES), len(LABELS) - 1))
def test_forged_streams_on_a_terminal(pytester: pytest.Pytester, run_images: Run, tmp_path: Path, start: int) -> None:
    """Each of several images has another fault; the one without is well."""
    forged = list(FORGERIES.values())[start : start + len(LABELS) - 1]
    streams = dict(zip(LABELS, [GREEN, *forged], strict=False))
    pytester.makepyfile(SUITE)
    engine = make_engine(tmp_path, streams)
    run = run_images("--junitxml=junit.xml", images=",".join(streams), engine=engine)
    assert run.result.ret == 1
    assert "Traceback" not in run.out + run.err
    assert "INTERNALERROR" not in run.out
    outcomes = {label: image["outcome"] for label, image in run.images.items()}
    assert outcomes == dict.fromkeys(streams, "error") | {LABELS[0]: "passed"}
    for label in list(streams)[1:]:
        assert f"ERROR [{label}]" in run.out
