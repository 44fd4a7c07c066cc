"""Coverage data of containers are kept completely or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from pytest_pyimages.runs import coverage_data
from pytest_pyimages.runs.coverage_data import CoverageFiles
from pytest_pyimages.runs.events import CoveragePart, Measured


@pytest.fixture
def files() -> Iterator[CoverageFiles]:
    files = CoverageFiles()
    yield files
    files.close()


def test_files_in_parts(files: CoverageFiles) -> None:
    for label, event in (
        ("3.12", CoveragePart(b"ab")),
        ("3.14", CoveragePart(b"x")),
        ("3.12", CoveragePart(b"c")),
        ("3.12", Measured(3, "")),
    ):
        files.take(label, event)
    assert {label: path.read_bytes() for label, path in files.data.items()} == {"3.12": b"abc"}
    files.take("3.14", Measured(1, ""))
    assert list(files.data) == ["3.12", "3.14"]
    folder = files.data["3.12"].parent
    files.close()
    assert not folder.exists()


def test_incomplete_data_are_used(files: CoverageFiles) -> None:
    files.take("3.12", CoveragePart(b"ab"))
    files.take("3.12", Measured(2, "one worker died"))
    assert (list(files.data), files.problems, files.losses) == (["3.12"], {}, {"3.12": "one worker died"})


def test_a_write_error_is_a_problem_of_that_image(files: CoverageFiles) -> None:
    files.take("3.12", CoveragePart(b"ab"))
    files.take("3.12", Measured(2, ""))
    shutil.rmtree(files.data["3.12"].parent)
    files.take("3.14", CoveragePart(b"ab"))
    files.take("3.14", Measured(2, ""))
    assert list(files.data) == ["3.12"]
    assert files.problems == {"3.14": "its data file cannot be written (No such file or directory)"}


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([Measured(0, "coverage 4.5 is too old")], "coverage 4.5 is too old"),
        ([Measured(0, "")], "nothing was measured there"),
        ([CoveragePart(b"ab"), Measured(3, "")], "2 of 3 bytes arrived"),
        ([CoveragePart(b"ab"), Measured(2, ""), CoveragePart(b"c")], "it sent more than one data file"),
        ([CoveragePart(b"ab"), CoveragePart(b"cdefg"), Measured(7, "")], "its data file has more than 0 MiB"),
    ],
)
def test_partial_files_are_problems(
    files: CoverageFiles, events: list[CoveragePart | Measured], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage_data, "MAX_FILE", 5)
    for event in events:
        files.take("3.12", event)
    assert files.data == {}
    assert files.problems == {"3.12": problem}
