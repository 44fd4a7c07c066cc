"""Images for another platform than the engine's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]
ENGINE = """FakeEngine(known=("python:3.12",), pulls={"python:3.12": None})
ENGINE.info = type(ENGINE.info)(name="fake", version="1", api_version="1.41", endpoint="", platform="linux/arm64")"""


def test_a_foreign_platform_is_shown(pytester: pytest.Pytester, run_images: Run) -> None:
    """The fake engine's images are for amd64."""
    pytester.makepyfile(test_a="def test_a(): pass")
    run = run_images(images="3.12@linux/amd64,3.12@linux/s390x", engine=ENGINE)
    assert run.result.ret == 1
    assert run.tests == {"test_a.py::test_a": {"3.12@linux/amd64": "passed"}}
    run.result.stdout.fnmatch_lines([" 3.12@linux/amd64 (* linux/amd64): 1 passed"])
    assert "python:3.12 is for linux/amd64, not for linux/s390x" in run.out


@pytest.mark.parametrize("source", ["option", "variable", "docker's variable"])
def test_the_default_platform(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    pytester.makepyfile(test_a="def test_a(): pass")
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/amd64" if source == "docker's variable" else "nonsense")
    if source == "variable":
        monkeypatch.setenv("PY_IMAGES_PLATFORM", "linux/amd64")
    args = ["--py-images-platform=linux/amd64"] if source == "option" else []
    run = run_images(*args, images="3.12", engine=ENGINE)
    assert run.result.ret == 0
    run.result.stdout.fnmatch_lines(["py-images: 3.12 · platform: linux/amd64 · *", " 3.12 * linux/amd64 *"])


def test_an_invalid_variable_is_named(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "arm64")
    run = run_images(images="3.12")
    assert run.result.ret == 4
    assert 'DOCKER_DEFAULT_PLATFORM: "arm64" is not a platform (did you mean linux/arm64?)' in run.out + run.err
