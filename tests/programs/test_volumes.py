"""Files that set-up writes to a volume of the image."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.golden import message

VOLUMES: Any = import_module("pytest_pyimages.inside.installer.volumes")  # without annotations, for Python 2.7
COMMANDS: Any = import_module("pytest_pyimages.inside.installer.commands")


@pytest.mark.parametrize("change", ["new", "changed", ""])
def test_lost_files_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    for module in (VOLUMES, COMMANDS):
        monkeypatch.setattr(module, "MEMORY", str(tmp_path / "memory"))
    data = tmp_path / "data"
    (data / "a").mkdir(parents=True)
    (data / "a" / "old").write_text("x")
    (data / "a" / "dangling").symlink_to("nothing")
    volumes = [str(data), str(tmp_path / "absent")]
    before = VOLUMES.list_files(volumes)
    path = data / "a" / {"new": "file", "changed": "old", "": "old"}[change]
    if change:
        path.write_text("longer")
    VOLUMES.note_lost_files(before, VOLUMES.list_files(volumes))
    assert VOLUMES.read_note() == (message("images", "lost-in-volume", path=path) if change else "")
