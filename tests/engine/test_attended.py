"""``pyimages shell`` and ``run``, and debuggers, on the terminal in real containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import HOST_LABEL
from tests.support.golden import message
from tests.support.jobs import Job
from tests.support.processes import running
from tests.support.terminals import Terminal

SLIM = "3.14-slim"
PYIMAGES = (sys.executable, "-m", "pytest_pyimages.cli")
PYTEST = (sys.executable, "-m", "pytest")
SECONDS = 60.0
PROMPT = b"# "


@pytest.fixture
def job(job: Job) -> Job:
    """Return a job with a suite that fails."""
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images = 3.14-slim\n")
    job.write(test_it="def test_it():\n    answer = 41\n    assert answer == 42\n")
    return job


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def run(job: Job, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYIMAGES, "run", *words],
        cwd=job.folder,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.battery
def test_command_runs_in_the_test_environment(job: Job) -> None:
    code = (
        "import os, sys; print(os.getcwd(), os.environ.get('PYIMAGES_INSIDE'), os.path.exists('test_it.py'));"
        " open('made', 'w'); print(repr(sys.stdin.read()), file=sys.stderr); sys.exit(7)"
    )
    done = run(job, SLIM, "--", "python", "-c", code)
    assert (done.returncode, done.stdout) == (7, f"{job.folder} None True\n")
    assert done.stderr.splitlines()[-1] == "''", "no input where there is no terminal"
    assert not (job.folder / "made").exists()


def test_missing_or_killed_command(job: Job) -> None:
    done = run(job, "--", "no-such-command")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (127, "no-such-command: No such file or directory")
    assert run(job, "--", "sh", "-c", "kill -9 $$").returncode == 137


def test_one_image_at_a_time(job: Job) -> None:
    done = run(job, f"3.12,{SLIM}", "--", "true")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == message("cli", "several-images", labels=f"3.12, {SLIM}") + "\n"


def test_a_command_ends_with_its_host(job: Job, engine: DockerEngine, host: str) -> None:
    words = [*PYIMAGES, "run", "--", "sh", "-c", "echo begun; sleep 600"]
    with running(words, folder=job.folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()
    (container,) = [left for left in engine.leftovers(f"{HOST_LABEL}={host}") if left.kind == "container"]
    deadline = time.monotonic() + 20
    while engine.inspect(container.id).running:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert run(job, "--", "true").returncode == 0  # it sweeps up


def test_interrupted(job: Job) -> None:
    words = [*PYIMAGES, "run", "--", "sh", "-c", "echo begun; sleep 600"]
    with running(words, folder=job.folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said.splitlines()[-1]) == (2, message("cli", "interrupted"))


@pytest.mark.battery
def test_shell(job: Job, terminals: list[Terminal]) -> None:
    terminal = Terminal([*PYIMAGES, "shell"], job.folder)
    terminals.append(terminal)
    terminal.until(f"{SLIM}: Python 3.14".encode())
    terminal.until(PROMPT)
    terminal.type(b"stty size; echo $((6 * 7)); pwd\n")
    terminal.until(b"33 99\r\n42\r\n")
    terminal.until(str(job.folder).encode())
    terminal.until(PROMPT)
    terminal.resize(22, 66)
    os.kill(terminal.process.pid, signal.SIGWINCH)
    terminal.type(b"sleep 1; stty size; echo up$((1))\n")
    terminal.until(b"22 66\r\nup1\r\n")
    terminal.until(PROMPT)
    # One process: between two, the shell itself has the terminal, and may miss the interrupt.
    terminal.type(b"sh -c 'echo on$((1)); exec sleep 600'\n")
    terminal.until(b"on1\r\n")
    terminal.type(b"\x03")
    terminal.until(PROMPT)
    terminal.type(b"exit 3\n")
    assert terminal.end() == 3


def test_shell_without_a_terminal(job: Job) -> None:
    done = subprocess.run([*PYIMAGES, "shell"], cwd=job.folder, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (4, message("cli", "shell-without-terminal") + "\n")


@pytest.mark.parametrize("option", ["--pdb", "-s", "--strict-markers"])
def test_debugging(job: Job, terminals: list[Terminal], option: str) -> None:
    """Post mortem with --pdb; elsewhere where the suite says so."""
    if option != "--pdb":
        job.write(test_it="def test_it():\n    answer = 41\n    breakpoint()\n    assert answer == 42\n")
    terminal = Terminal([*PYTEST, option, "--py-images-report=report.json" if option == "--pdb" else "-q"], job.folder)
    terminals.append(terminal)
    if option == "--pdb":
        terminal.until(b"--py-images-report is ignored with --pdb")
    terminal.until(b"(Pdb) ")
    terminal.type(b"p answer + 1000\n")
    terminal.until(b"1041\r\n")
    terminal.until(b"(Pdb) ")
    terminal.type(b"c\n")
    terminal.until(b"1 failed")
    assert terminal.end() == 1


def test_debugging_what_failed(job: Job, terminals: list[Terminal]) -> None:
    job.write(test_it="def test_well(): pass\ndef test_it():\n    answer = 41\n    assert answer == 42\n")
    assert job.run("-q", images=SLIM).returncode == 1
    terminal = Terminal([*PYTEST, "--pdb", "--lf", f"--py-images={SLIM}?"], job.folder)
    terminals.append(terminal)
    terminal.until(b"rerun previous 1 failure")
    terminal.until(b"(Pdb) ")
    terminal.type(b"c\n")
    terminal.until(b"1 failed")
    assert terminal.end() == 0, "it is allowed to fail"


def test_debugging_needs_a_single_image(job: Job, terminals: list[Terminal]) -> None:
    terminal = Terminal([*PYTEST, "--pdb", f"--py-images=3.12,{SLIM}"], job.folder)
    terminals.append(terminal)
    terminal.until(b"can use the terminal, not 3.12, 3.14-slim")
    terminal.until(b"select one: --py-images=3.12")
    assert terminal.end() == 4
