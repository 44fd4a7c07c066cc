"""A suite that needs more memory than its container may use: the limit is named, whichever process is killed."""

from __future__ import annotations

from tests.support.golden import message
from tests.support.jobs import Job

SUITE = """
import subprocess, sys
EAT = "x = []\\nwhile True: x.append(bytearray(10**7))"
def test_first(): pass
def test_child():
    assert subprocess.call([sys.executable, "-c", EAT]) == 0
def test_eats(): exec(EAT)
def test_last(): pass
"""


def test_lack_of_memory_names_the_limit(job: Job) -> None:
    job.write(test_it=SUITE)
    done = job.run("--py-images-memory=192m", images="3.14-slim")
    assert done.returncode == 1, done.stdout + done.stderr
    assert job.images["3.14-slim"]["problem"] == message("results", "out-of-memory")
    assert message("results", "child-out-of-memory", label="3.14-slim") in done.stdout
