"""The file with the images' digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.images.pins import write_pins
from tests.support.limits import full_disk


def test_a_full_disk_keeps_the_file(tmp_path: Path) -> None:
    """Without it, the next run would use whatever the tags are now."""
    path = tmp_path / "ci" / "images.toml"
    write_pins(path, {"python:3.12": "sha256:1"})
    before = path.read_text()
    with full_disk(), pytest.raises(PyimagesError, match=r"images\.toml cannot be written"):
        write_pins(path, {"python:3.12": "sha256:2"})
    assert path.read_text() == before
    assert [file.name for file in path.parent.iterdir()] == ["images.toml"]
    write_pins(path, {"python:3.12": "sha256:2"})
    assert path.read_text() == before.replace('1"', '2"')


def test_a_link_is_kept(tmp_path: Path) -> None:
    link, target = tmp_path / "images.toml", tmp_path / "shared.toml"
    link.symlink_to(target)
    write_pins(link, {"python:3.12": "sha256:1"})
    assert link.is_symlink()
    assert "sha256:1" in target.read_text()
