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
