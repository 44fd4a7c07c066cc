"""What a session writes to a pipe, such as the log of a CI job, can be read while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.conftest import Command
from tests.support.processes import read_until, running

# It goes on once the reader of the pipe has seen what it printed.
SUITE = """
import os, time
def test_prints():
    print("printed by a test")
    deadline = time.time() + 60
    while not os.path.exists("seen") and time.time() < deadline: time.sleep(0.05)
    assert os.path.exists("seen")
"""


@pytest.mark.parametrize("images", ["3.12", "3.12,3.14-slim"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(["-s"], "printed by a test\n", id="output of a suite"),
        pytest.param([], " 3.12  0/1 tests · test_it.py::test_prints, ", id="what runs"),
    ],
)
def test_written_at_once(
    pytester: pytest.Pytester, images_command: Command, images: str, options: list[str], expected: str
) -> None:
    pytester.makepyfile(test_it=SUITE)
    with running(images_command(*options, images=images), folder=pytester.path) as process:
        read = read_until(process, expected, seconds=40)
        Path(pytester.path, "seen").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, read + out + err
