"""The number of open files does not grow with the number of images: macOS allows 256."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.fake_engine import FakeEngine
from tests.support.processes import count_descriptors

AT_ONCE = 2
GROWTH = 12  # of containers at once, and of the threads that start and remove them


class CountingEngine(FakeEngine):
    """Records how many files this process has open when a container is gone."""

    def remove_container(self, container: str, *, wait: bool = True) -> None:
        super().remove_container(container, wait=wait)
        self.calls.append(f"descriptors {count_descriptors()}")


def test_open_files_do_not_grow_with_the_images(
    pytester: pytest.Pytester, run_images: Callable[..., ImagesRun]
) -> None:
    images = [f"3.{minor}{variant}" for minor in range(10, 16) for variant in ("", "-slim")]
    pytester.makepyfile("def test_a(): pass")
    engine = "__import__('tests.plugin.test_descriptors', fromlist=['_']).CountingEngine()"
    run = run_images(f"--py-images-jobs={AT_ONCE}", images=",".join(images), engine=engine)
    assert run.result.ret == 0
    counts = [int(call.split()[1]) for call in run.calls if call.startswith("descriptors ")]
    assert len(counts) >= len(images)
    assert max(counts) - min(counts) <= GROWTH, counts
