"""``pyimages images``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_pyimages.cli.base_images import describe_python, describe_state
from pytest_pyimages.engines.base import ImageInfo
from pytest_pyimages.errors import EngineError, ImageNotFound
from tests.plugin.conftest import Done, ImagesRun

Steps = Callable[..., list[Done]]
Run = Callable[..., ImagesRun]
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def image(*digests: str, **environment: str) -> ImageInfo:
    return ImageInfo(id="sha256:1", digests=digests, platform="", environment=environment, labels={}, size=1)


def test_images_lists_the_matrix(pyimages: Steps) -> None:
    online, offline = pyimages(["images", "3.12,3.16-rc?"], ["images", "3.12,3.15-rc", "--offline"])
    assert (online.status, offline.status) == (0, 0)
    assert online.out.splitlines()[0].split() == ["image", "python", "digest", "built", "size", "state"]
    assert [row[0] for row in online.rows] == ["3.12", "3.16-rc"]
    assert online.rows[0][1] == "3.12.0"
    assert "the engine has it; it is not from a registry" in online.out
    assert "no such image" in online.out
    assert "not pulled yet" in offline.out
    assert "note: 3.15-rc: 3.15.0 is out since 2026-10-01" in offline.err


def raise_error(error: EngineError) -> Callable[[], str]:
    def find_remote() -> str:
        raise error

    return find_remote


@pytest.mark.parametrize(
    ("present", "find_remote", "expected"),
    [
        (image(f"python@{OLD}"), lambda: OLD, "up to date"),
        (image(f"python@{OLD}"), lambda: NEW, "the registry has a newer one, sha256:bbbbbbbbbbbb"),
        (image(f"python@{OLD}"), None, "the engine has it"),
        (
            image(f"python@{OLD}"),
            raise_error(ImageNotFound("")),
            "the engine has it; the registry does not have it",
        ),
        (image(), lambda: NEW, "the engine has it; it is not from a registry"),
        (
            image(f"python@{OLD}"),
            raise_error(EngineError("the registry cannot be reached")),
            "the engine has it; unknown whether there is a newer one: the registry cannot be reached",
        ),
        (None, lambda: NEW, "not pulled yet"),
        (None, None, "not pulled yet"),
        (None, raise_error(ImageNotFound("none")), "no such image"),
    ],
)
def test_the_state_of_an_image(present: ImageInfo | None, find_remote: Callable[[], str] | None, expected: str) -> None:
    assert describe_state(present, find_remote) == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PYTHON_VERSION": "3.14.4"}, "3.14.4"),
        ({"PYPY_VERSION": "7.3.19"}, "PyPy 7.3.19"),
        ({"PYTHON_VERSION": "3.11.13", "PYPY_VERSION": "7.3.19"}, "3.11.13 PyPy 7.3.19"),
        ({}, ""),
    ],
)
def test_the_python_of_an_image(environment: dict[str, str], expected: str) -> None:
    assert describe_python(image(**environment)) == expected


def test_the_table_of_a_run_names_the_implementation(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_a="def test_a(): pass")
    engine = """FakeEngine(known=("python:3.12", "pypy:3.11"), installer=lambda spec, job: {
        **installs(spec, job), "implementation": "PyPy 7.3.19" if "pypy" in spec.image else ""})"""
    run = run_images(images="3.12,pypy:3.11", engine=engine)
    assert run.images["pypy:3.11"]["implementation"] == "PyPy 7.3.19"
    assert "implementation" not in run.images["3.12"]
    run.result.stdout.fnmatch_lines([" 3.12 *", " pypy:3.11 * PyPy 7.3.19 *"])
