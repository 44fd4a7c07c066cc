"""``pyimages merge`` makes the coverage report that one session would have made."""

from __future__ import annotations

import base64
import json
import sysconfig
import zlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.plugin.conftest import ImagesRun, run_command
from tests.plugin.test_coverage import SHOP, measured
from tests.support.fake_engine import UNMEASURED
from tests.support.golden import message

Run = Callable[..., ImagesRun]
PYIMAGES = str(Path(sysconfig.get_path("scripts")) / "pyimages")
COVERAGE = ("--cov=shop", "--cov-report=term-missing")
IMAGES = ("3.11", "3.12")


@pytest.fixture
def reports(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, run_images: Run) -> Callable[..., list[str]]:
    """Return what runs a job for each image and shard, and returns their reports."""
    monkeypatch.setenv(UNMEASURED, "1")
    pytester.makepyfile(shop=SHOP)
    pytester.makepyfile(
        test_first="import shop\ndef test_price(): assert shop.price() in (1, 2)",
        test_second="import shop\ndef test_never(): assert shop.never() == 3\ndef test_more(): pass",
    )

    def run(*options: str) -> list[str]:
        names = []
        for image in IMAGES:
            for shard in (1, 2):
                job = run_images(f"--py-images-shard={shard}/2", *options, images=image)
                assert job.result.ret == 0, "the minimum is not checked there"
                names.append(f"{image}-{shard}.json")
                Path(names[-1]).write_text(json.dumps(job.report))
        Path(".coverage").unlink()
        return names

    return run


def merge(*args: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    result = run_command(PYIMAGES, "merge", "-o", "all.json", *args)
    return result, json.loads(Path("all.json").read_text())


def get_section(lines: list[str]) -> list[str]:
    """Return the lines of pytest-cov's report, and of what images differ about."""
    start = next(place for place, line in enumerate(lines) if "tests coverage" in line)
    end = next(
        place for place, line in enumerate(lines) if place > start and line.startswith("=") and line != lines[start]
    )
    return [line for line in lines[start:end] if line.strip("_=- ")]


def test_report_is_that_of_one_session(
    pytester: pytest.Pytester, run_images: Run, reports: Callable[..., list[str]]
) -> None:
    options = (*COVERAGE, "--cov-fail-under=90")
    names = reports(*options)
    result, report = merge(*names, "--", *options)
    combined = measured(pytester.path)
    whole = run_images(*options, images=",".join(IMAGES))
    assert (result.ret, whole.result.ret) == (0, 0)
    assert report["coverage"] == whole.report["coverage"]
    assert report["coverage"]["images"] == list(IMAGES)
    assert combined == measured(pytester.path)
    assert get_section(result.outlines) == get_section(whole.result.outlines)
    schema = json.loads(files("pytest_pyimages.results").joinpath("report.schema.json").read_text("utf-8"))
    jsonschema.validate(json.loads(Path(names[0]).read_text()), schema, cls=jsonschema.Draft202012Validator)


def test_minimum_is_checked_once(reports: Callable[..., list[str]]) -> None:
    options = ("--cov=shop", "--cov-fail-under=90")
    names = reports(*options)
    result, report = merge(*names[1:], "--", *options)  # the first shard of 3.11 covers two lines of its own
    assert (result.ret, report["exit_status"], report["coverage"]["failed"]) == (1, 1, True)
    result, report = merge(*names)
    assert (result.ret, "coverage" in report) == (1, False)
    result.stdout.fnmatch_lines(
        [message("results", "coverage-minimum-unchecked"), message("results", "coverage-not-merged")][::-1]
    )


def test_missing_data_are_named(reports: Callable[..., list[str]]) -> None:
    names = reports(*COVERAGE)
    damaged, lacking = (json.loads(Path(name).read_text()) for name in names[1:3])
    damaged["coverage"]["data"]["3.11"] = base64.b64encode(zlib.compress(b"no data")).decode()
    Path(names[1]).write_text(json.dumps(damaged))
    del lacking["coverage"]
    Path(names[2]).write_text(json.dumps(lacking))
    result, report = merge(*names, "--", *COVERAGE)
    result.stdout.fnmatch_lines(
        [
            " no coverage data of 3.12 shard 1/2: it measured nothing",
            " no coverage data of 3.11: its data cannot be read *",
        ]
    )
    assert report["coverage"]["images"] == ["3.12"]


@pytest.mark.parametrize("data", ["!", "AAAA", base64.b64encode(zlib.compress(b"x")[:-2]).decode()])
def test_damaged_reports_are_refused(reports: Callable[..., list[str]], data: str) -> None:
    names = reports(*COVERAGE)[:1]
    document = json.loads(Path(names[0]).read_text())
    document["coverage"]["data"]["3.11"] = data
    Path(names[0]).write_text(json.dumps(document))
    result = run_command(PYIMAGES, "merge", *names)
    assert (result.ret, len(result.stderr.lines)) == (4, 1)
    assert "coverage.data.3.11: wrong" in result.stderr.str()


def test_engine_that_does_not_answer_fails_the_merge(
    reports: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = reports(*COVERAGE)
    monkeypatch.delenv("PYTHONPATH")  # with it the fake engine
    result, report = merge(*names, "--engine=unix:///nowhere/docker.sock", "--", *COVERAGE)
    assert (result.ret, report["exit_status"]) == (1, 1)
    result.stdout.fnmatch_lines([" coverage: the report could not be made on *: no container engine *"])
