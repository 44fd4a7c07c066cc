"""An engine that freezes in mid-run: a proxy in front of its socket is stopped, as by SIGSTOP."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pyimages.engines.docker import DockerEngine
from tests.support.jobs import Job
from tests.support.processes import running

PROXY = """
import socket, sys, threading
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(64)
print("listens", flush=True)

def pump(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)

while True:
    peer, _ = listener.accept()
    engine = socket.socket(socket.AF_UNIX)
    engine.connect(sys.argv[2])
    for ends in ((peer, engine), (engine, peer)):
        threading.Thread(target=pump, args=ends, daemon=True).start()
"""
# With shorter times.
HOST = """
import sys, pytest
from pytest_pyimages.engines import docker
from pytest_pyimages.runs import run
from pytest_pyimages.session import schedule
schedule.LONG_SECONDS, run.SILENT_SECONDS = 7, float(sys.argv[1])
sys.exit(pytest.main(sys.argv[2:]))
"""
SUITE = "import time\ndef test_a(): pass\ndef test_b(): time.sleep({seconds})"
WAITS = " 3.14-slim  waiting for a sign of life from the container, 7s"


@pytest.fixture
def proxy(tmp_path: Path, engine: DockerEngine) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    if not engine.info.endpoint.startswith("unix://"):
        pytest.fail("the proxy of this test is in front of a unix socket")
    path = tmp_path / "proxy.sock"
    command = [sys.executable, "-c", PROXY, str(path), engine.info.endpoint.removeprefix("unix://")]
    with running(command, folder=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listens\n"
        yield f"unix://{path}", process


def read_until(process: subprocess.Popen[str], text: str, seconds: float = 200) -> str:
    """Read standard output until it contains a text; return all that was read."""
    assert process.stdout is not None
    read, deadline = b"", time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while text.encode() not in read:
            assert selector.select(deadline - time.monotonic()), read.decode()
            data = os.read(process.stdout.fileno(), 65536)
            assert data, read.decode()
            read += data
    return read.decode()


@contextlib.contextmanager
def started(job: Job, silence: int, url: str, seconds: int) -> Iterator[subprocess.Popen[str]]:
    job.write(test_it=SUITE.format(seconds=seconds))
    options = ["-v", "--py-images=3.14-slim", f"--py-images-engine={url}", "--py-images-report=report.json"]
    with running([sys.executable, "-c", HOST, str(silence), *options], folder=job.folder) as process:
        read_until(process, "test_it.py::test_a[3.14-slim] PASSED")
        yield process


@pytest.mark.exclusive  # what waits for a busy machine would be taken for frozen
def test_frozen_engine_is_named_and_has_an_end(job: Job, proxy: tuple[str, subprocess.Popen[str]]) -> None:
    url, engine = proxy
    with started(job, 120, url, seconds=30) as process:
        engine.send_signal(signal.SIGSTOP)
        read = read_until(process, WAITS)
        engine.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, read + out + err
    assert job.images["3.14-slim"]["outcome"] == "passed"
    with started(job, 5, url, seconds=60) as process:
        engine.send_signal(signal.SIGSTOP)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1, out + err
    assert job.images["3.14-slim"]["problem"].startswith("no sign of life from the container for 5 s")
    assert re.search(r"the next session cleans up", out)
    engine.kill()
    job.write(test_it="def test_a(): pass")
    assert job.run(images="3.14-slim").returncode == 0  # and removes what the frozen session has left
