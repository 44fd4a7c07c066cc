"""Several engines as one session: one sees this host's files, another is reached over TCP and gets a copy of them.

``tox -e engines`` has a third one where the first is of another kind than the engine of the other tests.
"""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from itertools import cycle

import pytest

from pytest_pyimages.containers.source_copy import COPY_TARGET
from pytest_pyimages.engines.docker import DockerEngine, connect
from pytest_pyimages.engines.labels import KIND_LABEL
from tests.support.golden import message
from tests.support.jobs import Job, counts, remove_images
from tools.standins.engine import running_engine
from tools.standins.state import State, run_folder

from .conftest import KEPT_KINDS, LEAK_SECONDS, STATE_HOME, list_left
from .conftest import REMOTE_TAG as TAG

# Variants are images of their own that are all made of one base image.
LABELS = (TAG, f"{TAG}+a", f"{TAG}+b", f"{TAG}+c")
PROJECT = "".join(f'[[tool.pyimages.variants]]\nname = "{name}"\nargs = ["--strict-markers"]\n' for name in "abc")
KEPT = {"cache", *KEPT_KINDS}
SLOW_COPY = f"""
import os, time
def test_a(): pass
def test_slow(): time.sleep(5 * os.path.exists({COPY_TARGET!r}))
"""


class Relay:
    """Passes connections on to a unix socket, until it is closed as by a machine that is switched off."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._path)
                self._sockets += client, server
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def relay(remote: DockerEngine) -> Iterator[Relay]:
    with contextlib.closing(Relay(remote.info.endpoint.removeprefix("unix://"))) as started:
        yield started


@pytest.fixture
def divided(job: Job) -> Job:
    (job.folder / "pyproject.toml").write_text(PROJECT)
    return job


@pytest.fixture
def third(engine: DockerEngine) -> Iterator[list[str]]:
    """Return the address of the stand-in that other tests use, if the first engine is another one; or nothing."""
    own = State(home=STATE_HOME, run=run_folder(STATE_HOME))
    if own.url == engine.info.endpoint or running_engine(own) is None:
        yield []
        return
    with contextlib.closing(connect(own.url)) as connected:
        yield [own.url]
        remove_images(connected)


def options(engine: DockerEngine, relay: Relay) -> list[str]:
    return [f"--py-images-engine={address}" for address in (engine.info.endpoint, relay.address)]


def wait_for_remote_test(process: subprocess.Popen[str]) -> None:
    """Wait until a test of each engine has ended; the second image is on the second engine."""
    assert process.stdout is not None
    missing = {f"test_a[{label}]" for label in LABELS[:2]}
    for line in process.stdout:
        missing -= set(re.findall(r"test_a\[[^]]+\]", line))
        if not missing:
            return
    pytest.fail(f"not reported: {missing}")


def wait_until_clean(engine: DockerEngine, host: str) -> None:
    deadline = time.monotonic() + LEAK_SECONDS
    while kinds := {entry.labels[KIND_LABEL] for entry in list_left(engine, host)} - KEPT:
        assert time.monotonic() < deadline, kinds
        time.sleep(0.2)


@pytest.mark.battery
def test_images_are_divided(divided: Job, engine: DockerEngine, relay: Relay, third: list[str]) -> None:
    divided.write(test_it="def test_a(): open(__file__).close()\ndef test_fails(): assert 0\n")
    addresses = [engine.info.endpoint, relay.address, *third]
    arguments = [f"--py-images-engine={address}" for address in addresses]
    done = divided.run(*arguments, images=",".join(LABELS))
    assert done.returncode == 1, done.stdout + done.stderr
    expected = dict(zip(LABELS, cycle(addresses), strict=False))
    assert {label: image["engine"] for label, image in divided.images.items()} == expected
    assert {counts(image, "passed", "failed") for image in divided.images.values()} == {(1, 1)}
    assert re.search(rf"(?m)^engine: .* at {re.escape(engine.info.endpoint)} · source: (overlay|copy)$", done.stdout)
    assert re.search(rf"(?m)^engine: .* at {re.escape(relay.address)} · source: copy$", done.stdout)
    assert f" a shell there: pyimages shell --engine={expected[LABELS[-1]]} {LABELS[-1]}" in done.stdout
    again = divided.run(*arguments, "--lf", images=",".join(LABELS))
    assert all(image["cached"] for image in divided.images.values()), again.stdout


def test_an_engine_is_lost(divided: Job, engine: DockerEngine, remote: DockerEngine, relay: Relay, host: str) -> None:
    """The image that has begun on it has an error; the one that waited for it goes to the other engine."""
    divided.write(test_it=SLOW_COPY)
    arguments = ("-v", *options(engine, relay), "--py-images-jobs=1")
    with divided.start(*arguments, images=",".join(LABELS)) as process:
        wait_for_remote_test(process)
        relay.close()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    outcomes = {label: image["outcome"] for label, image in divided.images.items()}
    assert outcomes == dict(zip(LABELS, ("passed", "error", "passed", "passed"), strict=True)), out
    lost = message("engines", "lost", address=relay.address, problem="")
    assert divided.images[LABELS[1]]["problem"].startswith(lost)
    assert {divided.images[label]["engine"] for label in LABELS if label != LABELS[1]} == {engine.info.endpoint}
    assert f"note: {LABELS[3]}: not run on {relay.address} (" in out
    # The worker ends by itself when nobody listens; its container, and what else is left, the next session removes.
    with contextlib.closing(Relay(remote.info.endpoint.removeprefix("unix://"))) as back:
        divided.write(test_it="def test_a(): pass\n")
        assert divided.run(*options(engine, back), images=",".join(LABELS[:2])).returncode == 0
    wait_until_clean(remote, host)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_a_session_ends_on_each_engine(
    divided: Job, engine: DockerEngine, remote: DockerEngine, relay: Relay, host: str, number: signal.Signals
) -> None:
    divided.write(test_it="import time\ndef test_a(): pass\ndef test_slow(): time.sleep(60)\n")
    with divided.start("-v", *options(engine, relay), images=",".join(LABELS[:2])) as process:
        wait_for_remote_test(process)
        process.send_signal(number)
        process.communicate(timeout=30)
    if number == signal.SIGKILL:
        divided.write(test_it="def test_a(): pass\n")
        assert divided.run(*options(engine, relay), images=",".join(LABELS[:2])).returncode == 0
    else:
        assert process.returncode == 2
    for each in (engine, remote):
        wait_until_clean(each, host)
