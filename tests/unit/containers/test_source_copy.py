"""What is sent to an engine for the copy of a source, and what of it is kept for the next session."""

from __future__ import annotations

import io
import os
import re
import shlex
import tarfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from pytest_pyimages.containers import source_copy
from pytest_pyimages.containers.copied_files import CopyPattern, find_copied_files
from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.links import LinkedPath
from pytest_pyimages.containers.process import StoppedError
from pytest_pyimages.containers.source_copy import SourceCopy, find_unused_copies, remove_copies
from pytest_pyimages.engines.base import Leftover
from pytest_pyimages.engines.labels import CREATED_LABEL, HOST_LABEL
from pytest_pyimages.errors import EngineError, PyimagesError
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message
from tests.support.permissions import obeyed_permissions


class CopyEngine(FakeEngine):
    """Keeps volumes, and records what is sent and removed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tarfile.TarInfo] = []
        self.contents: dict[str, bytes] = {}
        self.cut = False

    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        with tarfile.open(fileobj=io.BytesIO(b"".join(tar))) as archive:
            self.sent = archive.getmembers()
            for member in self.sent:
                file = archive.extractfile(member) if member.isreg() else None
                if file is not None:
                    self.contents[member.name] = file.read()
        if self.cut:
            raise EngineError("the connection was lost")

    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        found = (Leftover(kind="volume", id=name, name=name, labels=labels) for name, labels in self.volumes.items())
        return tuple(found)

    def age(self, seconds: float, host: str = "") -> None:
        """Make all volumes older, and perhaps another host's."""
        for name, labels in self.volumes.items():
            changed: Mapping[str, str] = {
                CREATED_LABEL: str(int(time.time() - seconds)),
                **({HOST_LABEL: host} if host else {}),
            }
            self.volumes[name] = {**labels, **changed}

    @property
    def names(self) -> list[str]:
        names, self.sent = [member.name for member in self.sent], []
        return names


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    (tmp_path / "state").mkdir()
    return Lease(tmp_path / "state")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "a.py").write_text("a")
    (root / "b.py").write_text("b")
    old = time.time() - 100
    for path in (root / "pkg" / "a.py", root / "b.py"):
        os.utime(path, (old, old))
    time.sleep(0.05)  # else they are as old as the look at them, and sent twice
    return root


def send(engine: CopyEngine, lease: Lease, root: Path, *linked: LinkedPath) -> SourceCopy:
    copy = SourceCopy(engine, lease, root)
    copy.send("image", find_copied_files(root), linked)
    return copy


def test_only_changes_are_sent_again(lease: Lease, root: Path) -> None:
    engine = CopyEngine()
    first = send(engine, lease, root)
    assert engine.names == ["tree", "tree/b.py", "tree/pkg", "tree/pkg/a.py"]
    assert first.sent == (2, 2)
    assert send(engine, lease, root).name == first.name
    assert engine.names == []
    (root / "b.py").write_text("c")
    send(engine, lease, root)
    assert engine.names == ["tree/b.py"]
    assert engine.contents["tree/b.py"] == b"c"


@pytest.mark.parametrize("name", ["pkg", "b.py", "pkg/a.py", "with space's"])
def test_what_this_user_cannot_read_is_an_error(lease: Lease, root: Path, name: str) -> None:
    """An unreadable folder would be an empty one in the copy, without the tests in it."""
    (root / "with space's").mkdir()
    (root / name).chmod(0)
    engine = CopyEngine()
    with obeyed_permissions(), pytest.raises(PyimagesError) as raised:
        send(engine, lease, root)
    choice = shlex.quote(f"--py-images-copy=!{name}")
    assert str(raised.value) == message("engines", "unreadable-source", path=root / name, choice=choice)
    assert engine.names == []


def test_what_is_left_out_may_be_unreadable(lease: Lease, root: Path) -> None:
    (root / "pkg").chmod(0)
    (root / "b.py").chmod(0)
    (root / "c.py").write_text("c")
    patterns = [CopyPattern(re.compile(r"pkg/x\.txt|c\.py"), copies=True)]
    patterns += [CopyPattern(re.compile(r"(pkg|b\.py)(/|$)"), copies=False)]
    with obeyed_permissions():
        engine, found = CopyEngine(), find_copied_files(root, patterns)
        SourceCopy(engine, lease, root).send("image", found, ())
    assert engine.names == ["tree", "tree/c.py"]


def test_a_file_that_is_restored_with_its_times_is_sent(lease: Lease, root: Path) -> None:
    engine, before = CopyEngine(), (root / "b.py").stat()
    send(engine, lease, root)
    engine.sent = []
    (root / "b.py").write_text("c")
    os.utime(root / "b.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    send(engine, lease, root)
    assert engine.names == ["tree/b.py"]


def test_what_is_gone_is_removed(lease: Lease, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removed = []
    monkeypatch.setattr(source_copy, "run_helper", lambda *_: removed.extend(_[-1]["paths"]))
    engine = CopyEngine()
    send(engine, lease, root)
    (root / "b.py").unlink()
    (root / "b.py").mkdir()  # a folder where a file was
    (root / "pkg" / "a.py").unlink()
    send(engine, lease, root)
    assert sorted(removed) == ["tree/b.py", "tree/pkg/a.py"]
    assert engine.names[-1] == "tree/b.py"


def test_half_a_copy_is_never_used(lease: Lease, root: Path) -> None:
    """The next session sends everything, to another volume."""
    engine = CopyEngine()
    first = send(engine, lease, root)
    (root / "b.py").write_text("c")
    engine.cut = True
    with pytest.raises(EngineError):
        send(engine, lease, root)
    engine.cut = False
    engine.sent = []
    assert send(engine, lease, root).name != first.name
    assert "tree/pkg/a.py" in engine.names


def test_a_removed_volume_is_replaced(lease: Lease, root: Path) -> None:
    engine = CopyEngine()
    first = send(engine, lease, root)
    engine.volumes.clear()
    engine.sent = []
    assert send(engine, lease, root).name != first.name
    assert "tree/b.py" in engine.names


def test_what_links_lead_to_is_beside_the_tree(lease: Lease, root: Path, tmp_path: Path) -> None:
    (tmp_path / "far" / "sub").mkdir(parents=True)
    (tmp_path / "far" / "sub" / "x").write_text("x")
    engine = CopyEngine()
    folder = LinkedPath(link="data", target="/hop", source=tmp_path / "far")
    file = LinkedPath(link="b", target="/b", source=root / "b.py")
    copy = send(engine, lease, root, folder, file)
    assert {"linked/0", "linked/0/sub", "linked/0/sub/x", "linked/1"} <= set(engine.names)
    assert copy.find(1) == f"{copy.folder}/linked/1"


def test_owners_modes_and_odd_names_are_kept(lease: Lease, root: Path) -> None:
    (root / "b.py").chmod(0o755)
    (root / "not-utf8-\udcff").touch()
    (root / ("n" * 200)).touch()
    (root / "link").symlink_to("/nonexistent")
    engine = CopyEngine()
    send(engine, lease, root)
    found = {member.name: member for member in engine.sent}
    assert (found["tree/b.py"].mode, found["tree/b.py"].uid) == (0o755, os.getuid())
    assert found["tree/link"].linkname == "/nonexistent"
    assert {"tree/not-utf8-\udcff", f"tree/{'n' * 200}"} <= found.keys()


def test_a_too_large_source_is_an_error(lease: Lease, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_copy, "COPY_LIMIT", 1)
    with pytest.raises(PyimagesError, match=r"at most 0 MiB are copied .*--py-images-copy='!GLOB'"):
        send(CopyEngine(), lease, root)


def test_a_stopped_session_sends_no_more(lease: Lease, root: Path) -> None:
    def check() -> None:
        raise StoppedError("stopped")

    engine = CopyEngine()
    with pytest.raises(StoppedError):
        SourceCopy(engine, lease, root).send("image", find_copied_files(root), (), check)
    assert engine.sent == []


def test_copies_of_gone_trees_are_removed(lease: Lease, root: Path, tmp_path: Path) -> None:
    engine = CopyEngine()
    copy = send(engine, lease, root)
    engine.age(10**6)
    assert find_unused_copies(engine, lease) == ()
    assert find_unused_copies(engine, lease, all_own=True) == (copy.name,)
    root.rename(tmp_path / "moved")
    assert find_unused_copies(engine, lease) == (copy.name,)
    assert remove_copies(engine, [copy.name]) == (copy.name,)
    assert engine.volumes == {}


def test_copies_of_other_hosts_are_removed_after_a_week(lease: Lease, root: Path) -> None:
    engine = CopyEngine()
    copy = send(engine, lease, root)
    for path in lease.source_records.glob("*.json"):
        path.unlink()
    engine.age(86400, host="another")
    assert find_unused_copies(engine, lease) == ()
    engine.age(8 * 86400, host="another")
    assert find_unused_copies(engine, lease) == (copy.name,)
