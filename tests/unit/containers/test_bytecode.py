"""When the bytecode of a source is compiled, when it is mounted, and when its volume is removed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from pytest_pyimages.containers.bytecode import BytecodeRecord, find_unused_bytecode, remove_bytecode
from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.modules import describe_modules
from tests.unit.containers.test_source_copy import CopyEngine

IMAGE = "sha256:python:3.12"  # one that the engine has
NAMES = ("tests/__pycache__/test_large.cpython-312.pyc",)


@pytest.fixture
def engine() -> CopyEngine:
    return CopyEngine()


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    (tmp_path / "state").mkdir()
    return Lease(tmp_path / "state")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "tests" / "sub").mkdir(parents=True)
    (tmp_path / "root" / "tests" / "test_it.py").write_text("x = 1\n")
    (tmp_path / "root" / "tests" / "test_large.py").write_text("x = 1\n" * 10_000)
    return tmp_path / "root"


def read(engine: CopyEngine, lease: Lease, root: Path, image: str = IMAGE) -> BytecodeRecord:
    return BytecodeRecord(engine, lease, root, image)


def fill(engine: CopyEngine, lease: Lease, root: Path, *, compiled: int = 100) -> BytecodeRecord:
    """Compile as a run does that finds it due."""
    record = read(engine, lease, root)
    record.replace(record.create_volume(), ["", "tests", "tests/sub"], compiled=compiled)
    return record


def test_a_fast_collection_leaves_no_record(engine: CopyEngine, lease: Lease, root: Path) -> None:
    read(engine, lease, root).add_collection(0.9, NAMES)
    record = read(engine, lease, root)
    assert not record.is_due()
    assert record.layer is None
    assert list(lease.bytecode_records.iterdir()) == []


def test_names_are_wanted_only_if_the_next_run_may_compile(engine: CopyEngine, lease: Lease, root: Path) -> None:
    """Since the worker walks through the whole tree for them."""
    limits = [read(engine, lease, root).limit]
    for seconds in (5.0, 5.0):
        read(engine, lease, root).add_collection(seconds, NAMES)
        limits.append(read(engine, lease, root).limit)
    assert limits == [1.0, None, 8.5]
    fill(engine, lease, root)
    assert read(engine, lease, root).limit is None
    read(engine, lease, root).add_collection(2.0)
    assert read(engine, lease, root).limit == 4.0


def test_a_slow_collection_lets_the_next_run_compile(engine: CopyEngine, lease: Lease, root: Path) -> None:
    read(engine, lease, root).add_collection(1.1, NAMES)
    assert read(engine, lease, root).is_due()
    assert not read(engine, lease, root, "sha256:another").is_due()
    layer = fill(engine, lease, root).layer
    record = read(engine, lease, root)
    assert record.layer == layer is not None
    assert not record.is_due()
    assert layer.cover("/source") == f"{layer.folder}/tree:/source"
    assert layer.mount.read_only


@pytest.mark.parametrize(("changed", "is_due"), [(True, True), (False, False)])
def test_what_has_become_slower_is_compiled_again(
    engine: CopyEngine, lease: Lease, root: Path, changed: bool, is_due: bool
) -> None:
    """Unless no module has changed: then the machine was busy."""
    record = read(engine, lease, root)
    record.replace(record.create_volume(), ["tests"], compiled=100, modules=describe_modules(root).digest)
    for seconds in (0.4, 1.5):  # the first one is what the later ones are compared with
        read(engine, lease, root).add_collection(seconds, NAMES)
    assert not read(engine, lease, root).is_due()
    if changed:
        (root / "tests" / "test_it.py").write_text("x = 2\n")
    read(engine, lease, root).add_collection(1.7, NAMES)
    assert read(engine, lease, root).is_due() is is_due
    assert read(engine, lease, root).is_due() is is_due


def test_few_modules_are_never_compiled(engine: CopyEngine, lease: Lease, root: Path) -> None:
    """Something else takes the time: a slow fixture, or other programs."""
    (root / "tests" / "test_large.py").unlink()
    read(engine, lease, root).add_collection(9.0, NAMES)
    assert not read(engine, lease, root).is_due()
    assert list(lease.bytecode_records.iterdir()) == []


def test_what_compiling_does_not_make_faster_is_left_alone(engine: CopyEngine, lease: Lease, root: Path) -> None:
    for seconds in (5.0, 5.0):
        read(engine, lease, root).add_collection(seconds, NAMES)
    fill(engine, lease, root, compiled=0)
    read(engine, lease, root).add_collection(5.1, NAMES)
    assert not read(engine, lease, root).is_due()


def test_a_failed_attempt_is_not_repeated(engine: CopyEngine, lease: Lease, root: Path) -> None:
    read(engine, lease, root).add_collection(3.0, NAMES)
    read(engine, lease, root).replace(None)
    read(engine, lease, root).add_collection(3.1, NAMES)
    record = read(engine, lease, root)
    assert record.layer is None
    assert not record.is_due()


@pytest.mark.parametrize("change", ["removed", "mode", "link", "file", "cache"])
def test_a_layer_never_covers_another_folder(engine: CopyEngine, lease: Lease, root: Path, change: str) -> None:
    """Its folders would appear in containers, or hide what is there."""
    fill(engine, lease, root)
    folder = root / "tests" / "sub"
    if change == "mode":
        folder.chmod(0o700 if folder.stat().st_mode & 0o77 else 0o755)
    elif change == "cache":
        (folder / "__pycache__").touch()
    else:
        folder.rmdir()
    if change == "link":
        folder.symlink_to(root)
    elif change == "file":
        folder.touch()
    record = read(engine, lease, root)
    assert record.layer is None
    assert record.is_due(), "it has paid before"


@pytest.mark.parametrize("change", ["same time", "copied", "newer", "nothing"])
@pytest.mark.parametrize("is_timed", [True, False])
def test_a_module_with_the_time_of_another_is_stale(
    engine: CopyEngine, lease: Lease, root: Path, change: str, is_timed: bool
) -> None:
    """Bytecode with a hash of the text is not, and what knows the time notices another one by itself."""
    path, began = root / "tests" / "test_it.py", time.time()
    os.utime(path, (began - 100, began - 100))
    record = read(engine, lease, root)
    record.replace(record.create_volume(), ["tests"], compiled=100, began=began + 0.1 if is_timed else None)
    time.sleep(0.2)
    if change == "same time":
        path.write_text("x = 2\n")
        os.utime(path, (began - 100, began - 100))
    elif change == "copied":
        (root / "copy.py").write_text("x = 3\n")
        os.utime(root / "copy.py", (began - 100, began - 100))
        (root / "copy.py").replace(path)
    elif change == "newer":
        path.write_text("x = 2\n")
    is_stale = is_timed and change in ("same time", "copied")
    assert (read(engine, lease, root).layer is None) is is_stale
    assert read(engine, lease, root).is_due() is is_stale


def test_python_that_writes_no_bytecode_gets_none(engine: CopyEngine, lease: Lease, root: Path) -> None:
    read(engine, lease, root).add_collection(9.0, ())
    assert not read(engine, lease, root).is_due()
    assert list(lease.bytecode_records.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"volume": 5}',
        b'{"volume": ["pytest-pyimages-bytecode-1"]}',
        b'{"volume": "data-of-somebody", "folder": "/", "folders": {}}',
        b'{"folders": []}',
        b'{"root": 1, "image": null}',
        b'{"seconds": "1", "due": true}',
    ],
)
def test_a_damaged_record_is_none(engine: CopyEngine, lease: Lease, root: Path, damage: bytes) -> None:
    fill(engine, lease, root)
    (path,) = lease.bytecode_records.glob("*.json")
    path.write_bytes(damage)
    path.with_suffix(".names").write_bytes(damage)
    engine.age(10**6)
    record = read(engine, lease, root)
    assert (record.layer, record.names, record.is_due()) == (None, [], False)
    unused = find_unused_bytecode(engine, lease)
    assert len(unused) == 1, "its volume"
    assert remove_bytecode(engine, lease, unused) == unused
    assert list(lease.bytecode_records.iterdir()) == []
    read(engine, lease, root).add_collection(2.0, NAMES)
    assert read(engine, lease, root).is_due()


def test_a_record_that_another_session_has_removed(engine: CopyEngine, lease: Lease, root: Path) -> None:
    record = fill(engine, lease, root)
    for seconds in (0.5, 0.5):
        for path in lease.bytecode_records.glob("*.json"):
            path.unlink()
        record.add_collection(seconds, NAMES)
    assert not record.is_due()


def test_a_new_folder_and_the_mode_of_the_root_do_not_matter(engine: CopyEngine, lease: Lease, root: Path) -> None:
    layer = fill(engine, lease, root).layer
    (root / "more").mkdir()
    root.chmod(0o700)
    assert read(engine, lease, root).layer == layer


def test_each_compilation_has_a_volume_of_its_own(engine: CopyEngine, lease: Lease, root: Path) -> None:
    first = fill(engine, lease, root).layer
    second = fill(engine, lease, root).layer
    assert first is not None
    assert second is not None
    assert first.volume != second.volume
    assert list(engine.volumes) == [second.volume]


@pytest.mark.parametrize("gone", ["nothing", "tree", "image", "use"])
def test_unused_volumes(engine: CopyEngine, lease: Lease, root: Path, tmp_path: Path, gone: str) -> None:
    record = fill(engine, lease, root)
    assert record.layer is not None
    volume = record.layer.volume
    (path,) = lease.bytecode_records.iterdir()
    if gone == "tree":
        root.rename(tmp_path / "moved")
    elif gone == "image":
        path.write_text(json.dumps({**json.loads(path.read_text()), "image": "sha256:gone"}))
    elif gone == "use":
        os.utime(path, (0, 0))
    new = record.create_volume().volume
    expected = () if gone == "nothing" else (volume,)
    assert find_unused_bytecode(engine, lease) == expected, "one that is so new may have no record yet"
    engine.remove_volume(new)
    engine.age(10**6)
    assert find_unused_bytecode(engine, lease) == expected
    assert path.exists(), "looking changes nothing"
    assert remove_bytecode(engine, lease, expected) == expected
    assert path.exists() is (gone == "nothing")
    assert find_unused_bytecode(engine, lease, all_own=True) == ((volume,) if gone == "nothing" else ())


def test_volumes_of_other_hosts_are_removed_after_a_week(engine: CopyEngine, lease: Lease, root: Path) -> None:
    record = fill(engine, lease, root)
    assert record.layer is not None
    for path in lease.bytecode_records.iterdir():
        path.unlink()
    engine.age(86400, host="another")
    assert find_unused_bytecode(engine, lease) == ()
    engine.age(8 * 86400, host="another")
    assert find_unused_bytecode(engine, lease) == (record.layer.volume,)
