"""Arguments in a file, ``@FILE``, count as if they had been typed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ImagesRun

pytestmark = pytest.mark.skipif(pytest.version_tuple < (8, 2), reason="pytest knows argument files since 8.2")
Run = Callable[..., ImagesRun]
SUITE = "def test_one(): pass\ndef test_two(): pass\ndef test_three(): assert 0\n"
BOTH = {"3.12": "passed", "3.14-slim": "passed"}


@pytest.mark.parametrize("place", ["typed", "PYTEST_ADDOPTS", "addopts", "nested"])
def test_images_and_options_of_the_host(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, run_images: Run, place: str
) -> None:
    """In ``addopts``, too, which the containers read; the file is outside of what they have."""
    folder = pytester.mkdir("project")
    (pytester.path / "ci.args").write_text("--py-images=3.12,3.14-slim\n--junitxml\nout.xml\n-v\n-k\nnot three\n")
    (pytester.path / "outer.args").write_text("@../ci.args\n")
    (folder / "test_it.py").write_text(SUITE)
    (folder / "pytest.ini").write_text("[pytest]\n" + ("addopts = @../ci.args\n" if place == "addopts" else ""))
    monkeypatch.chdir(folder)
    if place == "PYTEST_ADDOPTS":
        monkeypatch.setenv(place, "@../ci.args")
    typed = {"typed": ["@../ci.args"], "nested": ["@../outer.args"]}
    run = run_images(*typed.get(place, []), images=None)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 4, "deselected": 2})
    assert run.tests == {"test_it.py::test_one": BOTH, "test_it.py::test_two": BOTH}
    assert "test_it.py::test_one[3.12] PASSED" in run.out
    assert (folder / "out.xml").exists()


def test_ids_in_a_file(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=SUITE)
    (pytester.path / "ids").write_text("test_it.py::test_one\ntest_it.py::test_three[3.14-slim]\n--tb\nline\n")
    run = run_images("@ids", images="3.12,3.14-slim")
    assert run.result.ret == 1
    assert run.tests == {"test_it.py::test_one": BOTH, "test_it.py::test_three": {"3.14-slim": "failed"}}


def test_a_misspelt_option_in_a_file(pytester: pytest.Pytester, run_images: Run) -> None:
    (pytester.path / "ci.args").write_text("--py-image=3.12\n")
    run = run_images("@ci.args", images=None)
    assert run.result.ret == 4
    assert "did you mean --py-images?" in run.err


@pytest.mark.parametrize("command", ["pytest", "pyimages"])
def test_a_missing_file_is_named(run_images: Run, command: str) -> None:
    program = () if command == "pytest" else (str(Path(sys.executable).parent / "pyimages"), "test", "3.12", "--")
    run = run_images("@missing.args", command=program)
    assert run.result.ret == 4
    assert "[Errno 2] No such file or directory: 'missing.args'" in run.err
    assert not run.calls
