"""Annotations and job summaries of GitHub Actions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.results.outcome import Failure
from pytest_pyimages.results.output.github import SUMMARY_BYTES, make_workflow_commands, write_summary_file
from pytest_pyimages.results.output.json_report import make_document
from tests.support.results import make_run


def document(failures: int = 1, *, is_shared: bool = False) -> dict[str, Any]:
    images = {label: make_run(label, allowed_to_fail=label == "3.15", ended=True) for label in ("3.12", "3.15")}
    for label, image in images.items():
        for number in range(failures):
            nodeid = f"tests/test_a.py::test_{number}[a,b:c]"
            image.count(nodeid, "failed")
            text = (
                f"E  assert {image.label}" if is_shared else "E  AssertionError" if label == "3.12" else "E  TypeError"
            )
            error = f"assert {image.label}" if is_shared else "50% of\nit"
            image.failures[nodeid] = Failure(phase="call", message=error, text=text, line=7)
    return make_document({label: run.result for label, run in images.items()}, exit_status=1, started=0, ended=1)


def lines(found: dict[str, Any], **environ: str) -> list[str]:
    return list(make_workflow_commands(found, rootdir=Path("/src/shop/lib"), environ=environ))


def test_failure_is_annotated_at_its_line() -> None:
    where = "file=lib/tests/test_a.py,line=7,title=test_0[a%2Cb%3Ac] fails on"
    assert lines(document(), GITHUB_WORKSPACE="/src/shop") == [
        f"::error {where} 3.12::50%25 of%0Ait",
        f"::warning {where} 3.15::50%25 of%0Ait",
    ]


def test_failure_of_several_images_is_annotated_once() -> None:
    where = "file=lib/tests/test_a.py,line=7,title=test_0[a%2Cb%3Ac] fails on"
    assert lines(document(is_shared=True), GITHUB_WORKSPACE="/src/shop") == [
        f"::error {where} 3.12%2C 3.15::3.12: assert 3.12%0A3.15: assert 3.15",
    ]


def test_annotations_are_limited_per_level() -> None:
    found = lines(document(30), GITHUB_WORKSPACE="/src/shop")
    assert [line.partition(" ")[0] for line in found] == ["::error"] * 10 + ["::warning"] * 10


def test_image_that_could_not_be_tested_is_annotated() -> None:
    found = document(0)
    found["images"][0]["problem"] = "no such tag"
    assert lines(found) == ["::error title=3.12%3A not tested to the end::no such tag"]


def test_summary_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    write_summary_file(document(), {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.read_text().startswith("before\n## Tests across Python images\n\n| image |")
    path.write_bytes(b"x" * (SUMMARY_BYTES - 100))
    write_summary_file(document(), {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.stat().st_size < SUMMARY_BYTES
    assert path.read_text().endswith("too long for this summary)\n")


def test_only_an_unwritable_summary_is_an_error(tmp_path: Path) -> None:
    write_summary_file(document(), {})
    with pytest.raises(PyimagesError, match="cannot be written"):
        write_summary_file(document(), {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "file")})
