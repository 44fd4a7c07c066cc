"""The installer ends, and removes what only it needs, when the host is no longer at the other end of its streams."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import subprocess, sys
from pytest_pyimages.inside.installer import commands
commands.BEAT_SECONDS = 0.2
commands.end_with_host(sys.argv[1], len)
print("begun")
sys.stdout.flush()
sys.exit(subprocess.call(["sleep", sys.argv[2]]))
"""


@pytest.mark.parametrize("closed", [("stdin",), ("stdout",), ("stdout", "stderr"), ()])
def test_closed_streams_end_the_installer(tmp_path: Path, closed: tuple[str, ...]) -> None:
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "temporary"), "60" if closed else "0.5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() in (b"", b"begun")
        for name in closed:
            getattr(process, name).close()
        assert process.wait(timeout=50) == bool(closed)
    assert (tmp_path / "temporary").exists() is not bool(closed)
