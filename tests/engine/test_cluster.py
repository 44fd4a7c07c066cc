"""A real cluster: a scheduler, and two workers with an engine each, one of which does not see this host's files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import KIND_LABEL
from tests.support.golden import message
from tests.support.jobs import Job, counts
from tests.support.processes import read_until

from .conftest import LEAK_SECONDS, list_left
from .conftest import REMOTE_TAG as TAG

# Variants are images of their own that are all made of one base image.
LABELS = (TAG, f"{TAG}+a")
PROJECT = '[[tool.pyimages.variants]]\nname = "a"\nargs = ["--strict-markers"]\n'
KEPT = {"bytecode", "cache", "source-copy"}
START_SECONDS = 60.0
STOP_SECONDS = 10.0
GONE_SECONDS = 60.0  # until a machine notices that nobody listens, and has removed what is left
SLOW = """
import time
import pytest
@pytest.mark.parametrize("number", range(40))
def test_it(number):
    time.sleep(0.25)
"""


class Cluster:
    """Programs of Dask, each with its children in a group of its own, so that all of it can be killed at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.programs: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *words: str, engine: str = "") -> None:
        """Start one program of Dask; its output is in a file."""
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        environment = {**os.environ, "DOCKER_HOST": engine}
        with (self._folder / f"{name}.log").open("wb") as log:
            self.programs[name] = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def start_scheduler(self) -> None:
        self.start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", self.address.rpartition(":")[2])
        self._wait_for("scheduler", "Scheduler at")

    def start_worker(self, name: str, engine: str, *words: str) -> None:
        words = words or ("--resources", "engine=1")
        self.start(name, "worker", self.address, "--name", name, "--nthreads", "1", *words, engine=engine)
        self._wait_for(name, "Registered to")

    def _wait_for(self, name: str, text: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while text not in (log := (self._folder / f"{name}.log").read_text()):
            assert time.monotonic() < deadline, log
            assert self.programs[name].poll() is None, log
            time.sleep(0.1)

    def kill(self, name: str) -> None:
        process = self.programs.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End all programs; workers first, since they would wait for the scheduler."""
        for name in reversed(list(self.programs)):
            self.programs[name].terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.programs[name].wait(timeout=STOP_SECONDS)
            self.kill(name)

    def option(self) -> str:
        return f"--py-images-cluster={self.address}"


@pytest.fixture
def cluster(engine: DockerEngine, remote: DockerEngine, tmp_path: Path) -> Iterator[Cluster]:
    """Return a cluster with the machines ``near``, which sees this host's files, and ``far``, which does not."""
    (tmp_path / "dask").mkdir()
    started = Cluster(tmp_path / "dask")
    try:
        started.start_scheduler()
        started.start_worker("near", engine.info.endpoint)
        started.start_worker("far", remote.info.endpoint)
        yield started
    finally:
        started.stop()


@pytest.fixture
def divided(job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return a job on a host without an engine."""
    (job.folder / "pyproject.toml").write_text(PROJECT)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    return job


def wait_until_clean(engines: Sequence[DockerEngine], host: str, seconds: float = LEAK_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while left := [entry for each in engines for entry in list_left(each, host) if is_leak(entry.labels[KIND_LABEL])]:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def is_leak(kind: str) -> bool:
    return kind not in KEPT


def list_reported(out: str) -> list[str]:
    return re.findall(r"(?m)^(test_\w+\.py::\S+) PASSED", out)


@pytest.mark.battery
def test_images_run_on_machines(divided: Job, cluster: Cluster, engine: DockerEngine, remote: DockerEngine) -> None:
    divided.write(test_it="import time\ndef test_a(): time.sleep(2)\ndef test_fails(): assert 0, __file__\n")
    done = divided.run(cluster.option(), images=",".join(LABELS))
    assert done.returncode == 1, done.stdout + done.stderr
    assert {counts(image, "passed", "failed") for image in divided.images.values()} == {(1, 1)}
    assert {image["engine"] for image in divided.images.values()} == {"near", "far"}
    assert f"cluster at {cluster.address}, 2 machines with an engine" in done.stdout
    assert f" a shell there: pyimages shell {LABELS[-1]}\n" in done.stdout
    again = divided.run(cluster.option(), "--lf", images=",".join(LABELS))
    assert {counts(image, "passed", "failed") for image in divided.images.values()} == {(0, 1)}, again.stdout


def test_a_lost_machine_is_replaced(
    divided: Job, cluster: Cluster, engine: DockerEngine, remote: DockerEngine, host: str
) -> None:
    divided.write(test_it=SLOW)
    with divided.start("-v", cluster.option(), images=",".join(LABELS)) as process:
        seen = read_until(process, "test_it[5][")
        cluster.kill("far")
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, seen + out + err
    reported = list_reported(seen + out)
    assert len(reported) == len(set(reported)) == 80, "each test is reported once"
    assert [counts(divided.images[label], "passed") for label in LABELS] == [(40,), (40,)]
    assert "run again elsewhere (far is no longer a worker of the cluster)" in out
    # The machine could remove nothing, and no other one can: the next session on its engine does.
    cluster.start_worker("far", remote.info.endpoint)
    divided.write(test_it="import time\ndef test_a(): time.sleep(2)\n")
    assert divided.run(cluster.option(), images=",".join(LABELS)).returncode == 0
    wait_until_clean([engine, remote], host)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_nothing_is_left_when_the_host_ends(
    divided: Job, cluster: Cluster, engine: DockerEngine, remote: DockerEngine, host: str, number: signal.Signals
) -> None:
    divided.write(test_it=SLOW)
    with divided.start("-v", cluster.option(), images=",".join(LABELS)) as process:
        read_until(process, "test_it[3][")
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == (2 if number == signal.SIGINT else -signal.SIGKILL)
    wait_until_clean([engine, remote], host, LEAK_SECONDS if number == signal.SIGINT else GONE_SECONDS)


def test_nothing_is_left_when_the_scheduler_ends(
    divided: Job, cluster: Cluster, engine: DockerEngine, remote: DockerEngine, host: str
) -> None:
    divided.write(test_it=SLOW)
    with divided.start("-v", cluster.option(), images=",".join(LABELS)) as process:
        seen = read_until(process, "test_it[3][")
        cluster.kill("scheduler")
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1, seen + out + err
    lost = message("cluster", "lost")
    assert [image["outcome"] for image in divided.images.values()] == ["error", "error"]
    assert {image["problem"].startswith(lost) for image in divided.images.values()} == {True}, out
    wait_until_clean([engine, remote], host, GONE_SECONDS)


def test_a_long_suite_is_divided(divided: Job, cluster: Cluster) -> None:
    """By durations that were recorded; they are made up here."""
    divided.write(test_it=SLOW, test_other="def test_other(): pass\ndef test_fails(): assert 0\n")
    durations = {f"test_it.py::test_it[{number}]": 1500 for number in range(40)}
    cache = divided.folder / ".pytest_cache" / "v" / "pyimages"
    cache.mkdir(parents=True)
    (cache / "durations").write_text(str(durations).replace("'", '"'))
    done = divided.run("-v", cluster.option(), images=TAG)
    assert done.returncode == 1, done.stdout + done.stderr
    image = divided.images[TAG]
    assert counts(image, "passed", "failed") == (41, 1)
    assert sorted(image["engine"].split(", ")) == ["far", "near"]
    assert len(set(list_reported(done.stdout))) == 41
    assert json.loads((cache / "lastfailed").read_text()) == {TAG: {"test_other.py::test_fails": True}}


def test_a_base_image_that_one_machine_lacks(divided: Job, cluster: Cluster) -> None:
    """Its units run where it is; an image that no machine has is an error that names them."""
    divided.write(test_it="def test_a(): pass\n")
    labels = ("3.12-slim", "3.12-slim+a")
    done = divided.run(cluster.option(), "--py-images-pull=never", images=",".join(labels))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {divided.images[label]["engine"] for label in labels} == {"near"}
    assert "not run on far (the engine does not have python:3.12-slim, and --py-images-pull=never)" in done.stdout
    done = divided.run(cluster.option(), "--py-images-pull=never", images="3.9.1-slim")
    assert done.returncode == 1
    assert " (machines of the cluster without it: far, near)" in divided.images["3.9.1-slim"]["problem"], done.stdout


def test_coverage_is_combined(divided: Job, cluster: Cluster) -> None:
    divided.write(test_it="import module\ndef test_a(): pass\n", module="def unused():\n    return 1\n")
    done = divided.run(cluster.option(), "--cov=module", images=",".join(LABELS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"(?m)^module\.py +2 +1 +50%", done.stdout), done.stdout


def test_a_scheduler_that_is_not_there(divided: Job) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    divided.write(test_it="def test_a(): pass\n")
    done = divided.run(f"--py-images-cluster={address}", images=TAG)
    assert done.returncode == 4
    assert message("cluster", "no-scheduler", address=address, error="OSError") in done.stderr


def test_workers_without_an_engine(divided: Job, tmp_path: Path, engine: DockerEngine) -> None:
    cluster = Cluster(tmp_path)
    divided.write(test_it="def test_a(): pass\n")
    try:
        cluster.start_scheduler()
        cluster.start_worker("bare", engine.info.endpoint, "--resources", "gpu=1")
        done = divided.run(cluster.option(), images=TAG)
        assert done.returncode == 4
        assert message("cluster", "no-resource", address=cluster.address) in done.stderr
        cluster.start_worker("broken", "unix:///nonexistent/docker.sock")
        done = divided.run(cluster.option(), images=TAG)
        assert done.returncode == 1
        assert divided.images[TAG]["problem"].startswith("broken: "), done.stdout
        cluster.start_worker("near", engine.info.endpoint)
        done = divided.run(cluster.option(), images=",".join(LABELS))
        assert done.returncode == 0, done.stdout
        assert {image["engine"] for image in divided.images.values()} == {"near"}
        assert done.stdout.count("; nothing ran there") == 1, done.stdout
    finally:
        cluster.stop()
