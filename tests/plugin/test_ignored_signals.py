"""The tests themselves: what they start can be interrupted, whatever they inherit from ``nohup`` or a shell's ``&``."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.signals import INTERRUPTS

SHOW = "import signal; print([number for number in {numbers} if signal.getsignal(number) is signal.SIG_IGN])"
START = """
import os, signal, subprocess, sys
for number in {numbers}:
    signal.signal(number, signal.SIG_IGN)
if {restored}:
    from tests.support.signals import restore_defaults_in_children
    restore_defaults_in_children()
for number in {numbers}:
    os.kill(os.getpid(), number)
subprocess.run([sys.executable, "-c", {show!r}], check=True)
"""


@pytest.mark.parametrize("restored", [True, False])
def test_ignored_signals_are_not_inherited(restored: bool) -> None:
    """The process itself survives them as before; without the replacement its children would, too."""
    numbers = [int(number) for number in INTERRUPTS]
    start = START.format(numbers=numbers, restored=restored, show=SHOW.format(numbers=numbers))
    done = subprocess.run(
        [sys.executable, "-c", start], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"{[] if restored else numbers}\n"), done.stderr


def test_this_process_ignores_nothing() -> None:
    assert [number for number in INTERRUPTS if signal.getsignal(number) is signal.SIG_IGN] == []
