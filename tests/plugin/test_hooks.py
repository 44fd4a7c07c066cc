"""What other plugins of the host are told, and when."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ImagesRun, make_distribution

Run = Callable[..., ImagesRun]

LISTENER = """
def note(*words):
    with open("heard", "a") as file:
        print(*words, file=file)

def pytest_pyimages_image_ready(image, built):
    note("ready", image.label, built.cached)

def pytest_pyimages_run_finished(result):
    note("finished", result.label, result.outcome, result.counts["passed"])

def pytest_pyimages_report(document):
    document["commit"] = "abc"
    note("report", len(document["tests"]))
"""


def test_hooks(pytester: pytest.Pytester, run_images: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_distribution(tmp_path, "pytest-our-listener", "our_listener", LISTENER)
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}:{tmp_path}")
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images="3.12,2.7")
    assert run.result.ret == 1
    heard = (pytester.path / "heard").read_text().splitlines()
    assert sorted(heard[:-1]) == ["finished 2.7 error 0", "finished 3.12 passed 1", "ready 3.12 False"]
    assert heard.index("ready 3.12 False") < heard.index("finished 3.12 passed 1")
    assert heard[-1] == "report 1"
    assert run.report["commit"] == "abc"
