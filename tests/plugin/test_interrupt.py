"""Ctrl-C and SIGTERM at any time: exit status, results so far, and nothing leaked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugin.conftest import Command, read_record

Start = Callable[..., "Started"]
PATIENCE = 20  # seconds, of which cleaning up may take 5; what is interrupted would take another minute


class Started:
    """A run in a POSIX session of its own, so that a signal reaches it alone."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        self.out = ""

    def wait_for(self, *files: str) -> None:
        deadline = time.monotonic() + 60
        while not all(Path(file).exists() for file in files):
            assert self._process.poll() is None, self.end()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for the end, and return the exit status."""
        try:
            out, _ = self._process.communicate(timeout=60)
        finally:
            if self._process.poll() is None:
                self._process.kill()
        self.out = out.decode(errors="replace")
        sys.stdout.write(self.out)
        return self._process.returncode

    def close(self) -> None:
        """Kill it if the test has failed before its end."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def start(images_command: Command) -> Iterator[Start]:
    runs: list[Started] = []

    def started(*args: str, **options: str) -> Started:
        runs.append(Started(images_command(*args, **options)))
        return runs[-1]

    yield started
    for run in runs:
        run.close()


SUITE = """
import os, signal, sys, time
LABEL = os.environ["FAKE_IMAGE"].partition(":")[2]
{stubborn}
def test_first(): pass
def test_fails(): assert 0, "seen before"
def test_running():
    with open("running.new-" + LABEL, "w") as file: file.write(str(os.getpid()))
    os.rename("running.new-" + LABEL, "running-" + LABEL)
    deadline = time.time() + 60
    while time.time() < deadline:
        try: time.sleep(1)
        except BaseException:
            if not {stays}: raise
def test_last(): pass
"""
STUBBORN = "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)"


@pytest.mark.parametrize(
    ("numbers", "statuses", "stubborn"),
    [
        pytest.param([signal.SIGINT], {2}, False, id="SIGINT"),
        pytest.param([signal.SIGINT], {2}, True, id="SIGINT to a stubborn suite"),
        pytest.param(
            [signal.SIGINT, signal.SIGINT, signal.SIGINT], {2, 130, -signal.SIGINT}, False, id="SIGINT three times"
        ),
        pytest.param([signal.SIGTERM], {2, 143, -signal.SIGTERM}, False, id="SIGTERM"),
        pytest.param([signal.SIGHUP], {2, 129, -signal.SIGHUP}, False, id="SIGHUP"),
    ],
)
def test_while_tests_run(
    pytester: pytest.Pytester, start: Start, numbers: list[int], statuses: set[int], stubborn: bool
) -> None:
    """Two containers are running; the results that came before are shown, nothing is green."""
    pytester.makepyfile(test_it=SUITE.format(stubborn=STUBBORN if stubborn else "", stays=stubborn))
    run = start("-v", "--junitxml=junit.xml", images="3.12,3.14-slim")
    run.wait_for("running-3.12", "running-3.14-slim")
    time.sleep(1.5 if stubborn else 0.3)  # only its worker's heartbeat names the test of a stubborn suite
    for number in numbers:
        run.send(number)
        time.sleep(0.05)
    began = time.monotonic()
    assert run.end() in statuses
    assert time.monotonic() - began < PATIENCE
    assert (pytester.path / "engine.json").exists(), "ended without cleaning up"
    read_record(pytester.path)
    pids = [int((pytester.path / f"running-{label}").read_text()) for label in ("3.12", "3.14-slim")]
    assert [pid for pid in pids if is_running(pid)] == []
    if len(numbers) == 1:
        assert "test_it.py::test_first[3.12] PASSED" in run.out
        assert "seen before" in run.out
        assert "2 failed, 2 passed" in run.out
        assert "test_last[3.12] " not in run.out
        assert "crashed" not in run.out
        (number,) = numbers
        if number != signal.SIGINT:
            assert f"! KeyboardInterrupt: {signal.Signals(number).name} !" in run.out
        assert "pytest_pyimages/" not in run.out, "what was interrupted on the host is of no interest"
    if numbers == [signal.SIGINT]:
        assert "Interrupted" in run.out or "KeyboardInterrupt" in run.out
        assert (pytester.path / "junit.xml").exists()
        assert "Traceback" not in run.out
        place = "" if stubborn else f", at {pytester.path}/test_it.py:"
        assert f"3.12: interrupted in test_it.py::test_running{place}" in run.out


SLOW_REPORT = """
import os, time
class Slow:
    def configure(self, config):
        if "COVERAGE_FILE" not in os.environ:  # that the container of a run has
            with open("reporting", "w") as file: file.write(str(os.getpid()))
            os.rename("reporting", "reporting-now")
            time.sleep(60)
def coverage_init(reg, options):
    reg.add_configurer(Slow())
"""


def test_while_coverage_is_reported(pytester: pytest.Pytester, start: Start) -> None:
    pytester.makepyfile(slow_report=SLOW_REPORT, test_it="def test_first(): pass")
    (pytester.path / ".coveragerc").write_text("[run]\nplugins = slow_report\n")
    run = start("--cov=.", images="3.12,3.14-slim")
    run.wait_for("reporting-now")
    run.send(signal.SIGINT)
    assert run.end() == 2
    read_record(pytester.path)
    assert not is_running(int((pytester.path / "reporting-now").read_text()))
    assert "2 passed" in run.out
    assert "Traceback" not in run.out


SLOW_BUILD = """FakeEngine(installer=lambda spec, job: (
    open("building", "w").close(), __import__("time").sleep(60), installs(spec, job))[2])"""
SLOW_PULL = """type("Slow", (FakeEngine,), {"pull": lambda self, reference, **options: (
    open("building", "w").close(),
    (__import__("time").sleep(0.05) or PullProgress(done=part, total=1200) for part in range(1200)))[1]
})(known=["python:3.12"])"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(("images", "engine"), [("3.12", SLOW_BUILD), ("3.12,3.13", SLOW_PULL)], ids=["build", "pull"])
def test_before_tests_run(pytester: pytest.Pytester, start: Start, number: int, images: str, engine: str) -> None:
    """While an image is pulled or built: no container or half an image stays."""
    pytester.makepyfile("import time\ndef test_a(): time.sleep(30)")
    run = start(images=images, engine=engine)
    run.wait_for("building")
    time.sleep(0.3)
    run.send(number)
    began = time.monotonic()
    assert run.end() in ({2} if number == signal.SIGINT else {2, 143, -signal.SIGTERM})
    assert time.monotonic() - began < PATIENCE
    assert (pytester.path / "engine.json").exists(), "ended without cleaning up"
    record = read_record(pytester.path)
    if images == "3.12":
        assert "commit" not in record["calls"]
    assert "Traceback" not in run.out


def test_killed_host_leaves_no_process(
    pytester: pytest.Pytester, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody cleans up after SIGKILL, but the worker sees that its host is gone, and ends."""
    monkeypatch.setenv("TMPDIR", str(pytester.path))  # for the files of what is a container here
    pytester.makepyfile(test_it=SUITE.format(stubborn="", stays=False))
    run = start(images="3.12")
    run.wait_for("running-3.12")
    run.send(signal.SIGKILL)
    assert run.end() == -signal.SIGKILL
    pid = int((pytester.path / "running-3.12").read_text())
    deadline = time.monotonic() + 40
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        assert not is_running(pid)
    finally:
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)
