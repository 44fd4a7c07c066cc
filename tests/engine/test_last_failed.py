"""``--lf`` and ``--sw`` per image, and the first failure stops all containers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.support.jobs import Job

NEW_FAILS = """
import sys
import pytest

def test_old(): pass
def test_new(): assert sys.version_info < (3, 14)
@pytest.mark.parametrize("number", [1, 2])
def test_both(number): pass
"""
SLOW = """
import sys, time
import pytest

def test_first():
    time.sleep(1)
    assert sys.version_info < (3, 14)
@pytest.mark.parametrize("number", range(200))
def test_slow(number): time.sleep(0.5)
"""


def outcomes(job: Job) -> dict[str, dict[str, str]]:
    report: dict[str, Any] = json.loads((job.folder / "report.json").read_text())
    return {test["nodeid"].partition("::")[2]: test["outcomes"] for test in report["tests"]}


def test_only_failed_tests_run_again(job: Job) -> None:
    job.write(test_it=NEW_FAILS)
    first = job.run()
    assert first.returncode == 1, first.stdout + first.stderr
    again = job.run("--lf")
    assert again.returncode == 1
    assert outcomes(job) == {"test_new": {"3.14-slim": "failed"}}
    assert "py-images: 3.14-slim (3.12: nothing failed) · " in again.stdout
    job.write(test_it=NEW_FAILS.replace("3, 14", "4, 0"))
    assert job.run("--lf").returncode == 0
    assert outcomes(job) == {"test_new": {"3.14-slim": "passed"}}
    assert job.run("--lf").returncode == 0, "nothing fails any more: all run"
    assert set(job.images) == {"3.12", "3.14-slim"}
    assert len(outcomes(job)) == 4
    plain = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:pyimages", "--lf"],
        cwd=job.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "no previously failed tests, not deselecting items" in plain.stdout


def test_stepwise_continues_per_image(job: Job) -> None:
    job.write(test_it=NEW_FAILS)
    assert job.run("--sw").returncode == 2
    assert outcomes(job)["test_both[1]"] == {"3.12": "passed", "3.14-slim": "not run"}
    assert job.run("--sw").returncode == 2
    assert outcomes(job)["test_old"] == {"3.12": "passed"}
    assert outcomes(job)["test_new"] == {"3.12": "passed", "3.14-slim": "failed"}


@pytest.mark.battery
def test_a_first_failure_stops_the_other_container(job: Job) -> None:
    """The whole suite takes 100 seconds; the containers are gone, as the check for leaks sees."""
    job.write(test_it=SLOW)
    job.run("--collect-only")  # so that both are built
    began = time.monotonic()
    run = job.run("-x")
    assert time.monotonic() - began < 60
    assert run.returncode == 1, run.stdout + run.stderr
    assert "stopping after 1 failures" in run.stdout
    assert outcomes(job)["test_first"]["3.14-slim"] == "failed"
    assert set(job.images) == {"3.12", "3.14-slim"}
    assert "not run" in {found.get("3.12") for found in outcomes(job).values()}
    assert re.search(r"^ 3\.12 .* interrupted · \d+ not run$", run.stdout, re.MULTILINE)


def test_failure_ends_only_its_image(job: Job) -> None:
    job.write(test_it=SLOW.replace("200", "3"))
    run = job.run("--py-images-fail-fast=image")
    assert run.returncode == 1, run.stdout + run.stderr
    assert set(outcomes(job)["test_slow[2]"].values()) == {"passed", "not run"}
    assert outcomes(job)["test_slow[2]"]["3.12"] == "passed"
