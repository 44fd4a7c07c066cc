"""How often the install step lets uv request what it does not get."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

COMMANDS: Any = import_module("pytest_pyimages.inside.installer.commands")  # without annotations, for Python 2.7
FAILED = "error: Request failed after 1 retry in 61.0s\n  cause: Failed to fetch: https://index.example/simple/a/\n"
SILENT, REFUSED = f"{FAILED}  cause: operation timed out\n", f"{FAILED}  cause: Connection refused (os error 111)\n"


def run(folder: Path, log: str, environment: dict[str, str], status: int = 2) -> list[str]:
    """Run an installer that fails with this log; return the retries of each time that it was started."""
    program = folder / "uv.py"
    program.write_text(
        "import os, sys\n"
        f"open({str(folder / 'seen')!r}, 'a').write(os.environ.get('UV_HTTP_RETRIES', '-') + chr(10))\n"
        f"sys.stderr.write({log!r})\nsys.exit({status})\n"
    )
    assert COMMANDS.run_installer([sys.executable, str(program)], environment) == (status, log)
    return (folder / "seen").read_text().split()


@pytest.mark.parametrize(
    ("log", "retries"),
    [
        pytest.param(SILENT, ["1"], id="nothing answers"),
        pytest.param(f"Resolved 2 packages in 1ms\n{SILENT}", ["1", "-"], id="an answer, then none"),
        pytest.param(REFUSED, ["1", "-"], id="refused"),
        pytest.param("error: No solution found\n", ["1"], id="another error"),
    ],
)
def test_silent_indexes_are_requested_twice(tmp_path: Path, log: str, retries: list[str]) -> None:
    assert run(tmp_path, log, {}) == retries


def test_success_is_not_repeated(tmp_path: Path) -> None:
    assert run(tmp_path, REFUSED, {}, status=0) == ["1"]


def test_a_number_that_is_set_counts(tmp_path: Path) -> None:
    assert run(tmp_path, SILENT, {"UV_HTTP_RETRIES": "5"}) == ["5"]
