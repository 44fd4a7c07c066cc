"""The installer ends, and removes what only it needs, when the host closes its input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import subprocess, sys
from pytest_pyimages.inside.installer.commands import end_with_host
end_with_host(sys.argv[1], len)
print("begun")
sys.stdout.flush()
sys.exit(subprocess.call(["sleep", sys.argv[2]]))
"""


@pytest.mark.parametrize("is_gone", [True, False])
def test_closed_input_ends_the_installer(tmp_path: Path, is_gone: bool) -> None:
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "temporary"), "5" if is_gone else "0.2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        if is_gone:
            process.stdin.close()
        assert process.wait(timeout=4) == is_gone
    assert (tmp_path / "temporary").exists() is not is_gone
