"""What containers of tests may use is set for all images, for some, or on the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]
CONFIGURATION = """
[tool.pytest.ini_options]
py_images_memory = "1g"
py_images_network = "none"
[[tool.pyimages.overrides]]
select = "3.13"
memory = "2g"
"""


def find_options(run: ImagesRun) -> list[str]:
    return sorted(call for call in run.calls if call.startswith("memory "))


def test_command_line_wins_over_overrides_and_these_over_the_ini_file(
    pytester: pytest.Pytester, run_images: Run
) -> None:
    pytester.makepyprojecttoml(CONFIGURATION)
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images="3.12,3.13")
    assert run.result.ret == 0
    # Those that build images have none.
    assert find_options(run) == ["memory 1024 MiB, network none", "memory 2048 MiB, network none"]
    run = run_images("--py-images-memory=512m", "--py-images-network=default", images="3.12,3.13")
    assert find_options(run) == ["memory 512 MiB, network "] * 2


def test_mount_over_the_source_is_refused(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = run_images(f"--py-images-mount=/srv:{pytester.path}/data")
    assert run.result.ret == 4
    assert f"ERROR: --py-images-mount: {pytester.path}/data overlaps with " in run.err
    assert run.calls == []


@pytest.mark.parametrize("option", ["--py-images-socket", "--py-images-mount=/etc:/x", "--py-images-network host"])
def test_addopts_of_a_project_grant_only_the_project(option: str, pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\naddopts = '{option}'")
    pytester.makepyfile("def test_a(): pass")
    run = run_images()
    assert run.result.ret == 4
    name = option.replace("=", " ").split()[0]
    assert f"ERROR: {name} in addopts: " in run.err
    assert f"only the command line ({name})" in run.err
    assert run.calls == []


def test_socket_reaches_the_suite(pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(
        """
        import os

        def test_variables():
            assert os.environ["DOCKER_HOST"] == "unix:///run/docker.sock"
            assert os.environ["TESTCONTAINERS_HOST_OVERRIDE"] == "set by the project"
        """
    )
    pytester.makeini("[pytest]\npy_images_env = TESTCONTAINERS_HOST_OVERRIDE=set by the project")
    run = run_images("--py-images-socket")
    assert run.result.ret == 0, run.out
    assert "socket: tests control the engine and its machine" in run.out
    monkeypatch.setenv("PY_IMAGES_SOCKET", "0")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    pytester.makepyfile("import os\ndef test_none(): assert 'DOCKER_HOST' not in os.environ")
    assert run_images().result.ret == 0
