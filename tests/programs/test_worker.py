"""The worker as a process: its job, its records, and its end with the host or the suite."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.containers import Witness
from pytest_pyimages.containers.job import encode_job
from pytest_pyimages.runs.job import Job
from tests.support.container_jobs import make_job

PROGRAM = str(resources.files("pytest_pyimages.inside") / "worker" / "__main__.py")
TESTS = """
import signal
import sys

def test_a(): pass

def test_b():
    print("begun", file=sys.__stderr__, flush=True)
    signal.pause()
"""


class Worker:
    """A started worker, and the host's end of its streams."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process, self.stdin, self.stdout, self.stderr = process, process.stdin, process.stdout, process.stderr

    def send(self, line: bytes) -> None:
        self.stdin.write(line + b"\n")
        self.stdin.flush()

    def read(self) -> list[dict[str, Any]]:
        """Return the records until the worker waits for the host, and acknowledge them; check their numbers."""
        records: list[dict[str, Any]] = []
        for line in self.stdout:
            token, number, rest = line.split(b" ", 2)
            assert token == b"secret"
            if number == b"0":  # a heartbeat
                continue
            assert int(number) == len(records) + 1
            records.append(json.loads(rest.rpartition(b" ")[0]))
            if records[-1]["t"] in ("exit", "nosource"):
                self.send(b"acknowledged")
        return records


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "test_a.py").write_text(TESTS)
    return make_job(tmp_path, "-q", "-s", "-p", "no:cacheprovider")


@contextmanager
def started(*arguments: str, pass_fds: Sequence[int] = ()) -> Iterator[Worker]:
    with subprocess.Popen(
        [sys.executable, PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=pass_fds,
        start_new_session=True,
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


def test_the_suite_is_stopped_by_the_host(job: Job) -> None:
    """As by Ctrl-C: what was tested until then is there."""
    with started() as worker:
        worker.send(encode_job(job))
        assert worker.stderr.readline() == b"begun\n"
        worker.send(b"stop")
        records = worker.read()
        assert worker.process.wait(60) == 0
    kinds = {record["t"]: record for record in records}
    assert kinds["collected"]["count"] == 2
    assert kinds["pass"]["i"] == 0
    assert kinds["interrupted"]
    assert [(record["t"], record["status"]) for record in records[-2:]] == [("end", 2), ("exit", 2)]


def test_the_suite_ends_with_the_host(job: Job) -> None:
    with started() as worker:
        worker.send(encode_job(job))
        assert worker.stderr.readline() == b"begun\n"
        worker.stdin.close()
        assert worker.process.wait(60) == 1
        assert b'"t": "exit"' not in worker.stdout.read()


def test_without_a_job_nothing_runs() -> None:
    with started() as worker:
        worker.stdin.close()
        assert (worker.process.wait(60), worker.stdout.read()) == (1, b"")


def test_a_source_that_the_container_does_not_see(job: Job) -> None:
    missing = f"{job.project}/gone.py"
    with started() as worker:
        worker.send(encode_job(replace(job, witness=(Witness(missing, 1, 1),))))
        assert worker.read() == [{"t": "nosource", "path": missing}]
        assert worker.process.wait(60) == 0


def test_changed_files_of_the_worker_are_not_run(job: Job) -> None:
    with started() as worker:
        worker.send(encode_job(replace(job, worker="another digest")))
        assert worker.process.wait(60) == 1
        assert worker.stdout.read() == b""
        assert worker.stderr.read() == b"the worker's files are not those that were installed\n"


def test_the_restarted_worker_reports_a_fault(job: Job) -> None:
    """As the job's user, with the job in a file: what it cannot prepare is the image's problem."""
    with tempfile.TemporaryFile() as file:
        fields = json.loads(encode_job(job))
        file.write(json.dumps({**fields, "fault": "the image has no user app", "incomplete": ""}).encode())
        file.seek(0)
        with started(str(file.fileno()), pass_fds=[file.fileno()]) as worker:
            records = worker.read()
            assert worker.process.wait(60) == 0
    assert records[0] == {"t": "internal", "text": "the image has no user app"}
    assert [(record["t"], record["status"]) for record in records[1:]] == [("end", 3), ("exit", 3)]


COLLECTED = """
import gc
import weakref

class Node: pass

def test_garbage_of_the_suite_is_collected():
    assert gc.get_freeze_count() > 1000  # what was imported before
    node = Node()
    node.itself = node
    assert any(each is node for each in gc.get_objects())
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is None
"""


def test_collections_of_garbage_skip_what_was_imported_before_the_suite(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(COLLECTED)
    with started() as worker:
        worker.send(encode_job(make_job(tmp_path, "-q", "-p", "no:cacheprovider")))
        records = worker.read()
    assert "pass" in [record["t"] for record in records]


def test_a_damaged_worker_that_waits_does_not_begin(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYIMAGES_WAITS", "/src")
    with started() as worker:
        worker.send(encode_job(replace(job, worker="0" * 64)))
        assert worker.read() == []
        assert worker.stderr.read() == b"the worker's files are not those that were installed\n"
        assert worker.process.wait(60) == 1


CHILDREN = """
import signal
import subprocess
import sys

def test_status_of_a_child():
    assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
    assert subprocess.call([sys.executable, "-c", "exit(7)"]) == 7
"""


@pytest.mark.parametrize("root", ["", "/src"])
def test_the_suite_of_a_worker_that_has_waited_gets_the_status_of_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    monkeypatch.setenv("PYIMAGES_WAITS", root)
    (tmp_path / "test_a.py").write_text(CHILDREN)
    with started() as worker:
        worker.send(encode_job(make_job(tmp_path, "-q", "-p", "no:cacheprovider")))
        records = worker.read()
    assert "pass" in [record["t"] for record in records]
