"""The installer goes on in a Python that uv has installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest_pyimages

SWITCH = """
import json, os, sys
from importlib import import_module
interpreters = import_module("pytest_pyimages.inside.installer.interpreters")
folder = sys.argv[1]
interpreters.FOLDER, interpreters.MEMORY = folder + "/python", folder
interpreters.find_uv = lambda job, environment: folder + "/uv" if not job["needs_pip"] else None
interpreters.switch_python(json.loads(sys.argv[2]), dict(os.environ))
print("the same Python")
"""
UV = """#!/bin/sh
echo "$@ $UV_PYTHON_DOWNLOADS" >> {folder}/calls
test "$(cat {folder}/fails)" && exit 1
mkdir -p "$5/cpython-3.14.1+freethreaded-linux-x86_64-gnu/bin"
printf '#!/bin/sh\\necho "another Python: $1"' > "$5/cpython-3.14.1+freethreaded-linux-x86_64-gnu/bin/python3.14t"
chmod +x "$5/cpython-3.14.1+freethreaded-linux-x86_64-gnu/bin/python3.14t"
"""


def switch(folder: Path, interpreter: str) -> str:
    job = json.dumps({"interpreter": interpreter, "needs_pip": True, "phase": "all", "token": "secret"})
    path = str(Path(pytest_pyimages.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", SWITCH, str(folder), job],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_switch(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text(UV.format(folder=tmp_path))
    uv.chmod(0o755)
    (tmp_path / "fails").write_text("yes")
    assert switch(tmp_path, "") == "the same Python"
    assert not (tmp_path / "calls").exists()
    assert json.loads(switch(tmp_path, "3.14t"))["failed"] == "interpreter"
    (tmp_path / "fails").write_text("")
    assert switch(tmp_path, "3.14t") == "another Python: -c"
    job = tmp_path / "job.json"
    assert json.loads(job.read_text())["phase"] == "install"
    assert job.stat().st_mode & 0o777 == 0o600
    assert switch(tmp_path, "3.14t") == "another Python: -c"  # the image that is extended has it
    assert (tmp_path / "calls").read_text() == 2 * (
        f"python install --no-bin --install-dir {tmp_path}/python 3.14t manual\n"
    )
