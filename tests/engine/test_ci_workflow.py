"""The jobs of ``pyimages ci github`` in real containers: together they report what one session reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from pytest_pyimages.engines.docker import DockerEngine
from tests.support.github_jobs import Step, Workflow
from tests.support.jobs import Job
from tests.support.reports import read_junit, without_times

IMAGES = "3.12-slim,3.14-slim"
OPTIONS = ("--cov=shop", "--cov-report=term-missing", "--cov-fail-under=80")
SHOP = """\
import sys
import warnings


def price():
    if sys.version_info >= (3, 14):
        warnings.warn("prices will go", DeprecationWarning)
        return 1
    return 2


def name():
    return "shop"
"""
FIRST = """\
import shop

def test_price():
    price = shop.price()
    assert price == 2
"""
SECOND = """\
import shop

def test_name():
    assert shop.name() == "shop"
"""


def get_sections(text: str) -> list[str]:
    """Return what is printed about differences, new warnings and coverage."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(" differs between images"))
    end = next(place for place, line in enumerate(lines) if "short test summary info" in line)
    own = (" again: ", " a shell there: ")  # of a session, whose project is here
    return [line for line in lines[start:end] if line.strip("= ") and not any(text in line for text in own)]


def test_jobs_report_what_one_session_reports(job: Job, engine: DockerEngine, tmp_path: Path) -> None:
    job.write(shop=SHOP, test_first=FIRST, test_second=SECOND)
    (job.folder / "requirements.txt").write_text(f"pytest-cov\n{job.unique_requirement}\n")
    command = [sys.executable, "-m", "pytest_pyimages.cli", "ci", "github", IMAGES, "--shards=2", "--", *OPTIONS]
    printed = subprocess.run(command, cwd=job.folder, capture_output=True, text=True, timeout=60)
    assert printed.returncode == 0, printed.stderr
    workflow = Workflow(yaml.safe_load(printed.stdout), job.folder, tmp_path / "runner")
    for place in ("test-0", "test-2", "result-0", "result-1"):
        Job(tmp_path / "runner" / place / "checkout")  # so that its images are removed at the end
    ended = []
    for index, matrix in enumerate(workflow.expand_matrix()):
        ended.append(workflow.run("test", matrix, index))
        _remove(engine, ended[-1])  # the next job has a fresh engine
    texts = "\n".join(step.text for steps in ended for step in steps.values())
    assert [steps[""].outcome for steps in ended] == ["success", "success", "failure", "success"], texts
    assert [steps["save"].outcome for steps in ended] == ["success", "skipped"] * 2, texts
    cached = [
        json.loads(path.read_text())["images"][0]["cached"]
        for path in sorted(workflow.artifacts.glob("report-*/report.json"))
    ]
    assert cached == [False, True] * 2
    merge = workflow.run("result")
    shown = merge["Merge the reports"].text
    whole = job.run("--junitxml=junit.xml", *OPTIONS, images=IMAGES)
    assert (merge[""].outcome, whole.returncode) == ("failure", 1), shown + whole.stdout
    result = workflow.artifacts / "result"
    report, expected = (json.loads(path.read_text()) for path in (result / "report.json", job.folder / "report.json"))
    assert report.pop("session").keys() == expected.pop("session").keys()
    assert without_times(report) == without_times(expected)
    assert report["coverage"]["failed"] is False
    assert read_junit(result / "junit.xml") == read_junit(job.folder / "junit.xml")
    assert get_sections(shown) == get_sections(whole.stdout)
    assert " warns only on 3.14-slim" in shown
    _check_lost_job(workflow)


def _remove(engine: DockerEngine, steps: dict[str, Step]) -> None:
    engine.remove_image(steps["environment"].outputs["name"])


def _check_lost_job(workflow: Workflow) -> None:
    """Check that a job whose report is not there fails the merge, which would pass without the failing one."""
    artifact = next(
        path.parent
        for path in workflow.artifacts.glob("report-*/report.json")
        if _is_of(json.loads(path.read_text()), "3.14-slim", status=1)
    )
    artifact.rename(artifact.with_name("lost"))
    merge = workflow.run("result", index=1)
    assert merge[""].outcome == "failure"
    assert "ERROR [3.14-slim] - shard " in merge["Merge the reports"].text


def _is_of(document: dict[str, Any], label: str, *, status: int) -> bool:
    return bool(document["images"][0]["label"] == label and document["exit_status"] == status)
