"""An engine that does not see this host's files: decided once, before images are built, and told with the reason."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import ContainerSpec
from tests.plugin.conftest import ImagesRun
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message
from tests.support.permissions import obey_permissions

Run = Callable[..., ImagesRun]
BLIND = "FakeEngine(sees_host=False)"
LINE = re.compile(r"source: copy \(the engine does not see this host's files\), \d+ files, \d\.\d kB")


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a(): pass")


def count(run: ImagesRun, call: str) -> int:
    return sum(found.startswith(call) for found in run.calls)


def test_the_copy_is_sent_once_for_all_images(pytester: pytest.Pytester, run_images: Run) -> None:
    run = run_images(images="3.12,3.14-slim", engine=BLIND)
    assert run.result.ret == 0
    (line,) = (line for line in run.out.splitlines() if line.startswith("source: "))
    assert LINE.fullmatch(line)
    assert count(run, "upload") == 1
    assert not list(pytester.path.glob(".pyimages-*"))


def test_the_decision_is_remembered(run_images: Run) -> None:
    first, second = (run_images("-p", "no:cacheprovider", engine=BLIND) for _ in range(2))
    assert second.result.ret == 0
    assert LINE.search(second.out)
    # Both build and run one image, and send the copy: engines of tests keep nothing.
    assert count(first, "create") - count(second, "create") == 1


@pytest.mark.parametrize("pattern", ["../x", "!/x"])
def test_a_pattern_outside_of_the_rootdir_is_refused(run_images: Run, pattern: str) -> None:
    run = run_images(f"--py-images-copy={pattern}")
    assert run.result.ret == 4
    assert f'--py-images-copy: "{pattern.removeprefix("!")}" must be relative to the rootdir and below it' in run.err


class RemoteEngine(FakeEngine):
    """Runs on another machine: two builds find out at the same time that it has neither the index nor the source."""

    def __init__(self) -> None:
        both = threading.Barrier(2)

        def install(_spec: ContainerSpec, job: Mapping[str, object]) -> Mapping[str, object]:
            if job["folders"]:
                both.wait(60)
                return {"elsewhere": True}
            return {"nosource": "setup.cfg"}

        super().__init__(installer=install, sees_host=False)


def test_overlay_that_cannot_work_is_named(run_images: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also if the packages are in a folder of this host, which the engine does not see either."""
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    engine = "__import__('tests.plugin.test_copied_source', fromlist=['_']).RemoteEngine()"
    run = run_images("--py-images-source=overlay", images="3.12,3.13", engine=engine)
    assert run.result.ret == 1
    assert {image["problem"] for image in run.images.values()} == {message("engines", "no-overlay")}


@pytest.mark.parametrize("place", ["data", "tests", "src/deep"])
@pytest.mark.parametrize("status", [0, 2], ids=["passes", "misses a module"])
def test_a_folder_that_this_user_cannot_read(
    pytester: pytest.Pytester, run_images: Run, place: str, status: int
) -> None:
    """Such as the files of a database that a container writes."""
    folder = pytester.path / place
    folder.mkdir(parents=True)
    pytester.makepyfile("def test_a(): pass" if status == 0 else "import no_such_module_anywhere\ndef test_a(): pass")
    folder.chmod(0)
    command = (*obey_permissions(), sys.executable, "-m", "pytest", "--py-images=3.12")
    run = run_images("test_a_folder_that_this_user_cannot_read.py", command=command)
    folder.chmod(0o700)
    assert run.result.ret == status
    assert run.images["3.12"]["counts"]["passed" if status == 0 else "error"] == 1
    assert "INTERNALERROR" not in run.out
