"""What suites change in the overlay of a real container is found, named, and brought to the host."""

from __future__ import annotations

import pytest

from tests.support.jobs import Job, listing

WRITES = """
import shutil, sys
from pathlib import Path
ROOT = Path(__file__).parent
def test_writes():
    assert not (ROOT / "new.txt").exists(), "images do not see each other's files"
    (ROOT / "new.txt").write_text(f"{sys.version_info[1]}")
    (ROOT / "same.txt").write_text("same")
    (ROOT / "gone.txt").unlink()
    shutil.rmtree(ROOT / "again")
    (ROOT / "again").mkdir()
    (ROOT / "again" / "a.txt").write_text("changed")
    (ROOT / "old").rename(ROOT / "moved")
    (ROOT / "link").symlink_to("/etc/passwd")
    (ROOT / "run.sh").write_text("#!/bin/sh")
    (ROOT / "run.sh").chmod(0o755)
"""
CHANGED = [
    *(("again/a.txt", "changed"), ("again/b.txt", "deleted"), ("gone.txt", "deleted"), ("link", "new")),
    *(("moved/c.txt", "new"), ("new.txt", "new"), ("old/", "deleted"), ("run.sh", "new")),
]


@pytest.mark.parametrize("source", ["overlay", "copy"])
def test_changes_of_two_images(job: Job, source: str) -> None:
    """A folder that was removed and made again hides what the host has in it."""
    job.write(test_it=WRITES)
    for name in ("same.txt", "gone.txt", "again/a.txt", "again/b.txt", "old/c.txt"):
        (job.folder / name).parent.mkdir(exist_ok=True)
        (job.folder / name).write_text("same")
    before = listing(job.folder)
    options = ("--py-images-keep-changes=3.14-slim", "--py-images-artifacts=new.txt", "-p", "no:cacheprovider")
    done = job.run(f"--py-images-source={source}", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    for image in job.images.values():
        assert [(entry["path"], entry["change"]) for entry in image["changed_files"]] == CHANGED
    after = listing(job.folder)
    written = {name: data for name, data in after.items() if before.get(name) != data and name != "report.json"}
    assert written.pop(".pyimages/.gitignore")
    assert written == {
        ".pyimages/3.12/new.txt": b"12",
        ".pyimages/3.14-slim/new.txt": b"14",
        "again/a.txt": b"changed",
        "moved/c.txt": b"same",
        "new.txt": b"14",
        "run.sh": b"#!/bin/sh",
    }
    assert before.keys() <= after.keys(), "nothing is removed on the host"
    assert (job.folder / "run.sh").stat().st_mode & 0o111
