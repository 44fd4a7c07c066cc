"""``pyimages shell`` and ``run`` in the container: the command's environment, streams, exit status and end."""

from __future__ import annotations

import json
import signal
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
from tests.support.container_jobs import make_job

WORKER = Path(str(resources.files("pytest_pyimages.inside"))) / "worker"
# With a folder of the test instead of the image's.
PROGRAM = """
import os, sys
from importlib import import_module
attendant = import_module("pytest_pyimages.inside.attendant")
attendant.JOB_FILE, attendant.WORKER = sys.argv.pop(1), sys.argv.pop(1)
os._exit(attendant.main())
"""


class Container:
    """A job, and the process that attends to its command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job_file = folder / "attended.json"
        self.project = folder / "project"
        self.project.mkdir()
        self.job = make_job(self.project)

    @contextmanager
    def started(self, *command: str, **changes: Any) -> Iterator[subprocess.Popen[str]]:
        """Start a command with another job; its standard input stays open."""
        self.job_file.write_bytes(encode_job(replace(self.job, command=command, **changes)))
        with self._run() as process:
            yield process

    def _run(self, *arguments: str, pass_fds: Sequence[int] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.job_file), str(WORKER), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            text=True,
        )

    def run(self, *command: str, **changes: Any) -> tuple[int, str, str]:
        """Return a command's exit status, standard output and standard error."""
        with self.started(*command, **changes) as process:
            return read(process)

    def run_restarted(self, job: dict[str, Any]) -> tuple[int, str, str]:
        """Run the program as it runs itself again as another user, with a file that holds the job."""
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(job).encode())
            file.seek(0)
            with self._run(str(file.fileno()), pass_fds=[file.fileno()]) as process:
                return read(process)


def read(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = process.stdout.read(), process.stderr.read()
    return process.wait(50), out, err


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def test_the_command_has_the_suite_s_environment_and_folder(container: Container) -> None:
    status = container.run("sh", "-c", "pwd; echo $SHOP; cat; echo warning >&2; exit 3", environment={"SHOP": "open"})
    assert status == (3, f"secret ready\n{container.project}\nopen\n", "warning\n")
    assert not container.job_file.exists()  # it may hold secrets


def test_the_command_reads_a_terminal_s_input(container: Container) -> None:
    with container.started("sh", "-c", "read line; echo got $line", terminal="xterm") as process:
        assert process.stdin is not None
        process.stdin.write("typed\n")
        process.stdin.flush()
        assert read(process) == (0, "secret ready\ngot typed\n", "")


def test_exit_statuses_are_those_of_a_shell(container: Container) -> None:
    script = container.project / "not-executable"
    script.write_text("exit 0")
    for command, status, message in (
        ("no-such-command", 127, "no-such-command: No such file or directory\n"),
        (str(script), 126, f"{script}: Permission denied\n"),
    ):
        assert container.run(command) == (status, "secret ready\n", message)
    assert container.run("sh", "-c", "kill -TERM $$")[0] == 128 + signal.SIGTERM


def test_interrupts_are_for_the_command(container: Container) -> None:
    assert container.run("sh", "-c", "kill -INT $PPID; kill -QUIT $PPID; kill -TSTP $PPID; exit 3")[0] == 3
    assert container.run("sh", "-c", "kill -INT $$")[0] == 128 + signal.SIGINT


def test_the_command_ends_with_the_host(container: Container) -> None:
    with container.started("sleep", "60") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "secret ready\n"
        process.stdin.close()
        assert process.wait(50) == 128 + signal.SIGKILL


def test_a_source_that_the_container_does_not_see(container: Container) -> None:
    missing = str(container.project / "gone.py")
    result = container.run("touch", "begun", witness=(Witness(missing, 1, 1),))
    assert result == (1, f"secret missing {missing}\n", "")
    assert not (container.project / "begun").exists()


def test_without_a_command_the_suite_runs(container: Container) -> None:
    container.project.joinpath("test_a.py").write_text(
        "import sys\ndef test_a(): pass\ndef test_b(): print(sys.argv[1:]); assert 0\n"
    )
    changes = {"args": ("-q", "-p", "no:cacheprovider"), "memory": {"lastfailed": {}, "nodeids": []}}
    status, out, _ = container.run(own_options=("--py-images",), **changes)
    assert status == 1
    assert "['-q', '-p', 'no:cacheprovider']" in out
    assert "1 failed, 1 passed" in out


def test_the_restarted_program_goes_on(container: Container) -> None:
    """As the job's user: it reports why not all is as on the host, and has no file with the job any more."""
    job = json.loads(encode_job(replace(container.job, command=("echo", "begun"))))
    result = container.run_restarted({**job, "incomplete": "files are missing"})
    assert result == (0, "secret ready\nbegun\n", "files are missing\n")
