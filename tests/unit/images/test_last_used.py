"""Records of when and for which project an image was last used; they never make a session fail."""

from __future__ import annotations

import os
import statistics
import threading
import time
from pathlib import Path

import pytest

from pytest_pyimages.images.last_used import FORGOTTEN_AFTER, LastUsed

IMAGE, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
MINE, YOURS = "0123456789abcdef", "fedcba9876543210"


def age(folder: Path, image: str, seconds: float) -> None:
    """Make the uses of an image so many seconds old."""
    for path in (folder / "used").glob(f"{image.removeprefix('sha256:')}-*"):
        os.utime(path, (time.time() - seconds,) * 2)


def test_use_is_recorded_with_its_project(tmp_path: Path) -> None:
    before = time.time()
    LastUsed(tmp_path).touch(IMAGE, MINE, Path("/src/mine"))
    LastUsed(tmp_path).touch(IMAGE, YOURS, Path("/src/your café"))
    found = LastUsed(tmp_path).read_uses([IMAGE, OTHER])
    assert {project: use.rootdir for project, use in found[IMAGE].items()} == {
        MINE: Path("/src/mine"),
        YOURS: Path("/src/your café"),
    }
    assert all(before - 1 < use.seconds < time.time() + 1 for use in found[IMAGE].values())
    assert found[OTHER] == {}


def test_next_use_replaces_the_last(tmp_path: Path) -> None:
    used = LastUsed(tmp_path)
    used.touch(IMAGE, MINE, Path("/src/old place"))
    age(tmp_path, IMAGE, 1000)
    used.touch(IMAGE, MINE, Path("/src/old place"))
    assert used.read_uses([IMAGE])[IMAGE][MINE].seconds > time.time() - 100
    age(tmp_path, IMAGE, 1000)
    used.touch(IMAGE, MINE, Path("/src/new place"))
    use = used.read_uses([IMAGE])[IMAGE][MINE]
    assert (use.rootdir, use.seconds > time.time() - 100) == (Path("/src/new place"), True)
    assert len(list((tmp_path / "used").iterdir())) == 1


def test_unwritable_record_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "used").write_text("a file where the folder belongs")
    used = LastUsed(tmp_path)
    used.touch(IMAGE, MINE, Path("/src"))
    used.forget(IMAGE)
    used.forget_all_but(())
    assert used.read_uses([IMAGE]) == {IMAGE: {}}


def test_other_files_are_ignored(tmp_path: Path) -> None:
    used = LastUsed(tmp_path)
    used.touch(IMAGE, MINE, Path("/src"))
    (tmp_path / "used" / "README").write_text("not ours")
    (tmp_path / "used" / f"{'a' * 64}-folder").mkdir()
    assert list(used.read_uses([IMAGE])[IMAGE]) == [MINE]
    used.forget(IMAGE)
    assert used.read_uses([IMAGE])[IMAGE] == {}
    assert (tmp_path / "used" / "README").exists()


def test_concurrent_writes_are_atomic(tmp_path: Path) -> None:
    """No reader sees part of a file, and no temporary file remains."""
    long_path = Path("/" + "x" * 4000)
    seen: set[Path] = set()

    def write() -> None:
        for _ in range(50):
            LastUsed(tmp_path).touch(IMAGE, MINE, long_path)
            LastUsed(tmp_path).forget(IMAGE)

    def read() -> None:
        for _ in range(200):
            seen.update(use.rootdir for use in LastUsed(tmp_path).read_uses([IMAGE])[IMAGE].values())

    threads = [threading.Thread(target=target) for target in (write, write, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen <= {long_path}
    assert list((tmp_path / "used").glob("*.new")) == []


@pytest.mark.parametrize("first", [True, False], ids=["first use", "next use"])
def test_record_takes_less_than_a_millisecond(tmp_path: Path, first: bool) -> None:
    used = LastUsed(tmp_path)
    times = []
    for _ in range(50):
        if first:
            used.forget(IMAGE)
        began = time.perf_counter()
        used.touch(IMAGE, MINE, Path("/src"))
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 0.001


def test_old_records_of_missing_images_are_removed(tmp_path: Path) -> None:
    """A missing image may be in another engine; its record is kept for a while."""
    used = LastUsed(tmp_path)
    third = "sha256:" + "c" * 64
    for image in (IMAGE, OTHER, third):
        used.touch(image, MINE, Path("/src"))
    age(tmp_path, IMAGE, FORGOTTEN_AFTER + 60)
    age(tmp_path, OTHER, FORGOTTEN_AFTER + 60)
    used.forget_all_but([IMAGE])
    assert [image for image, uses in used.read_uses([IMAGE, OTHER, third]).items() if uses] == [IMAGE, third]
