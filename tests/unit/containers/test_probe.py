"""What a probe concludes from an engine's answers, and what it leaves in the folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.containers import probe
from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.mounted_source import Decision
from pytest_pyimages.containers.probe import LONGEST_REASON, NOT_SEEN, explain_refusal, probe_overlay
from pytest_pyimages.containers.source import Source
from pytest_pyimages.engines.base import Engine, Mount
from pytest_pyimages.errors import ConnectionLostError, EngineError, ImageNotFound
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message
from tests.support.limits import full_disk

MOUNT = "failed to mount local volume: mount overlay:/volumes/x, data: lowerdir=/src: "
MORE = "       dmesg(1) may have more information after failed mount system call.\n"


@contextmanager
def mount_layer(engine: Engine, lease: Lease, lower: str) -> Iterator[tuple[Mount, ...]]:
    yield ()


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    return Lease(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    return tmp_path / "src"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"seen": True, "problem": ""}, ""),
        ({"seen": False, "problem": ""}, NOT_SEEN),
        (
            {"seen": True, "problem": "Permission denied"},
            "containers cannot write to this host's files: Permission denied",
        ),
        ({"seen": True, "problem": "Permission denied", "root": 100000}, message("engines", "remapped")),
        ({"seen": True, "problem": "", "root": 100000}, ""),
        (EngineError(f"{MOUNT}no such file or directory"), NOT_SEEN),
        (EngineError(f"{MOUNT}invalid argument"), "the engine cannot mount an overlay of it: invalid argument"),
        (
            EngineError(f"mount: /v/_data: cannot mount overlay read-only.\n{MORE}"),
            "the engine cannot mount an overlay of it: cannot mount overlay read-only",
        ),
        (EngineError("no space left on device"), None),
    ],
)
def test_a_probe(lease: Lease, root: Path, monkeypatch: pytest.MonkeyPatch, result: Any, reason: str | None) -> None:
    """The folder is as it was, its time included."""
    os.utime(root, (1, 1))

    def run_helper(*arguments: Any) -> Any:
        job = arguments[-1]
        assert Path(job["path"]).read_text() == job["text"]
        if isinstance(result, EngineError):
            raise result
        return result

    monkeypatch.setattr(probe, "run_helper", run_helper)
    assert probe_overlay(FakeEngine(), lease, "image", root, mount_layer) == reason
    assert list(root.iterdir()) == []
    assert root.stat().st_mtime == 1


def test_the_program_of_a_probe(root: Path) -> None:
    sources: Any = import_module("pytest_pyimages.inside.sources")  # without annotations, for Python 2.7
    path = root / "nonce"
    path.write_text("text")
    outside = int(Path("/proc/self/uid_map").read_text().split()[1])
    job = {"path": str(path), "text": "text"}
    assert sources.probe(job) == {"seen": True, "problem": "", "root": outside}
    assert sources.probe(job | {"text": "another"}) == {"seen": False, "problem": "File exists", "root": outside}


def test_a_folder_that_cannot_be_written_is_not_probed(
    lease: Lease, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    assert probe_overlay(FakeEngine(), lease, "image", root, mount_layer) is None


def test_a_full_disk_keeps_no_file(lease: Lease, root: Path) -> None:
    os.utime(root, (1, 1))
    with full_disk():
        assert probe_overlay(FakeEngine(), lease, "image", root, mount_layer) is None
    assert list(root.iterdir()) == []
    assert root.stat().st_mtime == 1


@pytest.mark.parametrize("kind", [ConnectionLostError, ImageNotFound])
def test_other_errors_tell_nothing_about_overlays(kind: type[EngineError]) -> None:
    assert explain_refusal(kind(f"{MOUNT}no such file or directory")) is None


def test_a_reason_is_short() -> None:
    reason = explain_refusal(EngineError(f"overlay: {'x' * 1000}"))
    assert reason is not None
    assert len(reason) == LONGEST_REASON


def test_a_decision_is_remembered_by_tree(lease: Lease, root: Path) -> None:
    blind = FakeEngine(sees_host=False)
    first = Source(root)
    assert not first.decide(blind, lease)
    assert first.decide(blind, lease, "image")
    again = Source(root)
    assert again.decide(FakeEngine(), lease)
    assert again.decision == Decision("copy", NOT_SEEN)
    assert not Source(root.parent).decide(blind, lease)


def test_a_copy_is_probed_again_after_a_day(lease: Lease, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Source(root).decide(FakeEngine(sees_host=False), lease, "image")
    monkeypatch.setattr("pytest_pyimages.containers.source.COPY_SECONDS", 0)
    source = Source(root)
    assert source.decide(FakeEngine(), lease, "image")
    assert source.mode == "overlay"


def test_what_the_user_chooses_is_not_probed(lease: Lease, root: Path) -> None:
    engine = FakeEngine(sees_host=False)
    assert Source(root, "overlay").decide(engine, lease, "image")
    assert engine.calls == []


def test_records_of_gone_trees_are_removed(lease: Lease, root: Path) -> None:
    Source(root).decide(FakeEngine(), lease, "image")
    (before,) = lease.source_records.iterdir()
    root.rename(root.with_name("moved"))
    Source(root.with_name("moved")).decide(FakeEngine(), lease, "image")
    assert not before.exists()
