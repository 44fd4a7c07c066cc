"""Links that cannot be brought into a container are refused before anything is started."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]


def test_link_to_a_folder_above(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    (pytester.path / "loop").symlink_to("..")
    run = run_images()
    assert run.result.ret == 4
    assert "the symbolic link loop leads to" in run.err
    assert run.calls == []


def test_linked_paths_are_shown(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    other = pytester.path.parent / f"{pytester.path.name}-other"
    other.mkdir()
    (pytester.path / "data").symlink_to(other)
    (pytester.path / "shell").symlink_to("/bin/sh")
    run = run_images()
    assert run.result.ret == 0
    assert f"links: data -> {other} (read-only)" in run.out.splitlines()
    assert " note: links to files of the system lead to the image's own: shell -> /bin/sh" in run.out.splitlines()
