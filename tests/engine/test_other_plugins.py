"""Plugins in real containers: results equal those of pytest run by hand."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.jobs import Job

REQUIREMENTS = ("pytest>=9", "pytest-rerunfailures", "pytest-timeout", "pytest-randomly", "pytest-mock")
SUITE = """
import os
import random
import sys
import time
import unittest
import pytest

attempts = {}

def fails_at_first(name):
    attempts[name] = attempts.get(name, 0) + 1
    return attempts[name] < 2

def test_flaky(): assert not fails_at_first("flaky")
@pytest.mark.flaky(reruns=2)
def test_always(): assert 0
@pytest.fixture
def unsteady(): assert not fails_at_first("setup")
def test_setup(unsteady): pass
def test_subtests(subtests):
    for number in range(4):
        with subtests.test(number=number):
            assert number % 2 == 0
def test_flaky_subtests(subtests):
    first = fails_at_first("subtests")
    for number in range(3):
        with subtests.test(number=number):
            assert not first or number == 1
class TestCase(unittest.TestCase):
    def test_unit(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertEqual(number, 1)
@pytest.mark.timeout(0.2, method="signal")
def test_slow(): time.sleep(20)
def test_mocked(mocker):
    mocker.patch("os.getcwd", return_value="/elsewhere")
    assert os.getcwd() == "/elsewhere"
def test_random(): assert random.random() > 2, random.randint(0, 10**9)
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail
def test_xfailed(): assert 0
"""
HANGS = """
import time
def test_first(): pass
def test_hangs(): time.sleep(60)
"""


@pytest.fixture
def suite(job: Job) -> Job:
    (job.folder / "requirements-test.txt").write_text("\n".join(REQUIREMENTS))
    (job.folder / "test_it.py").write_text(SUITE)
    return job


def counts(line: str) -> dict[str, int]:
    return {name: int(number) for number, name in re.findall(r"(\d+) ([a-z][a-z ]*?)(?=,| in )", line)}


def by_hand(job: Job, image: str, *args: str) -> str:
    command = [sys.executable, "-m", "pytest_pyimages.cli", "run", image, "--", "python", "-m", "pytest", *args]
    done = subprocess.run(command, cwd=job.folder, capture_output=True, text=True, timeout=300)
    return done.stdout.splitlines()[-1]


def test_results_are_those_of_pytest_by_hand(suite: Job) -> None:
    args = ("-v", "--reruns=1", "--tb=no")
    run = suite.run(*args)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "all 11 tests agree on 2 images" in run.stdout
    (seed,) = re.findall(r"^Using --randomly-seed=(\d+)$", run.stdout, re.MULTILINE)
    numbers = re.findall(r"^FAILED .*::test_random.* - AssertionError: (\d+)", run.stdout, re.MULTILINE)
    assert len(numbers) == 2
    assert len(set(numbers)) == 1, "the same seed is the same chance"
    alone = counts(by_hand(suite, "3.12", *args, f"--randomly-seed={seed}"))
    assert alone["rerun"] == 8
    assert counts(run.stdout.splitlines()[-1]) == {name: 2 * number for name, number in alone.items()}


def test_timeout_is_a_failure_with_stacks(suite: Job) -> None:
    (suite.folder / "test_it.py").write_text(HANGS)
    run = suite.run("--timeout=1", "--timeout-method=thread", "-p", "no:randomly")
    assert run.returncode == 1, run.stdout + run.stderr
    assert run.stdout.count("++ Timeout ++") == 2, "before and after the stacks, shown once for both images"
    assert run.stdout.count("def test_hangs(): time.sleep(60)") == 1
    assert len(re.findall(r"^FAILED test_it\.py::test_hangs\[", run.stdout, re.MULTILINE)) == 2
