"""Signals while modules are imported, and while threads are started and joined."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

# The main thread imports a module that takes a while; what it has begun must be importable by another thread.
PROGRAM = """
import os, signal, sys, threading, time
from pytest_pyimages.session.signals import InterruptHandler
with InterruptHandler():
    threading.Timer(0.2, os.kill, (os.getpid(), getattr(signal, sys.argv[1]))).start()
    try:
        import slow_module
        assert slow_module.DONE
        time.sleep(20)
    except KeyboardInterrupt as error:
        print("interrupted", error, "slow_module" in sys.modules)
"""
SLOW = """
import time
end = time.monotonic() + 1
while time.monotonic() < end:
    time.sleep(0.01)
DONE = True
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("is_nested", [False, True], ids=["program", "in an import"])
def test_an_import_is_not_interrupted(tmp_path: Path, name: str, is_nested: bool) -> None:
    (tmp_path / "slow_module.py").write_text(SLOW)
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "importing.py").write_text("import program\n")
    done = subprocess.run(
        [sys.executable, "importing.py" if is_nested else "program.py", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    expected = "" if name == "SIGINT" else name
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["interrupted", *expected.split(), "True"], "")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # of this process


HOLDING = """
import os, signal, sys, threading, time
from pytest_pyimages.session.signals import InterruptHandler, hold_interrupts
number = getattr(signal, sys.argv[1])
with InterruptHandler():
    thread = threading.Thread(target=time.sleep, args=(0.6,))
    threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
    try:
        with hold_interrupts():
            with hold_interrupts():
                thread.start()
                thread.join()
            print("joined", not thread.is_alive())
        print("not reached")
    except KeyboardInterrupt as error:
        print("interrupted", error)
    with hold_interrupts() as held:
        with hold_interrupts():
            pass
        os.kill(os.getpid(), number)
        print("held", held.number == number)
        held.number = 0
    print("dropped")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_held_signal_interrupts_afterwards(tmp_path: Path, name: str) -> None:
    """An interrupted join would make the running thread look ended."""
    done = subprocess.run(
        [sys.executable, "-c", HOLDING, name], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    expected = ["joined True", f"interrupted {'' if name == 'SIGINT' else name}", "held True", "dropped"]
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, expected, "")


CALLING = """
import os, signal, sys, threading, time
from pytest_pyimages.session.signals import InterruptHandler, call_in_thread
threads = []
def work():
    time.sleep(0.6)
    print("ended")
with InterruptHandler():
    assert call_in_thread(lambda: 5, threads, "short") == 5
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        call_in_thread(work, threads, "long")
    except KeyboardInterrupt:
        print("interrupted")
    for thread in threads:
        thread.join()
"""


def test_a_call_in_a_thread_goes_on_after_an_interruption(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CALLING], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["interrupted", "ended"], "")
