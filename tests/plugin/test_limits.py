"""A suite that hangs is stopped: the test is named, the stacks of its threads are shown, other images go on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

HANGS = """
import os
import threading
import time

def waits_for_ever():
    time.sleep(1000)

def test_first(): pass

def test_hangs():
    if os.environ["FAKE_IMAGE"] == "python:3.13":
        thread = threading.Thread(target=waits_for_ever, daemon=True)
        thread.start()
        thread.join()

def test_last(): pass
"""
COLLECTION_HANGS = "import time\ndef is_imported_slowly():\n    time.sleep(1000)\nis_imported_slowly()"


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("--py-images-silence=8", "stopped, because it reported nothing for 8 s (--py-images-silence)"),
        ("--py-images-timeout=15", "stopped after 15 s (--py-images-timeout)"),
    ],
)
def test_hanging_test_is_named(pytester: pytest.Pytester, run_images: Run, option: str, problem: str) -> None:
    pytester.makepyfile(test_it=HANGS)
    run = run_images(option, images="3.12,3.13")
    assert run.result.ret == 1
    assert run.images["3.12"]["outcome"] == "passed"
    assert run.images["3.13"]["problem"].startswith(f"{problem} in test_it.py::test_hangs (after 2 of 3 tests")
    assert run.tests["test_it.py::test_hangs"] == {"3.12": "passed", "3.13": "failed"}
    assert run.tests["test_it.py::test_last"] == {"3.12": "passed", "3.13": "not run"}
    run.result.stdout.fnmatch_lines(["*_ test_hangs?3.13? _*", "*in waits_for_ever", "*in test_hangs"])


def test_hanging_test_of_a_process_of_xdist_is_named(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=HANGS)
    run = run_images("-n2", "--py-images-silence=12", images="3.13")
    assert run.result.ret == 1
    assert "(--py-images-silence) in test_it.py::test_hangs" in run.images["3.13"]["problem"]


def test_hanging_collection_has_a_stack(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeini("[pytest]\npy_images_silence = 3")
    pytester.makepyfile(COLLECTION_HANGS)
    run = run_images()
    assert run.result.ret == 1
    assert run.images["3.12"]["problem"] == "stopped, because it reported nothing for 3 s (--py-images-silence)"
    assert "in is_imported_slowly" in run.out
