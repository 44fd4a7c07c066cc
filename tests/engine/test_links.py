"""Symbolic links out of the project lead to the same files in a real container as on the host."""

from __future__ import annotations

import pytest

from tests.support.jobs import Job, counts


@pytest.mark.parametrize("source", ["overlay", "copy"])
def test_what_links_lead_to_is_tested(job: Job, source: str) -> None:
    """A test that fails, a conftest, and a link in a linked folder: nothing of it is skipped."""
    other = job.folder.parent / "other"
    (other / "data").mkdir(parents=True)
    (other / "test_o.py").write_text("def test_o(): assert 0")
    (other / "shared.py").write_text(
        "import os, pytest\n@pytest.fixture(autouse=True)\ndef auto():\n    os.environ['AUTO'] = '1'\n"
    )
    (job.folder.parent / "far.txt").write_text("far")
    (other / "data" / "far.txt").symlink_to("../../far.txt")
    (job.folder / "test_o.py").symlink_to("../other/test_o.py")
    (job.folder / "conftest.py").symlink_to(other / "shared.py")
    (job.folder / "data").symlink_to("../other/data")
    job.write(
        test_it=f"""
import os
from pathlib import Path
import pytest
HERE = Path(__file__).parent
def test_auto(): assert os.environ["AUTO"]
def test_data(): assert (HERE / "data" / "far.txt").read_text() == "far"
@pytest.mark.skipif({source == "copy"}, reason="a copy belongs to the container")
def test_read_only():
    with pytest.raises(OSError):
        (HERE / "data" / "new.txt").touch()
"""
    )
    done = job.run(f"--py-images-source={source}", images="3.14-slim")
    assert done.returncode == 1, done.stdout + done.stderr
    assert counts(job.images["3.14-slim"], "passed", "failed") == (3 if source == "overlay" else 2, 1)
    assert "links: conftest.py -> " in done.stdout
    assert [path.name for path in (other / "data").iterdir()] == ["far.txt"]
