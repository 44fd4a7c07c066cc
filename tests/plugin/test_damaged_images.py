"""A cached image that is damaged, or another one under its name, is built again, once and with a note."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_pyimages.engines import ContainerSpec, ImageInfo
from pytest_pyimages.engines.labels import KIND_LABEL, LABEL, PYTHON_LABEL, RECIPE_LABEL, REPLACED_LABEL
from pytest_pyimages.errors import EngineError
from tests.plugin.conftest import ImagesRun
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message

Run = Callable[..., ImagesRun]
ENGINE = "__import__('tests.plugin.test_damaged_images', fromlist=['DamagedEngine']).DamagedEngine({})"


class DamagedEngine(FakeEngine):
    """Has every environment image before the first build, with another Python than was built."""

    def __init__(self, executable: str, *, error: str = "", labels: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._executable, self._error, self._labels = executable, error, labels
        self._is_damaged = True

    def find_image(self, reference: str) -> ImageInfo | None:
        found = super().find_image(reference)
        repository, _, tag = reference.partition(":")
        if found is not None or repository != "pytest-pyimages/environment" or not self._is_damaged:
            return found
        labels = {KIND_LABEL: "environment", RECIPE_LABEL: tag, PYTHON_LABEL: "3.12.1"}
        labels |= {f"{LABEL}.executable": self._executable, **(self._labels or {})}
        self._bases["sha256:damaged"] = "python:3.12"
        return self._image("sha256:damaged", labels)

    def create_container(self, spec: ContainerSpec) -> str:
        if self._error and spec.image == "sha256:damaged":
            raise EngineError(self._error)
        return super().create_container(spec)

    def commit(self, container: str, *, reference: str, labels: Mapping[str, str]) -> str:
        self._is_damaged = False
        return super().commit(container, reference=reference, labels=labels)


def script(folder: Path, text: str) -> str:
    path = folder / "damaged-python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return repr(str(path))


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test(): pass")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            "read -r job; echo bad marshal data >&2; exit 1",
            "the container ended with exit status 1 before the run was complete: bad marshal data",
            id="no-worker",
        ),
        pytest.param("read -r job; echo hello", "the worker sent *", id="another-program"),
        pytest.param('exec {python} -S "$@"', "pytest cannot be imported: No module named 'pytest'", id="no-pytest"),
    ],
)
def test_damaged_image_is_built_again(
    pytester: pytest.Pytester, run_images: Run, tmp_path: Path, text: str, reason: str
) -> None:
    run = run_images(engine=ENGINE.format(script(tmp_path, text.format(python=sys.base_prefix + "/bin/python3"))))
    assert run.result.ret == 0
    note = message("images", "damaged", label="3.12", reason=reason)
    run.result.stdout.fnmatch_lines([f" note: {note}"])
    assert (run.images["3.12"]["counts"]["passed"], run.images["3.12"]["cached"]) == (1, False)
    assert run.calls.count("commit") == 1


@pytest.mark.parametrize(
    ("text", "reason", "problem"),
    [
        pytest.param(
            "read -r job; echo bad marshal data >&2; exit 1",
            "the container ended with exit status 1 before the run was complete: bad marshal data",
            "the container ended with exit status 1 before the run was complete",
            id="no-worker",
        ),
        pytest.param(
            'exec {python} -S "$@"',
            "pytest cannot be imported: No module named 'pytest'",
            "pytest cannot be imported: No module named 'pytest'",
            id="no-pytest",
        ),
    ],
)
def test_image_that_was_built_again_in_vain_is_an_error(
    run_images: Run, tmp_path: Path, text: str, reason: str, problem: str
) -> None:
    """A pytest that is too old for its Python, or PYTHONHOME in the settings: each session would build it."""
    program = script(tmp_path, text.format(python=sys.base_prefix + "/bin/python3"))
    run = run_images(engine=ENGINE.format(f"{program}, labels={{{REPLACED_LABEL!r}: {reason!r}}}"))
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.calls.count("commit") == 0
    assert "built again" not in run.out
    assert run.images["3.12"]["problem"] == problem


def test_image_that_fails_for_another_reason_is_built_again(run_images: Run, tmp_path: Path) -> None:
    program = script(tmp_path, "read -r job; echo bad marshal data >&2; exit 1")
    run = run_images(engine=ENGINE.format(f"{program}, labels={{{REPLACED_LABEL!r}: 'lost layers'}}"))
    assert (run.result.ret, run.calls.count("commit")) == (0, 1)


def test_image_without_its_layers_is_built_again(run_images: Run) -> None:
    error = "failed to create container: layer does not exist"
    run = run_images(engine=ENGINE.format(f"{sys.executable!r}, error={error!r}"))
    assert run.result.ret == 0
    assert message("images", "damaged", label="3.12", reason=error) in run.out


@pytest.mark.parametrize("labels", [{RECIPE_LABEL: "0" * 32}, {KIND_LABEL: "dockerfile"}, {PYTHON_LABEL: ""}])
def test_another_image_under_the_name_is_not_used(run_images: Run, labels: dict[str, str]) -> None:
    run = run_images(engine=ENGINE.format(f"'/bin/false', labels={labels!r}"))
    assert run.result.ret == 0
    run.result.stdout.fnmatch_lines([f" note: {message('images', 'another-image', label='3.12', reference='*')}"])
    assert run.calls.count("create sha256:damaged") == 0


def test_suite_that_ends_the_process_is_not_a_damaged_image(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest("import os\nos._exit(3)")
    run = run_images(engine=ENGINE.format(repr(sys.executable)))
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.calls.count("commit") == 0
    assert "built again" not in run.out


@pytest.mark.parametrize(
    ("files", "args", "error"),
    [
        pytest.param(
            {"conftest": "def pytest_cmdline_main(): raise AttributeError('no Str')"},
            [],
            "AttributeError: no Str",
            id="main",
        ),
        pytest.param(
            {"conftest": "def pytest_addoption(parser): raise KeyError('x')"}, [], "KeyError: 'x'", id="options"
        ),
        pytest.param(
            {"broken": "def pytest_load_initial_conftests(): raise TypeError"},
            ["-p", "broken"],
            "TypeError",
            id="plugin",
        ),
    ],
)
def test_pytest_that_fails_before_its_session_is_not_a_damaged_image(
    pytester: pytest.Pytester, run_images: Run, files: dict[str, str], args: list[str], error: str
) -> None:
    """An old pytest cannot run on a new Python; its image must not be built again in each session."""
    pytester.makepyfile(**files)
    run = run_images(*args, engine=ENGINE.format(repr(sys.executable)))
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.calls.count("commit") == 0
    assert "built again" not in run.out
    assert run.images["3.12"]["problem"].endswith(f" without finishing its session: {error}")
