"""A free-threaded Python in a real container; where uv's builds cannot be reached, the error that says so."""

from __future__ import annotations

from tests.support.golden import message
from tests.support.jobs import Job, counts

SUITE = """
import os, subprocess, sys, sysconfig
def test_it():
    assert sysconfig.get_config_var("Py_GIL_DISABLED") and not sys._is_gil_enabled()
    assert subprocess.check_output(["python", "-c", "import pytest, sys; print(sys.executable)"]).decode().strip()
"""


def test_a_free_threaded_python_is_added(job: Job) -> None:
    (job.folder / "requirements.txt").write_text(f"pytest\n{job.unique_requirement}\n")
    job.write(test_it=SUITE)
    job.run(images="3.14t-slim")
    image = job.images["3.14t-slim"]
    if image["problem"]:  # a machine that does not reach github.com
        assert image["problem"] == message("images", "no-free-threaded")
    else:
        assert image["implementation"] == "free-threaded"
        assert counts(image, "passed", "failed") == (1, 0)
