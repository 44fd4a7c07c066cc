"""Files by which a container can tell whether it sees the source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_pyimages.containers.witnesses import WITNESSES, choose_witnesses


def test_witnesses_are_a_few_regular_files(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file0")
    for number in range(20):
        (tmp_path / f"file{number}").write_text("x" * number)
    found = choose_witnesses(tmp_path)
    assert len(found) == WITNESSES
    assert found[0].path == str(tmp_path / "file0")
    assert (found[1].size, found[1].seconds) == (1, int((tmp_path / "file1").stat().st_mtime))


def test_witnesses_of_a_folder_without_files_are_below_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / ".git" / "config").touch()
    (tmp_path / "a" / "deep" / "file").touch()
    assert [witness.path for witness in choose_witnesses(tmp_path)] == [str(tmp_path / "a" / "deep" / "file")]


def test_a_file_that_vanishes_is_no_witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor has renamed its temporary file since the folder was listed."""
    (tmp_path / "kept").touch()
    monkeypatch.setattr(os, "walk", lambda _: [(str(tmp_path), [], [".kept.swp", "kept"])])
    assert [witness.path for witness in choose_witnesses(tmp_path)] == [str(tmp_path / "kept")]
