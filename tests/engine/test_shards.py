"""Shards in real containers, each collected by several xdist workers."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.jobs import Job

SUITE = """
import sys
import pytest

class TestA:
    @pytest.mark.parametrize("number", range(7))
    def test_seven(self, number): pass
def test_fails(): assert sys.version_info < (3, 14)
if sys.version_info >= (3, 14):
    def test_new(): pass
"""


def report(job: Job, name: str = "report") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((job.folder / f"{name}.json").read_text())
    return loaded


def outcomes(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {test["nodeid"]: test["outcomes"] for test in document["tests"]}


def merge(job: Job, *names: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest_pyimages.cli",
        "merge",
        *(f"{name}.json" for name in names),
        "-o",
        "all.json",
    ]
    return subprocess.run(command, cwd=job.folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("images", "requirements"),
    [
        pytest.param("3.6,3.14-slim", "pytest-xdist", id="pytest 7 and the newest"),
        pytest.param("3.6", "pytest==4.6.11\npytest-xdist==1.34.0", id="an xdist without sys.path"),
    ],
)
def test_shards_together_run_every_test(job: Job, images: str, requirements: str) -> None:
    (job.folder / "requirements.txt").write_text(f"{requirements}\n")
    job.write(test_it=SUITE, test_more="def test_first(): pass\ndef test_second(): pass\n")
    for name in ("1", "2"):
        run = job.run(f"--py-images-shard={name}/2", "-n2", images=images)
        assert f" shard {name}/2: 5 of 10 tests" in run.stdout, run.stdout + run.stderr
        (job.folder / "report.json").rename(job.folder / f"{name}.json")
    job.run(images=images)
    whole, merged = report(job), merge(job, "1", "2")
    assert merged.returncode == whole["exit_status"] == ("3.14" in images), merged.stdout + merged.stderr
    assert outcomes(report(job, "all")) == outcomes(whole)
    assert [image["counts"] for image in report(job, "all")["images"]] == [image["counts"] for image in whole["images"]]
    assert ("fails only on 3.14-slim" in merged.stdout) is ("3.14" in images)
    assert merge(job, "2").returncode == 1
    assert "shard 1/2 is missing" in merge(job, "2").stdout
