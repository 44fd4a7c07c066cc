"""Files that a suite writes: named, kept, brought to the host, or refused before anything is started."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]
COPY = "FakeEngine(copies_source=True)"
WRITES = """
    import os, pathlib
    TREE = pathlib.Path(os.environ["FAKE_TREE"])
    def test_writes():
        (TREE / "__snapshots__").mkdir()
        (TREE / "__snapshots__" / "a.ambr").write_text("snapshot")
        (TREE / "gone.txt").unlink()
        (TREE / "__pycache__").mkdir(exist_ok=True)
        (TREE / "__pycache__" / "x.pyc").touch()
"""


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=WRITES)
    (pytester.path / "gone.txt").touch()


def test_changes_are_named(pytester: pytest.Pytester, run_images: Run) -> None:
    run = run_images(images="3.12,3.14-slim", engine=COPY)
    assert (
        " note: 2 files changed in 3.12, 3.14-slim: __snapshots__/a.ambr, gone.txt (deleted)"
        " · keep them with --py-images-keep-changes=3.12"
    ) in run.out.splitlines()
    assert run.result.ret == 0
    assert run.images["3.14-slim"]["changed_files"] == [
        {"path": "__snapshots__/a.ambr", "change": "new"},
        {"path": "gone.txt", "change": "deleted"},
    ]
    assert not (pytester.path / "__snapshots__").exists()


def test_updating_option_keeps_the_files_of_a_single_image(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--snapshot-update', action='store_true')")
    run = run_images("--snapshot-update", engine=COPY)
    assert run.result.ret == 0
    assert (pytester.path / "__snapshots__" / "a.ambr").read_text() == "snapshot"
    assert (pytester.path / "gone.txt").exists(), "nothing is deleted on the host"
    run = run_images("--snapshot-update", images="3.12,3.14-slim")
    assert run.result.ret == 4
    assert run.calls == [], "before anything is started"


def test_files_are_kept_if_the_session_stops_early(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        test_it=f"{WRITES}\n    def test_fails(): assert 0\n    def test_late():\n        import time; time.sleep(60)\n"
    )
    run = run_images("-x", "--py-images-keep-changes=3.12", "--py-images-artifacts=*.ambr", engine=COPY)
    assert run.result.ret == 1
    assert (pytester.path / "__snapshots__" / "a.ambr").exists()
    assert (pytester.path / ".pyimages" / "3.12" / "__snapshots__" / "a.ambr").exists()


def test_lost_files_fail_the_run(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_passes(): pass")
    run = run_images("--py-images-keep-changes=3.12")  # whose worker reports no changes at all
    assert run.result.ret == 1
    assert "changed files are lost" in run.out
