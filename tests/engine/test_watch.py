"""A watch on a terminal, with real containers."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import HOST_LABEL
from tests.support.jobs import Job
from tests.support.terminals import Terminal

WAITING = b"q: quit\r\n"
CART = "def test_number():\n    import cart\n    assert cart.NUMBER == 1\n"


def wait(terminal: Terminal) -> str:
    """Return what is printed until the watch waits."""
    before = len(terminal.said)
    terminal.until(WAITING)
    return terminal.said[before:].decode()


def wait_until_removed(engine: DockerEngine, host: str) -> None:
    deadline = time.monotonic() + 60
    while left := engine.leftovers(f"{HOST_LABEL}={host}"):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def test_each_edit_is_seen_and_nothing_is_left(job: Job, engine: DockerEngine, host: str) -> None:
    job.write(test_cart=CART, cart="NUMBER = 1\n")
    (job.folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    words = [sys.executable, "-m", "pytest_pyimages.cli", "watch", "3.12-slim,3.14-slim", "--", "--color=no"]
    terminal = Terminal(words, job.folder)
    try:
        assert "2 passed" in wait(terminal)
        job.write(cart="NUMBER = 2\n")
        assert "2 failed" in wait(terminal)
        (job.folder / "cart.py").rename(job.folder / "basket.py")
        assert "No module named 'cart'" in wait(terminal)
        job.write(cart="NUMBER = 1\n", test_new="def test_new():\n    import iniconfig, six\n")
        assert "2 failed, 2 passed" in wait(terminal)  # without six
        (job.folder / "requirements.txt").write_text(f"pytest\n{job.unique_requirement}\n")
        out = wait(terminal)
        assert "installing" in out
        assert "4 passed" in out
        (job.folder / "test_new.py").unlink()
        assert "2 passed" in wait(terminal)
        terminal.type(b"\x03")
        assert terminal.end() == 2
        wait_until_removed(engine, host)
    finally:
        terminal.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_container_outlives_a_killed_watch(
    job: Job, engine: DockerEngine, host: str, number: signal.Signals
) -> None:
    job.write(test_slow="import time\ndef test_slow():\n    print('began', flush=True)\n    time.sleep(60)\n")
    terminal = Terminal(
        [*job.command("-s", "-p", "no:cacheprovider", images="3.14-slim"), "--py-images-watch"], job.folder
    )
    try:
        terminal.until(b"began")
        terminal.process.send_signal(number)
        assert terminal.process.wait(30) == (2 if number == signal.SIGTERM else -number)
        wait_until_removed(engine, host)
    finally:
        terminal.close()
