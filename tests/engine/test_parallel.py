"""``-n`` in real containers."""

from __future__ import annotations

from pytest_pyimages.engines.docker import DockerEngine
from tests.support.jobs import Job, counts

SUITE = """
import os, signal
import pytest

@pytest.mark.parametrize("number", range(10))
def test_good(number): assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "2"
def test_exits(): os._exit(0)
def test_segfaults(): os.kill(os.getpid(), signal.SIGSEGV)
def test_fails(): assert 0
"""


def test_four_workers_in_two_containers(job: Job) -> None:
    """Two each; the one that dies is replaced, and its test has failed. The plugin is there though nobody named it."""
    job.write(test_it=SUITE)
    run = job.run("-n", "4", "-p", "no:cacheprovider")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "4 workers in 2 containers at once" in run.stdout
    assert "installs: pytest-xdist (-n)" in run.stdout
    for label in ("3.12", "3.14-slim"):
        assert counts(job.images[label], "passed", "failed", "error") == (10, 3, 0)
        assert job.images[label]["problem"] == ""
        for name in ("exits", "segfaults"):
            assert f"FAILED test_it.py::test_{name}[{label}] - worker 'gw" in run.stdout
    plain = job.run("--py-images-jobs=1", "-p", "no:cacheprovider", "-k", "fails", images="3.14-slim")
    assert counts(job.images["3.14-slim"], "passed", "failed") == (0, 1), plain.stdout
    again = job.run("-n2", "-p", "no:cacheprovider", "-k", "good", images="3.14-slim")
    assert again.returncode == 0, again.stdout
    assert job.images["3.14-slim"]["cached"]  # beside the plain one
    assert counts(job.images["3.14-slim"], "passed") == (10,)


def test_auto_is_the_number_of_engine_cpus(job: Job, engine: DockerEngine) -> None:
    job.write(test_it="def test_a(): pass")
    run = job.run("-n", "auto", images="3.14-slim")
    assert run.returncode == 0, run.stdout + run.stderr
    number = engine.processors()
    assert f"{number} worker{'s' * (number > 1)} in 1 container" in run.stdout
