"""Other sessions, and shells, during a watch, with real containers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from pytest_pyimages.containers.leases import Lease, find_offers_folder
from pytest_pyimages.engines.docker import DockerEngine
from tests.support.jobs import Job
from tests.support.processes import running
from tests.support.terminals import Terminal

from .conftest import wait_until_removed
from .test_watch import WAITING, wait, wait_for_containers

SLIM = "3.14-slim"
# -rA shows what it prints, of each image.
WHERE = "import socket\ndef test_where():\n    print(socket.gethostname())\n"
# On a busy machine, a slow collection would let the next session compile modules, and need other containers.
UNCOMPILED = ("-o", "enable_assertion_pass_hook=false")
SECONDS = 60.0
PYIMAGES = (sys.executable, "-m", "pytest_pyimages.cli")
PROMPT = b"# "


def command(*args: str, images: str = SLIM) -> list[str]:
    return [sys.executable, "-m", "pytest", f"--py-images={images}", "-rA", "--color=no", *UNCOMPILED, *args]


def run(job: Job, *args: str, images: str = SLIM) -> str:
    done = subprocess.run(command(*args, images=images), cwd=job.folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def watch(job: Job) -> Iterator[Terminal]:
    """Return a watch that waits, with a container of one image."""
    job.write(test_where=WHERE)
    terminal = Terminal([*command(), "--py-images-watch"], job.folder)
    try:
        terminal.until(WAITING)
        yield terminal
    finally:
        terminal.close()


def test_single_runs_use_the_containers_of_a_watch(job: Job, engine: DockerEngine, host: str) -> None:
    job.write(test_where=WHERE)
    images = f"3.12-slim,{SLIM}"
    terminal = Terminal([*command(images=images), "--py-images-watch"], job.folder)
    try:
        terminal.until(WAITING)
        for arguments in ((), ("-k", "where", "-x"), ("-vv",)):
            waiting = wait_for_containers(engine, host, 2)
            out = run(job, *arguments, images=images)
            assert {name[:12] in out for name in waiting} == {True}
        waiting = wait_for_containers(engine, host, 2)
        assert next(iter(waiting))[:12] not in run(job, "--py-images-memory=900m"), "another configuration"
        assert wait_for_containers(engine, host, 2) == waiting
        (job.folder / "test_where.py").write_text(WHERE + "    assert True\n")
        out = wait(terminal)
        assert {name[:12] in out for name in waiting} == {True}, "the watch itself has them, too"
        terminal.type(b"q")
        assert terminal.end() == 0
        wait_until_removed(engine, host)
        assert [*find_offers_folder().iterdir()] == []
    finally:
        terminal.close()


def test_an_edit_is_seen_by_a_single_run(job: Job, engine: DockerEngine, host: str, watch: Terminal) -> None:
    (waiting,) = wait_for_containers(engine, host, 1)
    watch.process.send_signal(signal.SIGSTOP)  # its notifier waits, and does not start a session
    try:
        (job.folder / "test_where.py").write_text(WHERE + "def test_new():\n    pass\n")
        (job.folder / "test_more.py").write_text("def test_more():\n    pass\n")
        out = run(job)
        assert "3 passed" in out
        assert waiting[:12] in out
    finally:
        watch.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, None], ids=["terminate", "kill", "quit"])
def test_a_single_run_goes_on_when_the_watch_ends(
    job: Job, engine: DockerEngine, host: str, watch: Terminal, number: signal.Signals | None
) -> None:
    (waiting,) = wait_for_containers(engine, host, 1)
    slow = "import time\ndef test_slow():\n    print('began', flush=True)\n    time.sleep(8)\n"
    watch.process.send_signal(signal.SIGSTOP)
    job.write(test_slow=slow)
    with running(command("-s"), folder=job.folder) as session:
        assert session.stdout is not None
        while "began" not in session.stdout.readline():
            continue
        watch.process.send_signal(signal.SIGCONT)
        if number is None:
            watch.type(b"q")
        else:
            watch.process.send_signal(number)
        watch.process.wait(60)
        assert Lease().sweep(engine) == ()  # as the next session does
        out, _ = session.communicate(timeout=60)
    assert (session.returncode, "2 passed" in out, waiting[:12] in out) == (0, True, True)
    wait_until_removed(engine, host)


def test_the_next_session_removes_what_a_killed_one_had_taken(
    job: Job, engine: DockerEngine, host: str, watch: Terminal
) -> None:
    (waiting,) = wait_for_containers(engine, host, 1)
    watch.process.send_signal(signal.SIGSTOP)
    job.write(test_slow="import time\ndef test_slow():\n    print('began', flush=True)\n    time.sleep(60)\n")
    with running(command("-s"), folder=job.folder) as session:
        assert session.stdout is not None
        while "began" not in session.stdout.readline():
            continue
        session.kill()
        session.wait()
    deadline = time.monotonic() + SECONDS
    while engine.inspect(waiting).running:  # its program ends
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (job.folder / "test_slow.py").unlink()
    watch.process.send_signal(signal.SIGCONT)
    watch.type(b"q")
    watch.end()
    assert Lease().sweep(engine) == ()  # as the next session does
    wait_until_removed(engine, host)
    assert [*find_offers_folder().iterdir()] == []


def test_commands_run_in_the_containers_of_a_watch(job: Job, engine: DockerEngine, host: str, watch: Terminal) -> None:
    (waiting,) = wait_for_containers(engine, host, 1)
    code = "import os, socket, sys; print(socket.gethostname(), dict(os.environ)); print('!', file=sys.stderr); exit(7)"
    done = command_in(job, "python", "-c", code)
    assert done.returncode == 7
    assert done.stdout.startswith(waiting[:12])
    assert "PYIMAGES" not in done.stdout
    assert done.stderr.splitlines()[-1] == "!"
    assert command_in(job, "no-such-command").returncode == 127
    (waiting,) = wait_for_containers(engine, host, 1)
    done = command_in(job, "sh", "-c", "hostname; (sleep 0.1 &); sleep 0.9; cat /proc/[0-9]*/stat")
    assert done.stdout.startswith(waiting[:12])
    assert " S " in done.stdout
    assert " Z " not in done.stdout, "orphans are reaped"
    (waiting,) = wait_for_containers(engine, host, 1)
    shell = Terminal([*PYIMAGES, "shell", SLIM], job.folder)
    try:
        shell.until(PROMPT)
        shell.type(b"hostname; stty size; pwd; tty\n")
        shell.until(f"{waiting[:12]}\r\n33 99\r\n{job.folder}\r\n/dev/pts/".encode())
        shell.resize(22, 66)
        shell.process.send_signal(signal.SIGWINCH)
        shell.type(b"sleep 1; stty size; echo up$((1)) >made; cat made\n")
        shell.until(b"22 66\r\nup1\r\n")
        shell.until(PROMPT)
        # One process: between two, the shell itself has the terminal, and may miss the interrupt.
        shell.type(b"sh -c 'echo on$((1)); exec sleep 600'\n")
        shell.until(b"on1\r\n")
        shell.type(b"\x03")
        shell.until(PROMPT)
        shell.type(b"exit 3\n")
        assert shell.end() == 3
    finally:
        shell.close()
    assert not (job.folder / "made").exists()
    (waiting,) = wait_for_containers(engine, host, 1)
    debugger = Terminal(command("--trace", "--color=no"), job.folder)
    try:
        debugger.until(b"(Pdb) ")
        debugger.type(b"c\n")
        debugger.until(waiting[:12].encode())
        assert debugger.end() == 0
    finally:
        debugger.close()


@pytest.mark.parametrize("prefix", ["", "nohup ", "setsid "])
@pytest.mark.parametrize("waits", [True, False], ids=["waiting", "own"])
def test_what_a_command_leaves_running_ends_with_it(
    job: Job, engine: DockerEngine, host: str, watch: Terminal, prefix: str, *, waits: bool
) -> None:
    """The engine would wait for it, since it has the output open."""
    (waiting,) = wait_for_containers(engine, host, 1)
    if not waits:
        watch.process.send_signal(signal.SIGSTOP)
        engine.kill(waiting)
    done = command_in(job, "sh", "-c", f"{prefix}sh -c 'sleep 1; echo late' & hostname")
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip() == waiting[:12]) is waits
    assert "late" not in done.stdout


def command_in(job: Job, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYIMAGES, "run", SLIM, "--", *words],
        cwd=job.folder,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def test_a_command_in_a_container_of_a_watch_ends_with_its_host(
    job: Job, engine: DockerEngine, host: str, watch: Terminal
) -> None:
    (waiting,) = wait_for_containers(engine, host, 1)
    with running([*PYIMAGES, "run", SLIM, "--", "sh", "-c", "echo begun; sleep 600"], folder=job.folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()
        process.wait()
    deadline = time.monotonic() + SECONDS
    while engine.inspect(waiting).running:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    watch.type(b"q")
    watch.end()
    assert Lease().sweep(engine) == ()  # as the next session does
    wait_until_removed(engine, host)


def test_a_container_that_has_ended_is_not_used(job: Job, engine: DockerEngine, host: str, watch: Terminal) -> None:
    (waiting,) = wait_for_containers(engine, host, 1)
    engine.kill(waiting)  # as a restart of the engine does
    done = command_in(job, "hostname")
    assert (done.returncode, len(done.stdout.strip())) == (0, 12), done.stderr
    assert done.stdout.strip() != waiting[:12]
    (waiting,) = wait_for_containers(engine, host, 1)
    engine.kill(waiting)
    assert waiting[:12] not in run(job)


def test_files_that_the_start_of_python_has_read_are_not_stale(job: Job, engine: DockerEngine, host: str) -> None:
    """An editable installation may import a module of the project in each Python that starts."""
    job.write(started="value = 'old'\n", test_where="import started\ndef test_where():\n    print(started.value)\n")
    (job.folder / "install.py").write_text(
        "import os, site\n"
        "with open(site.getsitepackages()[0] + '/started.pth', 'w') as file:\n"
        "    file.write(os.getcwd() + '\\nimport started\\n')\n"
    )
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images_setup = python install.py\n")
    terminal = Terminal([*command(), "--py-images-watch"], job.folder)

    def change(value: str) -> None:
        """Replace the file, once the Python of the container has started."""
        (waiting,) = wait_for_containers(engine, host, 1)
        deadline = time.monotonic() + SECONDS
        while engine.execute(waiting, ["readlink", "/proc/1/fd/0"], seconds=60)[1] != b"/dev/null\n":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        (job.folder / "new").write_text(f"value = '{value}'\n")
        (job.folder / "new").rename(job.folder / "started.py")

    try:
        terminal.until(WAITING)
        terminal.process.send_signal(signal.SIGSTOP)  # as above
        change("new")
        code = "import started; print(started.value, open('started.py').read())"
        assert command_in(job, "python", "-c", code).stdout == "new value = 'new'\n\n"
        change("newer")
        assert "\nnewer\n" in run(job)
    finally:
        terminal.process.send_signal(signal.SIGCONT)
        terminal.close()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--junitxml=junit.xml",), {"junit.xml"}),
        (("--cov=.", "--cov-report=xml", "--cov-report=html"), {".coverage", "coverage.xml", "htmlcov"}),
        (("--py-images-report=report.json",), {"report.json"}),
    ],
    ids=["junit", "coverage", "report"],
)
def test_reports_of_a_single_run_start_no_session(
    job: Job, engine: DockerEngine, host: str, watch: Terminal, arguments: tuple[str, ...], names: set[str]
) -> None:
    for _ in range(2):  # new files, and replaced ones
        assert "1 passed" in run(job, *arguments)
    assert names <= {path.name for path in job.folder.iterdir()}
    time.sleep(1)
    watch.type(b"d")  # runs nothing
    assert "changed:" not in wait(watch)


def test_files_that_a_single_run_keeps_are_changes(job: Job, engine: DockerEngine, host: str, watch: Terminal) -> None:
    """Such as snapshots, which the tests read."""
    job.write(test_kept="from pathlib import Path\ndef test_kept():\n    Path('kept.txt').write_text('new')\n")
    assert "changed: test_kept.py (new)" in wait(watch)
    assert "1 file of" in run(job, f"--py-images-keep-changes={SLIM}")
    assert "changed: kept.txt (new)" in wait(watch)
