"""What is copied of a tree without git."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_pyimages.containers.copied_files import find_copied_files


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_only_known_rubbish_at_its_known_places_is_left_out(tmp_path: Path) -> None:
    kept = ("src/pkg/venv/a.py", "build/b", "node_modules/c", "tests/env/d", "e.so", ".env")
    write(tmp_path, *kept)
    write(tmp_path, "venv/pyvenv.cfg", "any name/pyvenv.cfg", "web/package.json", "web/node_modules/x", ".tox/y")
    write(tmp_path, "src/__pycache__/a.pyc", ".pytest_cache/z")
    os.mkfifo(tmp_path / "pipe")
    found = find_copied_files(tmp_path)
    assert {path for path in found.entries if (tmp_path / path).is_file()} == {*kept, "web/package.json"}
    assert (found.count, found.left_out) == (len(kept) + 1, [])


def test_a_repository_of_another_tool_is_named(tmp_path: Path) -> None:
    write(tmp_path, ".hg/store", "a.py")
    assert find_copied_files(tmp_path).left_out == [".hg/"]


def test_folders_stand_before_their_files_and_links_stay_links(tmp_path: Path) -> None:
    write(tmp_path, "b/c/d", "b.py")
    (tmp_path / "dangling").symlink_to("/nonexistent")
    (tmp_path / "loop").symlink_to(".")
    paths = list(find_copied_files(tmp_path).entries)
    assert paths == sorted(paths)
    assert {"b", "b/c", "b/c/d", "dangling", "loop"} <= set(paths)
