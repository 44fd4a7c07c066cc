"""``--lf``, ``--ff``, ``--nf`` and ``--sw`` work per image."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

IMAGES = "3.12,3.14-slim"
SUITE = """
    import os
    import pytest

    def test_first(): pass
    def test_new(): assert "3.14" not in os.environ["FAKE_IMAGE"]
    @pytest.mark.parametrize("number", [1, 2])
    def test_two(number): pass
"""
ORDER = """
    def pytest_collection_finish(session):
        print("ORDER", *[item.name for item in session.items], file=__import__("sys").__stderr__)
"""


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=SUITE)


def ran(run: ImagesRun) -> dict[str, list[str]]:
    """What ran, by image."""
    found: dict[str, list[str]] = {label: [] for label in run.images}
    for nodeid, outcomes in run.tests.items():
        for label in outcomes:
            found[label].append(nodeid.partition("::")[2])
    return found


def remembered(pytester: pytest.Pytester, name: str = "lastfailed") -> object:
    path = pytester.path / ".pytest_cache/v/pyimages" / name
    return json.loads(path.read_text()) if path.exists() else None


def plain(pytester: pytest.Pytester, *args: str) -> str:
    """Run pytest without images."""
    command = [sys.executable, "-m", "pytest", "-p", "no:pyimages", *args]
    return subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("option", ["--lf", "--last-failed"])
def test_last_failed_runs_on_the_failing_image_only(pytester: pytest.Pytester, run_images: Run, option: str) -> None:
    assert run_images(images=IMAGES).result.ret == 1
    assert remembered(pytester) == {"3.12": {}, "3.14-slim": {"test_it.py::test_new": True}}
    run = run_images(option, images=IMAGES)
    assert (run.result.ret, run.result.parseoutcomes()) == (1, {"failed": 1})
    assert ran(run) == {"3.14-slim": ["test_new"]}
    assert not any("python:3.12" in call for call in run.calls)
    run.result.stdout.fnmatch_lines(["py-images: 3.14-slim (3.12: nothing failed) · *"])


def test_fixed_tests_leave_the_cache(pytester: pytest.Pytester, run_images: Run) -> None:
    """Then nothing is known to fail, and all images run all of their tests, as in pytest."""
    run_images(images=IMAGES)
    pytester.makepyfile(test_it=SUITE.replace("3.14", "mended"))
    assert ran(run_images("--lf", images=IMAGES)) == {"3.14-slim": ["test_new"]}
    assert remembered(pytester) == {"3.12": {}, "3.14-slim": {}}
    run = run_images("--lf", images=IMAGES)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 8})


def test_tests_not_run_keep_their_state(pytester: pytest.Pytester, run_images: Run) -> None:
    run_images(images=IMAGES)
    run_images("-k", "two", images=IMAGES)
    assert remembered(pytester) == {"3.12": {}, "3.14-slim": {"test_it.py::test_new": True}}


def test_last_failed_no_failures_none(run_images: Run) -> None:
    run = run_images("--lf", "--lfnf=none", images=IMAGES)
    assert run.result.ret == 5
    assert not any(call.startswith("create") for call in run.calls)
    run.result.stdout.fnmatch_lines(["*nothing to run again: no image has recorded failures*"])


def test_new_image_runs_all_tests(run_images: Run) -> None:
    run_images(images="3.14-slim")
    assert ran(run_images("--lf", images=IMAGES))["3.12"] == ["test_first", "test_new", "test_two[1]", "test_two[2]"]


def test_untested_image_is_not_taken_as_passed(pytester: pytest.Pytester, run_images: Run) -> None:
    run = run_images(images="3.14-slim,python:3.99")
    assert run.result.ret == 1
    assert remembered(pytester) == {"3.14-slim": {"test_it.py::test_new": True}}
    assert set(run_images("--lf", images="3.14-slim,python:3.99").images) == {"3.14-slim", "python:3.99"}


def test_failures_outside_the_selection(pytester: pytest.Pytester, run_images: Run) -> None:
    """All of the given paths run, as in pytest, when nothing below them is known to fail."""
    pytester.makepyfile(test_other="def test_other(): pass")
    run_images(images=IMAGES)
    assert ran(run_images("--lf", "test_other.py", images=IMAGES)) == {
        "3.12": ["test_other"],
        "3.14-slim": ["test_other"],
    }
    assert ran(run_images("--lf", "test_it.py", images=IMAGES)) == {"3.14-slim": ["test_new"]}


def test_crashed_run_saves_reported_failures(pytester: pytest.Pytester, run_images: Run) -> None:
    crash = "os.abort() if '3.14' in os.environ['FAKE_IMAGE'] else None"
    pytester.makepyfile(test_it=SUITE.replace('assert "3.14" not in os.environ["FAKE_IMAGE"]', crash))
    run_images(images=IMAGES)
    assert remembered(pytester) == {"3.12": {}, "3.14-slim": {"test_it.py::test_new": True}}
    pytester.makepyfile(test_it=SUITE)
    assert run_images("-x", images=IMAGES).result.ret == 1
    assert remembered(pytester) == {"3.12": {}, "3.14-slim": {"test_it.py::test_new": True}}


def test_file_with_collection_error_runs_again(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="import os\nif '3.14' in os.environ['FAKE_IMAGE']: boom\ndef test_a(): pass")
    run_images(images=IMAGES)
    assert remembered(pytester) == {"3.12": {}, "3.14-slim": {"test_it.py": True}}
    pytester.makepyfile(test_it="def test_a(): pass")
    run = run_images("--lf", images=IMAGES)
    assert (run.result.ret, ran(run)) == (0, {"3.14-slim": ["test_a"]})
    assert remembered(pytester) == {"3.12": {}, "3.14-slim": {}}


@pytest.mark.parametrize("option", ["--ff", "--failed-first"])
def test_failed_first(pytester: pytest.Pytester, run_images: Run, option: str) -> None:
    pytester.makeconftest(ORDER)
    run_images(images=IMAGES)
    lines = run_images("-s", option, images=IMAGES).out.splitlines()
    assert "[3.14-slim] ORDER test_new test_first test_two[1] test_two[2]" in lines
    assert "[3.12] ORDER test_first test_new test_two[1] test_two[2]" in lines


def test_new_first(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(ORDER)
    run_images(images="3.12")
    assert remembered(pytester, "nodeids") == [[["3.12"], [f"test_it.py::{name}" for name in NAMES]]]
    pytester.makepyfile(test_it=SUITE + "\n    def test_later(): pass\n")
    lines = run_images("-s", "--nf", images=IMAGES).out.splitlines()
    assert "[3.12] ORDER test_later test_first test_new test_two[1] test_two[2]" in lines
    assert "[3.14-slim] ORDER test_first test_new test_two[1] test_two[2] test_later" in lines
    both = sorted(f"test_it.py::{name}" for name in (*NAMES, "test_later"))
    assert remembered(pytester, "nodeids") == [[["3.12", "3.14-slim"], both]]


NAMES = ("test_first", "test_new", "test_two[1]", "test_two[2]")


def test_stepwise_continues_per_image(pytester: pytest.Pytester, run_images: Run) -> None:
    run = run_images("--sw", images=IMAGES)
    assert run.result.ret == 2
    assert ran(run) == {"3.12": [*NAMES], "3.14-slim": [*NAMES]}
    assert run.tests["test_it.py::test_two[1]"] == {"3.12": "passed", "3.14-slim": "not run"}
    again = ran(run_images("--sw", images=IMAGES))
    assert again == {"3.12": [*NAMES], "3.14-slim": [*NAMES[1:]]}
    skipped = run_images("--sw-skip", images=IMAGES)
    assert skipped.tests["test_it.py::test_two[2]"] == {"3.12": "passed", "3.14-slim": "passed"}
    run_images("--sw", images=IMAGES)
    reset = ("--sw-reset",) if pytest.version_tuple >= (8, 4) else ("--sw", "--cache-clear")  # since 8.4
    assert ran(run_images(*reset, images=IMAGES))["3.14-slim"] == [*NAMES]


def test_cache_clear(pytester: pytest.Pytester, run_images: Run) -> None:
    run_images(images=IMAGES)
    run = run_images("--lf", "--cache-clear", "-k", "two", images=IMAGES)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 4, "deselected": 4})
    assert remembered(pytester) == {"3.12": {}, "3.14-slim": {}}


@pytest.mark.parametrize("way", ["ini", "option"])
def test_cache_dir(pytester: pytest.Pytester, run_images: Run, way: str) -> None:
    if way == "ini":
        pytester.makeini("[pytest]\ncache_dir = kept/here\n")
    args = () if way == "ini" else ("-o", "cache_dir=kept/here")
    run_images(*args, images="3.14-slim")
    assert ran(run_images(*args, "--lf", images="3.14-slim")) == {"3.14-slim": ["test_new"]}
    assert (pytester.path / "kept/here/v/pyimages/lastfailed").exists()
    assert not (pytester.path / ".pytest_cache").exists()


def test_without_cacheprovider(pytester: pytest.Pytester, run_images: Run) -> None:
    assert run_images("-p", "no:cacheprovider", images=IMAGES).result.ret == 1
    assert not (pytester.path / ".pytest_cache").exists()
    run = run_images("-p", "no:cacheprovider", "--lf", images=IMAGES)
    assert run.result.ret == 4
    assert "--lf" in run.out


def test_runs_without_images_have_their_own_cache(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_IMAGE", "none")
    (pytester.path / "test_it.py").write_text((pytester.path / "test_it.py").read_text() + HOST_ONLY)
    plain(pytester)
    before = Path(pytester.path / ".pytest_cache/v/cache/lastfailed").read_text()
    assert json.loads(before) == {"test_it.py::test_host": True}
    run_images(images=IMAGES)
    assert Path(pytester.path / ".pytest_cache/v/cache/lastfailed").read_text() == before
    assert ran(run_images("--lf", images=IMAGES)) == {"3.14-slim": ["test_new"]}
    assert "1 failed in" in plain(pytester, "--lf")
    assert remembered(pytester) == {"3.12": {}, "3.14-slim": {"test_it.py::test_new": True}}


HOST_ONLY = '\ndef test_host(): assert os.environ["FAKE_IMAGE"] != "none"\n'


@pytest.mark.parametrize("text", ["{", "[1]", '{"3.14-slim": 1}', '{"3.14-slim": {"a": {}}}', "null"])
def test_broken_cache_is_ignored(pytester: pytest.Pytester, run_images: Run, text: str) -> None:
    folder = pytester.mkdir(".pytest_cache") / "v/pyimages"
    folder.mkdir(parents=True)
    for name in ("lastfailed", "nodeids", "stepwise"):
        (folder / name).write_text(text)
    run = run_images("--lf", "--nf", "--sw-skip", images="3.14-slim")
    assert run.result.parseoutcomes() == {"failed": 1, "passed": 3}
