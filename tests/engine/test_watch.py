"""A watch on a terminal, with real containers."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pyimages.containers.leases import Lease, find_offers_folder
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import HOST_LABEL, SESSION_LABEL
from tests.support.jobs import Job
from tests.support.terminals import Terminal

from .conftest import wait_until_removed

WAITING = b"q: quit\r\n"
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "shop"
version = "1.0"
[project.optional-dependencies]
test = ["pytest"%s]
"""
CART = "def test_number():\n    from cart import NUMBER\n    assert NUMBER == 1\n"
# -rA shows what it prints, of each image.
WHERE = "import socket\ndef test_where():\n    print(socket.gethostname())\n"


def wait(terminal: Terminal) -> str:
    """Return what is printed until the watch waits."""
    before = len(terminal.said)
    terminal.until(WAITING)
    return terminal.said[before:].decode()


def wait_for_containers(engine: DockerEngine, host: str, count: int) -> set[str]:
    """Wait until so many containers wait for a session, and none is being removed; return their ids."""
    deadline = time.monotonic() + 60
    while True:
        left = [entry for entry in engine.leftovers(f"{HOST_LABEL}={host}") if entry.kind == "container"]
        waiting = {entry.id for entry in left if entry.is_running and is_offered(entry.labels[SESSION_LABEL])}
        if len(waiting) == len(left) == count:
            return waiting
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def wait_until_ended(engine: DockerEngine, host: str) -> None:
    """Wait until the programs of all containers have ended."""
    deadline = time.monotonic() + 60
    while running := [entry for entry in engine.leftovers(f"{HOST_LABEL}={host}") if entry.is_running]:
        assert time.monotonic() < deadline, running
        time.sleep(0.2)


def is_offered(session: str) -> bool:
    """Return whether the lease of a container is that of a watch, which offers it to other sessions."""
    return (find_offers_folder() / f"{session}.socket").exists()


def save(path: Path, text: str) -> None:
    """Save a file as editors do: another one takes its place."""
    new = path.with_name(f".{path.name}.swp")
    new.write_text(text)
    new.replace(path)


def replace_folder(path: Path, **files: str) -> None:
    """Replace a folder by another one, as a version control system may do."""
    new = path.parent.with_name("new-folder")
    new.mkdir()
    for name, text in files.items():
        (new / f"{name}.py").write_text(text)
    path.rename(path.parent.with_name("old-folder"))
    new.rename(path)


def test_each_edit_is_seen_by_containers_that_wait(job: Job, engine: DockerEngine, host: str) -> None:
    """The project is installed as editable, so that Python looks for its folder when it starts."""
    source, tests = job.folder / "src", job.folder / "tests"
    source.mkdir()
    tests.mkdir()
    (job.folder / "pyproject.toml").write_text(PROJECT % "")
    (source / "cart.py").write_text("NUMBER = 1\n")
    (tests / "test_cart.py").write_text(CART)
    (tests / "test_where.py").write_text(WHERE)
    # On a busy machine, a slow collection would let the next session compile modules, and need other containers.
    uncompiled = ("-o", "enable_assertion_pass_hook=false")
    arguments = ("3.12-slim,3.14-slim", "--", "-rA", "--color=no", *uncompiled)
    words = [sys.executable, "-m", "pytest_pyimages.cli", "watch", *arguments]
    terminal = Terminal(words, job.folder)

    def after(edit: Callable[[], object], *, uses_them: bool = True) -> str:
        """Return what is printed after an edit; check whether the containers that waited were used."""
        waiting = wait_for_containers(engine, host, 2)
        edit()
        out = wait(terminal)
        assert {name[:12] in out for name in waiting} == {uses_them}
        return out

    try:
        assert "4 passed" in wait(terminal)
        assert "2 failed, 2 passed" in after(lambda: (source / "cart.py").write_text("NUMBER = 2\n"))
        assert "4 passed" in after(lambda: save(source / "cart.py", "NUMBER = 1\n"))
        assert "2 failed, 2 passed" in after(lambda: save(tests / "test_cart.py", CART.replace("1", "3")))
        assert "No module named 'cart'" in after(lambda: (source / "cart.py").rename(source / "basket.py"))
        out = after(lambda: save(tests / "test_new.py", "def test_new():\n    import basket, six\n"))
        assert "4 failed, 2 passed" in out  # without six
        new = {"cart": "NUMBER = 3\n", "basket": ""}
        assert "2 failed, 4 passed" in after(lambda: replace_folder(source, **new), uses_them=False)
        requirements = PROJECT % f', "{job.unique_requirement}"'
        out = after(lambda: save(job.folder / "pyproject.toml", requirements), uses_them=False)
        assert "installing" in out
        assert "6 passed" in out
        assert "4 passed" in after((tests / "test_new.py").unlink)
        for container in wait_for_containers(engine, host, 2):
            engine.kill(container)  # as a restart of the engine does
        save(source / "cart.py", "NUMBER = 4\n")
        assert "2 failed, 2 passed" in wait(terminal)
        wait_for_containers(engine, host, 2)
        terminal.type(b"\x03")
        assert terminal.end() == 2
        wait_until_removed(engine, host)
    finally:
        terminal.close()


@pytest.mark.parametrize("what", ["watch", "group", "terminal"])
def test_no_waiting_container_outlives_a_killed_watch(job: Job, engine: DockerEngine, host: str, what: str) -> None:
    job.write(test_it="def test_it():\n    pass\n")
    terminal = Terminal([*job.command("-q", images="3.14-slim"), "--py-images-watch"], job.folder)
    try:
        terminal.until(WAITING)
        wait_for_containers(engine, host, 1)
        if what == "watch":
            terminal.process.kill()
        elif what == "terminal":
            assert terminal.hang_up() == 2
        else:
            os.killpg(terminal.process.pid, signal.SIGKILL)
            wait_until_ended(engine, host)
            assert Lease().sweep(engine) == ()  # as the next session does
        wait_until_removed(engine, host)
    finally:
        terminal.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, None], ids=["terminate", "kill", "terminal"])
def test_no_container_outlives_a_killed_watch(
    job: Job, engine: DockerEngine, host: str, number: signal.Signals | None
) -> None:
    job.write(test_slow="import time\ndef test_slow():\n    print('began', flush=True)\n    time.sleep(60)\n")
    terminal = Terminal(
        [*job.command("-s", "-p", "no:cacheprovider", images="3.14-slim"), "--py-images-watch"], job.folder
    )
    try:
        terminal.until(b"began")
        if number is None:
            assert terminal.hang_up() == 2
        else:
            terminal.process.send_signal(number)
            assert terminal.process.wait(30) == (2 if number == signal.SIGTERM else -number)
        wait_until_removed(engine, host)
    finally:
        terminal.close()
