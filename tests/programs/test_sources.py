"""The program of short-lived containers that look at a source or change a copy: one line in, one line out."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from tests.support.project_tree import write_tree

PROGRAM = str(resources.files("pytest_pyimages.inside") / "sources.py")


def run(**job: object) -> Any:
    done = subprocess.run(
        [sys.executable, PROGRAM], input=json.dumps(job) + "\n", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return json.loads(line)


def test_a_source_is_copied_and_its_removed_files_as_well(tmp_path: Path) -> None:
    source, copy = write_tree(tmp_path / "source", {"a.py": "1", "gone/b.py": "2", "kept/c.py": "3"}), tmp_path / "copy"
    (source / "link").symlink_to("kept")
    copy.mkdir()
    assert run(do="unpack", source=str(source), target=str(copy)) == {}
    assert (copy / "link").is_symlink()
    assert (copy / "a.py").stat().st_mtime == (source / "a.py").stat().st_mtime
    assert run(do="remove", root=str(copy), paths=["a.py", "gone", "link", "absent"]) == {}
    assert [path.relative_to(copy).as_posix() for path in copy.rglob("*")] == ["kept", "kept/c.py"]


def test_a_source_that_is_not_the_host_s_is_not_seen(tmp_path: Path) -> None:
    path = write_tree(tmp_path, {"probe": "of the host"}) / "probe"
    assert run(do="probe", path=str(path), text="of the host") == {"seen": True, "problem": "", "root": run_root()}
    assert run(do="probe", path=str(path), text="of the host")["seen"] is False  # it was written to
    assert run(do="probe", path=str(tmp_path / "absent"), text="") == {"seen": False, "problem": "", "root": 0}
    assert run(do="probe", path=str(path), text="")["problem"] == "File exists"


def run_root() -> int:
    """Return the number that root of this user namespace has outside."""
    return int(Path("/proc/self/uid_map").read_text().split()[1])
