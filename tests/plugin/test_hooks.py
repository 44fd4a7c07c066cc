"""The hooks that other plugins of the host implement."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pyimages import hookspecs
from tests.plugin.conftest import ImagesRun, make_distribution

Run = Callable[..., ImagesRun]

LISTENER = """
import pytest

def note(*words):
    with open("heard", "a") as file:
        print(*words, file=file)

@pytest.hookimpl(tryfirst=True)
def pytest_pyimages_engine(settings):
    note("engine", repr(settings.endpoint), settings.rootdir)

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
    engine, *heard = (pytester.path / "heard").read_text().splitlines()
    assert engine == f"engine '' {pytester.path}"
    assert sorted(heard[:-1]) == ["finished 2.7 error 0", "finished 3.12 passed 1", "ready 3.12 False"]
    assert heard.index("ready 3.12 False") < heard.index("finished 3.12 passed 1")
    assert heard[-1] == "report 1"
    assert run.report["commit"] == "abc"


LOCAL = """
import os

assert "FAKE_IMAGE" not in os.environ, "imported inside"

def pytest_pyimages_image_ready(image, built):
    print("ready", image.label)
"""


@pytest.mark.parametrize("where", ["-p", "-p joined", "PYTEST_PLUGINS", "PYTEST_ADDOPTS", "addopts"])
def test_project_module_with_hooks_is_loaded_on_the_host(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    pytester.makepyfile(image_hooks=LOCAL, test_it="def test_a(): pass")
    args = {"-p": ["-p", "image_hooks"], "-p joined": ["-pimage_hooks"]}.get(where, [])
    if where == "PYTEST_PLUGINS":
        monkeypatch.setenv(where, "image_hooks")
    elif where == "PYTEST_ADDOPTS":
        monkeypatch.setenv(where, "-q -p image_hooks")
    elif where == "addopts":
        pytester.makeini("[pytest]\naddopts = -p image_hooks")
    run = run_images(*args, images="3.12,3.14-slim")
    assert run.result.ret == pytest.ExitCode.OK
    assert {"ready 3.12", "ready 3.14-slim"} <= set(run.out.splitlines())


def test_documentation_example(pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0]
    specs = [name for name in vars(hookspecs) if name.startswith("pytest_pyimages_")]
    assert [name for name in specs if f"def {name}(" not in example] == []
    monkeypatch.setenv("GITHUB_SHA", "c0ffee")
    pytester.makepyfile(image_hooks=example, test_it="def test_a(): pass")
    run = run_images("-p", "image_hooks", images="3.12,2.7")
    run.result.stdout.fnmatch_lines(["3.12: Python *, built"])
    run.result.stdout.fnmatch_lines(["2.7 was not tested: *"])
    assert run.report["commit"] == "c0ffee"
    assert "2.7 again: python -m pytest --py-images=2.7 -p image_hooks" in run.out
