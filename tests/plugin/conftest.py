"""A pytest run over images without an engine: ``run_images`` is what most tests here use."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

ENGINE_PLUGIN = """
import atexit, json, os
import pytest
from tests.plugin.fake_engine import *

ENGINE = {engine}

@pytest.hookimpl(optionalhook=True)  # the suite inside is given the same -p
def pytest_pyimages_engine(settings):
    return ENGINE

@atexit.register
def leaks():
    left = [*ENGINE.containers, *(name for name in ENGINE.volumes if name != "pytest-pyimages-cache")]
    with open("engine.json", "w") as file:
        json.dump({{"calls": ENGINE.calls, "left": left}}, file)
"""


@dataclass(frozen=True)
class ImagesRun:
    """A finished run: pytest's result, what the engine was asked for, the JSON report if one was asked for."""

    result: pytest.RunResult
    calls: list[str]
    report: dict[str, Any]

    @property
    def out(self) -> str:
        return self.result.stdout.str()


@pytest.fixture
def run_images(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ImagesRun]:
    """Run pytest over images on a FakeEngine, in a process of its own, and check that nothing was left behind."""
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache-home"))
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PY_IMAGES_REGISTRY", "CI", "PYIMAGES_INSIDE"):
        monkeypatch.delenv(name, raising=False)

    def run(*args: str, images: str = "3.12", engine: str = "FakeEngine()", command: tuple[str, ...] = ()) -> ImagesRun:
        pytester.makepyfile(engine_plugin=ENGINE_PLUGIN.format(engine=engine))
        monkeypatch.setenv("PYTHONPATH", f"{root}:{pytester.path}")
        called = command or (sys.executable, "-m", "pytest", f"--py-images={images}")
        result = pytester.run(*called, "-p", "engine_plugin", "--py-images-report=report.json", *args, timeout=60)
        engine_file, report_file = pytester.path / "engine.json", pytester.path / "report.json"
        record = json.loads(engine_file.read_text()) if engine_file.exists() else {"calls": [], "left": []}
        assert record["left"] == []
        assert not list((pytester.path / "cache-home").rglob("sessions/*.lock"))
        report = json.loads(report_file.read_text()) if report_file.exists() else {}
        return ImagesRun(result, record["calls"], report)

    return run
