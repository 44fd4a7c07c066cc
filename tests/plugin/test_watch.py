"""``pyimages watch`` and ``--py-images-watch``: keys, changed files, and what is left at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugin.conftest import Command
from tests.support.fake_engine import UNMEASURED
from tests.support.golden import message
from tests.support.processes import read_until, running
from tests.support.terminals import Terminal

WATCH = (sys.executable, "-m", "pytest_pyimages.cli", "watch")
WAITING = b"q: quit\r\n"
Open = Callable[..., Terminal]

# Each test fails where a file of its name and the image lies beside it.
SUITE = """
import os
from pathlib import Path
LABEL = os.environ["FAKE_IMAGE"].partition(":")[2]
def check(name):
    assert not Path(__file__).with_name(f"{name}-{LABEL}.txt").exists()
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a test that uses a module, and one that does not; the current folder, in another one."""
    folder = pytester.mkdir("project")
    monkeypatch.chdir(folder)
    temporary = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    (folder / "helper.py").write_text(SUITE)
    (folder / "cart.py").write_text("NUMBER = 1\n")
    (folder / "test_cart.py").write_text(
        "import cart, helper\ndef test_number():\n    assert cart.NUMBER == 1\ndef test_a():\n    helper.check('a')\n"
    )
    (folder / "test_other.py").write_text("import helper\ndef test_it():\n    helper.check('b')\n")
    (folder / "requirements.txt").write_text("pytest\n")
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return folder


@pytest.fixture
def watching(project: Path, images_command: Command) -> Iterator[Open]:
    """Start a watch on a terminal, and wait until its first session has ended."""
    opened: list[Terminal] = []

    def start(*args: str, images: str = "3.12,3.14", command: tuple[str, ...] = ()) -> Terminal:
        words = images_command(*([] if command else ["--py-images-watch"]), *args, images=images, command=command)
        opened.append(Terminal(words, project))
        opened[0].until(WAITING)
        return opened[0]

    yield start
    for terminal in opened:
        terminal.close()


def ask(terminal: Terminal, key: str) -> str:
    """Type a key; return what is printed until the watch waits again."""
    return wait_after(terminal, lambda: terminal.type(key.encode()))


def wait_after(terminal: Terminal, change: Callable[[], object]) -> str:
    before = len(terminal.said)
    change()
    terminal.until(WAITING)
    return terminal.said[before:].decode().replace("\r\n", "\n")


def quit_watch(terminal: Terminal) -> None:
    terminal.type(b"q")
    assert terminal.end() == 0


def test_a_changed_file_starts_a_session_that_sees_it(watching: Open, project: Path) -> None:
    terminal = watching("-q")
    out = wait_after(terminal, lambda: (project / "cart.py").write_text("NUMBER = 2\n"))
    assert message("cli", "watch-changed", files="cart.py") in out
    assert message("cli", "watch-newly-failing", tests="test_cart.py::test_number[3.12]") in out or "[3.14], " in out
    # Of another size: these containers keep Python's bytecode, which knows a module by its size and whole seconds.
    out = wait_after(terminal, lambda: (project / "cart.py").write_text("NUMBER = 1  # again\n"))
    assert "6 passed" in out
    assert "py-images: fixed: test_cart.py::test_number" in out
    quit_watch(terminal)


def test_new_renamed_and_removed_files_are_seen(watching: Open, project: Path) -> None:
    terminal = watching("-q", images="3.12")
    out = wait_after(terminal, lambda: (project / "test_new.py").write_text("def test_new(): pass\n"))
    assert "test_new.py (new)" in out
    assert "4 passed" in out
    out = wait_after(terminal, lambda: (project / "cart.py").rename(project / "basket.py"))
    assert "cart.py (removed)" in out
    assert "basket.py (new)" in out
    assert "No module named 'cart'" in out
    wait_after(terminal, lambda: (project / "basket.py").rename(project / "cart.py"))
    out = wait_after(terminal, (project / "test_new.py").unlink)
    assert "test_new.py (removed)" in out
    assert "3 passed" in out
    quit_watch(terminal)


def test_each_session_reads_the_configuration_again(watching: Open, project: Path) -> None:
    """Although it was prepared with the one before."""
    terminal = watching("-q", images="3.12")
    ini = (project / "pytest.ini").read_text()
    out = wait_after(terminal, lambda: (project / "pytest.ini").write_text(f"{ini}addopts = -k number\n"))
    assert "1 passed, 2 deselected" in out
    assert "1 passed, 2 deselected" in ask(terminal, "\n")
    out = wait_after(terminal, lambda: (project / "pytest.ini").write_text(f"{ini}addopts = --py-images-jobs=none\n"))
    assert out.count("ERROR") == 1
    time.sleep(1)  # nothing is printed when the next one is prepared
    assert ask(terminal, "\n").count("ERROR") == 1
    assert "3 passed" in wait_after(terminal, lambda: (project / "pytest.ini").write_text(ini))
    save = project / "new.ini"
    save.write_text(f"{ini}addopts = -k number\n")
    assert "1 passed, 2 deselected" in wait_after(terminal, lambda: save.replace(project / "pytest.ini"))
    quit_watch(terminal)


@pytest.mark.parametrize(
    "content",
    [b"[project\n", b"a = 1\na = 2\n", b"a = [\n"],
    ids=["syntax", "duplicate", "unfinished"],
)
def test_a_broken_file_is_reported_once_a_session(watching: Open, project: Path, content: bytes) -> None:
    """Nothing is printed when the next session is prepared, which reads the file, too."""
    good = b"[project]\nname = 'shop'\nversion = '1'\n"
    path = project / "pyproject.toml"
    path.write_bytes(good)
    terminal = watching("-q", images="3.12")
    for change in (lambda: path.write_bytes(content), (project / "cart.py").touch):
        assert wait_after(terminal, change).count("ERROR") == 1
        time.sleep(1)
    out = wait_after(terminal, lambda: path.write_bytes(good))
    assert "Traceback" not in out
    assert "3 passed" in out
    quit_watch(terminal)


def test_keys_choose_what_is_run(watching: Open, project: Path) -> None:
    terminal = watching("-q")
    assert message("cli", "watch-nothing-failed") in ask(terminal, "f")
    assert message("cli", "watch-nothing-differs") in ask(terminal, "d")
    assert message("cli", "watch-nothing-changed") in ask(terminal, "c")
    assert "6 passed" in ask(terminal, "a")
    out = wait_after(terminal, (project / "a-3.14.txt").touch)
    assert "1 failed, 5 passed" in out
    out = ask(terminal, "f")
    assert "1 failed in" in out
    assert message("cli", "watch-waiting", chosen=" to run what failed last", root=project) in out
    assert "1 failed, 1 passed" in ask(terminal, "d")
    assert "1 failed, 1 passed" in ask(terminal, "\n")
    assert "1 failed, 5 passed" in ask(terminal, "a")
    wait_after(terminal, lambda: (project / "cart.py").write_text("NUMBER = 1  # again\n"))
    out = ask(terminal, "c")  # the tests are named after the module
    assert "1 failed, 3 passed" in out
    quit_watch(terminal)


def test_what_failed_is_known_after_a_killed_session(watching: Open, project: Path) -> None:
    (project / "test_long.py").write_text(
        "import pathlib, time\ndef test_long():\n    if pathlib.Path(__file__).with_name('long').exists():\n"
        "        print('started', flush=True)\n        time.sleep(60)\n"
    )
    (project / "a-3.12.txt").touch()
    terminal = watching("-q", "-s", "-p", "no:cacheprovider", images="3.12")
    (project / "long").touch()
    terminal.until(b"started")
    children = Path(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children").read_text().split()
    (session,) = (int(child) for child in children if b"notifier" not in Path(f"/proc/{child}/cmdline").read_bytes())
    out = wait_after(terminal, lambda: os.kill(session, signal.SIGKILL))
    assert "the session was killed by SIGKILL" in out
    out = wait_after(terminal, (project / "long").unlink)
    assert "1 failed, 3 passed" in out
    assert "newly failing" not in out
    quit_watch(terminal)


def test_what_a_session_writes_starts_no_other_one(
    watching: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(UNMEASURED, "1")
    reports = ("--junitxml=junit.xml", "--py-images-report=own.json", "--cov=cart", "--cov-report=xml")
    terminal = watching(*reports, command=(*WATCH, "3.12", "--"))
    assert {path.name for path in project.glob("*.xml")} == {"junit.xml", "coverage.xml"}
    assert b"changed:" not in terminal.said
    ask(terminal, "\n")
    before = terminal.said.count(WAITING)
    time.sleep(0.5)
    out = ask(terminal, "x" * 3 + "f")
    assert "changed:" not in out
    assert terminal.said.count(WAITING) == before + 1
    quit_watch(terminal)


def test_a_change_during_a_session_starts_another_one(watching: Open, project: Path) -> None:
    (project / "test_slow.py").write_text(
        "import time\ndef test_slow():\n    print('slow', flush=True)\n    time.sleep(1.5)\n"
    )
    terminal = watching("-q", "-s", images="3.12")

    def change_twice() -> None:
        (project / "cart.py").write_text("NUMBER = 3\n")
        terminal.until(b"changed: cart.py")
        terminal.until(b"slow")  # the tests before it have seen the first change
        (project / "cart.py").write_text("NUMBER = 1  # of another size\n")

    out = wait_after(terminal, change_twice)
    assert out.count("changed: cart.py") == 2
    assert "4 passed" in out
    quit_watch(terminal)


@pytest.mark.parametrize(("key", "name"), [("f", "watch-nothing-failed"), ("d", "watch-nothing-differs")])
def test_a_key_that_runs_nothing_loses_no_change(watching: Open, project: Path, key: str, name: str) -> None:
    text = "import time\ndef test_slow():\n    print('slow', flush=True)\n    time.sleep(20)\n"
    terminal = watching("-q", "-s", images="3.12")

    def change_and_type() -> None:
        (project / "test_slow.py").write_text(text)
        terminal.until(b"slow\r\n")
        (project / "test_slow.py").write_text("def test_quick(): pass\n")
        time.sleep(1)
        terminal.type(key.encode())

    out = wait_after(terminal, change_and_type)
    assert message("cli", name) in out
    assert out.count("changed: test_slow.py") == 2
    assert "4 passed" in out
    quit_watch(terminal)


def edit_slowly(project: Path) -> None:
    """Add a test that prints, and then takes some time."""
    text = "import time\ndef test_slow():\n    print('slow', flush=True)\n    time.sleep(1)\n"
    (project / "test_slow.py").write_text(text)


def test_a_file_that_is_edited_during_each_session_is_tested(watching: Open, project: Path) -> None:
    edit_slowly(project)
    terminal = watching("-q", "-s", images="3.12")
    (project / "cart.py").touch()
    for number in (20, 300, 4000):
        terminal.until(b"slow")  # the tests before it have seen the last change
        (project / "cart.py").write_text(f"NUMBER = {number}\n")
    terminal.until(message("cli", "watch-held", files="cart.py").encode())
    terminal.until(WAITING)
    terminal.until(WAITING)
    assert b"assert 4000 == 1" in terminal.said
    (project / "cart.py").touch()
    terminal.until(b"slow")
    assert "changed: cart.py" in wait_after(terminal, lambda: (project / "cart.py").write_text("NUMBER = 1\n"))
    assert terminal.said.endswith(WAITING)
    assert b"4 passed" in terminal.said[-600:]
    quit_watch(terminal)


def test_a_file_that_each_session_changes_starts_no_other_one(watching: Open, project: Path) -> None:
    """As a program does that the session does not know of."""
    edit_slowly(project)
    terminal = watching("-q", "-s", images="3.12")
    before = terminal.said.count(WAITING)
    (project / "cart.py").touch()
    for number in range(4):
        terminal.until(b"slow")
        (project / "log.txt").write_text(str(number))
    terminal.until(message("cli", "watch-written", file="log.txt").encode())
    terminal.until(WAITING)
    time.sleep(4)
    assert "changed:" not in ask(terminal, "d")
    assert terminal.said.count(WAITING) == before + 3
    assert "changed: log.txt" in wait_after(terminal, lambda: (project / "log.txt").write_text("by hand"))
    quit_watch(terminal)


@pytest.mark.parametrize("name", ["own.json", "own.md", "reports/own.html"])
def test_reports_of_other_runs_start_no_session(
    watching: Open, project: Path, images_command: Command, name: str
) -> None:
    """Containers of a FakeEngine write into the project: for junit files and coverage, see tests/engine."""
    terminal = watching("-q", images="3.12")
    command = images_command(f"--py-images-report={name}", images="3.12")
    for _ in range(2):  # a new file, and one that is replaced
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (project / name).is_file()
    time.sleep(0.5)
    assert "changed:" not in ask(terminal, "d")
    assert "changed: cart.py" in wait_after(terminal, (project / "cart.py").touch)
    quit_watch(terminal)


def test_two_watches_do_not_start_each_other(project: Path, images_command: Command) -> None:
    words = images_command("-q", "--py-images-report=own.json", "--py-images-watch", images="3.12")
    terminals = [Terminal(words, project) for _ in range(2)]
    try:
        for terminal in terminals:
            terminal.until(WAITING)
        (project / "cart.py").touch()
        for terminal in terminals:
            terminal.until(WAITING)
        time.sleep(1)
        for terminal in terminals:
            assert "changed:" not in ask(terminal, "d")
            quit_watch(terminal)
    finally:
        for terminal in terminals:
            terminal.close()


def find_processes(folder: Path) -> list[str]:
    """Return the command lines of processes that work in a folder or name it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            is_ours = str(folder) in words or (process / "cwd").readlink() == folder
            found += [words] if is_ours and int(process.name) != os.getpid() else []
        except OSError:  # it has ended, or is not ours
            continue
    return found


def wait_until_gone(folder: Path) -> None:
    """Wait until no process is left of a watch, and no temporary folder."""
    deadline = time.monotonic() + 30
    while left := [*find_processes(folder), *folder.parent.glob("temporary/pyimages-watch-*")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.mark.parametrize("place", ["waiting", "running"])
@pytest.mark.parametrize("end", ["ctrl-c", "terminate", "kill", "hang-up"])
def test_nothing_outlives_the_watch(watching: Open, project: Path, end: str, place: str) -> None:
    started = project.parent / f"{project.name}-started"
    (project / "test_long.py").write_text(
        f"import pathlib, time\ndef test_long():\n    if pathlib.Path({str(project / 'long')!r}).exists():\n"
        f"        pathlib.Path({str(started)!r}).touch()\n        time.sleep(60)\n"
    )
    terminal = watching("-q", images="3.12")
    if place == "running":
        (project / "long").touch()
        while not started.exists():
            time.sleep(0.05)
    if end == "ctrl-c":
        terminal.type(b"\x03")
    else:
        number = {"terminate": signal.SIGTERM, "kill": signal.SIGKILL, "hang-up": signal.SIGHUP}[end]
        os.kill(terminal.process.pid, number)
    if end == "kill":
        assert terminal.process.wait(30) == -signal.SIGKILL
    else:
        assert terminal.end() == 2
    wait_until_gone(project)


def test_without_a_terminal_changes_start_sessions(project: Path, images_command: Command) -> None:
    command = images_command("-q", command=(*WATCH, "3.12", "--"))
    with running(command, folder=project, merge_stderr=True) as process:
        read_until(process, message("cli", "watch-waiting-only", root=project), 60)
        (project / "cart.py").write_text("NUMBER = 20\n")
        read_until(process, "1 failed, 2 passed", 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 2
    wait_until_gone(project)


def test_refused_arguments_end_the_watch(project: Path, images_command: Command) -> None:
    command = images_command("-q", command=(*WATCH, "3.1O", "--"))
    done = subprocess.run(command, cwd=project, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 4
    assert '"3.1O" is not a Python tag' in done.stderr
