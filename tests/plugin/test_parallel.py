"""Containers at once, and ``-n`` in them; the host's xdist starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from tests.support.golden import message

from .conftest import ImagesRun

Run = Callable[..., ImagesRun]
JUNIT = ("--junitxml=junit.xml", "-o", "junit_family=xunit1")  # in another, pytest warns of record_property
EIGHT = "3.{10..13}{,-slim}"
# Says which container and which of xdist's processes a test runs in, and how many there are.
TELLING = """
import os, pytest
@pytest.mark.parametrize("number", range(6))
def test_many(number, record_property):
    record_property("worker", os.environ.get("PYTEST_XDIST_WORKER", "none"))
    record_property("workers", os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
"""


def workers_per_image(run: ImagesRun, pytester: pytest.Pytester) -> dict[str, int]:
    """Return how many of xdist's processes each image had, as the junit file tells."""
    found: dict[str, int] = {}
    for suite in ET.parse(pytester.path / "junit.xml").iter("testsuite"):
        told = [each.get("value") for each in suite.iter("property") if each.get("name") == "workers"]
        assert len(set(told)) == 1
        found[str(suite.get("name"))] = int(str(told[0]))
    return found


def test_no_more_containers_at_once_than_jobs(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = run_images("--py-images-jobs=3", images=EIGHT, engine="FakeEngine(processors=8, meeting=3)")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 8})
    assert run.most_at_once == 3  # builds are containers, too


def test_default_jobs_is_the_number_of_cpus(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images=EIGHT, engine="FakeEngine(processors=5, meeting=5)")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 8})
    assert "processors" in run.calls


def test_jobs_of_the_ini_file(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeini("[pytest]\npy_images_jobs = 1\n")
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images="3.11,3.12", engine="FakeEngine()")
    assert (run.result.ret, run.most_at_once) == (0, 1)
    assert "processors" not in run.calls  # nobody needs to know


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_invalid_jobs(run_images: Run, value: str) -> None:
    run = run_images(f"--py-images-jobs={value}")
    assert run.result.ret == 4
    told = message("host", "invalid-value", origin="--py-images-jobs", value=value, hint="must be 1 or more")
    assert run.err.strip() == f"ERROR: {told}"
    assert run.calls == []


def test_workers_are_divided_among_containers(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(TELLING)
    run = run_images("-n5", "--junitxml=junit.xml", images="3.11,3.12,3.13")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 18})
    assert workers_per_image(run, pytester) == {"3.11": 2, "3.12": 2, "3.13": 1}
    run.result.stdout.fnmatch_lines(["py-images: *5 workers in 3 containers at once"])
    assert "[gw" not in run.out  # the host's own xdist would say so
    assert "bringing up nodes" not in run.out


def test_fewer_workers_than_images_are_fewer_containers_at_once(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(TELLING)
    run = run_images("-n", "1", "--junitxml=junit.xml", "--py-images-jobs=4", images="3.11,3.12")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 12})
    assert workers_per_image(run, pytester) == {"3.11": 1, "3.12": 1}
    run.result.stdout.fnmatch_lines(["py-images: *1 worker in 1 container"])


def test_auto_is_the_engine_s_processors(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where PYTEST_ADDOPTS says so, which pytest inside reads itself."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--numprocesses=auto --dist loadfile")
    pytester.makepyfile(TELLING)
    run = run_images("--junitxml=junit.xml", images="3.11,3.12", engine="FakeEngine(processors=6)")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 12})
    assert workers_per_image(run, pytester) == {"3.11": 3, "3.12": 3}


def test_command_line_overrides_configured_workers(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeini("[pytest]\naddopts = -n 3\n")
    pytester.makepyfile(TELLING)
    run = run_images("-n0", *JUNIT)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 6})
    assert workers_per_image(run, pytester) == {"3.12": 0}
    assert "1 container" not in run.out


def test_inner_workers_accept_own_options(pytester: pytest.Pytester, run_images: Run) -> None:
    """They read the ini file, too, and load no plugin objects; what they do not know would be an error there."""
    pytester.makeini(
        "[pytest]\naddopts = --strict-config --py-images-jobs=2 -n 2\npy_images_env = A=1\nfilterwarnings = error\n"
    )
    pytester.makepyfile(TELLING)
    run = run_images("--junitxml=junit.xml", images="3.11,3.12")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 12})
    assert workers_per_image(run, pytester) == {"3.11": 1, "3.12": 1}


def test_workers_of_some_images_only(pytester: pytest.Pytester, run_images: Run) -> None:
    """The arguments that are configured for an image win there, and bring the plugin there alone."""
    pytester.makepyprojecttoml(
        """
        [[tool.pyimages.overrides]]
        select = "3.12"
        args = ["-n", "auto", "--maxprocesses=4"]
        [[tool.pyimages.overrides]]
        select = "3.13"
        args = ["-n0"]
        """
    )
    pytester.makepyfile(TELLING)
    run = run_images(*JUNIT, images="3.11,3.12", engine="FakeEngine(processors=8)")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 12})
    assert workers_per_image(run, pytester) == {"3.11": 0, "3.12": 2}  # another could have had as many
    run.result.stdout.fnmatch_lines(["installs: pytest (3.11)", "installs: pytest-xdist (-n) (3.12)"])
    run = run_images("-n2", "--junitxml=junit.xml", images="3.11,3.13")
    assert workers_per_image(run, pytester) == {"3.11": 1, "3.13": 0}


def test_tx_processes(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(TELLING)
    run = run_images("--tx=3*popen", "--dist=load", "--junitxml=junit.xml")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 6})
    assert workers_per_image(run, pytester) == {"3.12": 3}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        # Without xdist here, which would say the same in argparse's way.
        (
            "-p no:xdist -n many",
            message("host", "invalid-value", origin="-n", value="many", hint="must be auto, logical or a number"),
        ),
        (
            "-n 2 --dist=each",
            message("host", "cannot-be-used", option="--dist=each", reason=message("host", "dist-each")),
        ),
    ],
)
def test_invalid_workers(run_images: Run, args: str, expected: str) -> None:
    run = run_images(*args.split())
    assert run.result.ret == 4
    assert run.err.strip() == f"ERROR: {expected}"


def test_plugin_of_an_option_is_installed(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = run_images("-n", "2", "-q", "-v")
    assert run.result.ret == 0
    run.result.stdout.fnmatch_lines(["installs: pytest-xdist (-n)"])
