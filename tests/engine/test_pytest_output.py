"""Options with which pytest in a container writes to the output of this process, one image after the other."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest

from tests.support.jobs import IMAGES, Job

SUITE = """
import sys
import pytest

@pytest.fixture
def its_fixture():
    '''Of this suite.'''

def test_a(its_fixture):
    assert sys.version_info < (3, 14)
"""


def show(job: Job, *args: str, images: str = IMAGES) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*job.command(images=images)[:4], *args], cwd=job.folder, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stderr
    return done


def find_lines(text: str, expected: Sequence[str]) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line.strip("= ") in expected]


def test_output_of_pytest_in_each_image(job: Job) -> None:
    job.write(test_it=SUITE)
    (job.folder / "pytest.ini").write_text("[pytest]\nmarkers = its_marker: of this project\n")
    labels = IMAGES.split(",")
    for option, expected, statuses in (
        ("--fixtures", "Of this suite.", [0, 0]),
        ("--markers", "@pytest.mark.its_marker: of this project", [0, 0]),
        ("--setup-show", "SETUP    F its_fixture", [1, 0]),
    ):
        done = show(job, option)
        assert done.returncode == statuses[0], done.stdout + done.stderr
        lines = find_lines(done.stdout, [expected, *labels])
        assert [line.strip("= ") for line in lines] == [labels[0], expected, labels[1], expected]
    done = show(job, "--setup-plan", "--junitxml=junit.xml", images="3.12")
    assert find_lines(done.stdout, ["SETUP    F its_fixture", "3.12"]) == ["SETUP    F its_fixture"]
    assert "py-images: --junitxml is ignored with --setup-plan" in done.stderr
    assert show(job, "--setup-show", images="3.12,3.14-slim?").returncode == pytest.ExitCode.OK
