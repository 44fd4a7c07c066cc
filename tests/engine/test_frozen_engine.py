"""An engine that freezes in mid-run: a proxy in front of its socket no longer forwards anything."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pyimages.engines.docker import DockerEngine
from tests.support.jobs import Job
from tests.support.processes import read_until, running

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


class Proxy:
    """Forwards connections to a unix socket. While frozen it forwards nothing, but clients can connect."""

    def __init__(self, path: Path, engine: str) -> None:
        self.url = f"unix://{path}"
        self._engine = engine
        self._flows = threading.Event()
        self._flows.set()
        self._sockets: list[socket.socket] = []
        self._listener = self._keep(socket.socket(socket.AF_UNIX))
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def close(self) -> None:
        """End all connections, as the death of the engine does."""
        for each in self._sockets:
            with contextlib.suppress(OSError):  # the peer may have ended the connection
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.thaw()

    def _keep(self, new: socket.socket) -> socket.socket:
        self._sockets.append(new)
        return new

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                ends = self._keep(self._listener.accept()[0]), self._keep(socket.socket(socket.AF_UNIX))
                ends[1].connect(self._engine)
                for source, sink in (ends, ends[::-1]):
                    threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed, or the peer has ended the connection
            while data := source.recv(1 << 16):
                self._flows.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(tmp_path: Path, engine: DockerEngine) -> Iterator[Proxy]:
    if not engine.info.endpoint.startswith("unix://"):
        pytest.fail("the proxy of this test is in front of a unix socket")
    with contextlib.closing(Proxy(tmp_path / "proxy.sock", engine.info.endpoint.removeprefix("unix://"))) as made:
        yield made


@contextlib.contextmanager
def started(job: Job, silence: int, url: str, seconds: int) -> Iterator[subprocess.Popen[str]]:
    job.write(test_it=SUITE.format(seconds=seconds))
    options = ["-v", "--py-images=3.14-slim", f"--py-images-engine={url}", "--py-images-report=report.json"]
    with running([sys.executable, "-c", HOST, str(silence), *options], folder=job.folder) as process:
        read_until(process, "test_it.py::test_a[3.14-slim] PASSED")
        yield process


@pytest.mark.exclusive  # what waits for a busy machine would be taken for frozen
def test_frozen_engine_is_named_and_has_an_end(job: Job, proxy: Proxy) -> None:
    with started(job, 120, proxy.url, seconds=30) as process:
        proxy.freeze()
        read = read_until(process, WAITS)
        proxy.thaw()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, read + out + err
    assert job.images["3.14-slim"]["outcome"] == "passed"
    with started(job, 5, proxy.url, seconds=60) as process:
        proxy.freeze()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1, out + err
    assert job.images["3.14-slim"]["problem"].startswith("no sign of life from the container for 5 s")
    assert re.search(r"the next session cleans up", out)
    proxy.close()
    job.write(test_it="def test_a(): pass")
    assert job.run(images="3.14-slim").returncode == 0  # and removes what the frozen session has left
