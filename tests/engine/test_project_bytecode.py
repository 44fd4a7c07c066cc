"""What containers get of the bytecode that earlier runs needed: as on a host, and nothing that a suite has left."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import docker
import pytest

from pytest_pyimages.containers.bytecode import BYTECODE_KIND, find_unused_bytecode
from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.source_copy import remove_copies
from pytest_pyimages.engines.base import Leftover
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import KIND_LABEL
from tests.support.jobs import Job

from .conftest import list_left

LONG_AGO = 1_500_000_000  # seconds
SLOW = "import time\ntime.sleep(1.2)  # a collection that may be worth it\n"
# What is there before a module is imported can only be from a layer.
LOOKS = """
import os, stat
HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = HERE + "/pkg/__pycache__"
kept = os.listdir(CACHE) if os.path.isdir(CACHE) else []
MODE = stat.S_IMODE(os.stat(HERE + "/pkg").st_mode)
import pkg.module
try:
    import gone.module
except ImportError:
    pass

def test_bytecode():
    found = sorted(os.path.relpath(path, HERE) for path, folders, _ in os.walk(HERE) if "__pycache__" in folders)
    print("CACHES", *found)
    print("KEPT", bool(kept), MODE == 0o750, os.path.exists(HERE + "/gone"))
    assert 0
"""
FORGES = """
import glob, marshal, os
from pathlib import Path

def test_forges():
    for path in glob.glob(os.path.dirname(os.path.abspath(__file__)) + "/__pycache__/test_looks.*.pyc"):
        data = Path(path).read_bytes()
        code = compile("def test_bytecode(): pass", "test_looks.py", "exec")
        Path(path).write_bytes(data[:16] + marshal.dumps(code))
        print("FORGED", path)
    try:
        Path("/opt/pyimages/bytecode/tree/forged").touch()
    except OSError as error:
        print("REFUSED", error.strerror)
    assert 0
"""


@pytest.fixture
def project(job: Job) -> Job:
    """Return a job with a package whose modules are old."""
    job.write(test_slow=SLOW, test_looks=LOOKS)
    for name in ("pkg", "gone", "data"):
        (job.folder / name).mkdir()
        (job.folder / name / "module.py").write_text("x = 1\n" * 10_000)
    (job.folder / "pkg").chmod(0o750)
    age(job)
    return job


def age(job: Job) -> None:
    for path in job.folder.glob("**/*.py"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def look(job: Job, *args: str, images: str = "3.14-slim") -> set[str]:
    """Run; return what the suite has seen: whether it has bytecode, the package's mode, and the folder ``gone``."""
    done = job.run("-p", "no:cacheprovider", *args, images=images)
    assert done.returncode == 1, done.stdout + done.stderr
    return set(re.findall(r"KEPT (.*)", done.stdout))


def list_volumes(engine: DockerEngine, host: str) -> list[Leftover]:
    return [entry for entry in list_left(engine, host) if entry.labels[KIND_LABEL] == BYTECODE_KIND]


@pytest.mark.parametrize("source", ["overlay", "copy"])
def test_the_second_run_has_bytecode(project: Job, source: str, engine: DockerEngine, host: str) -> None:
    """And still the modes of folders that the source has, and no folder that it no longer has."""
    option = f"--py-images-source={source}"
    images = "3.12,3.14-slim" if source == "overlay" else "3.14-slim"
    assert look(project, option, images=images) == {"False True True"}
    assert look(project, option, images=images) == {"True True True"}
    before = {entry.name for entry in list_volumes(engine, host)}
    assert len(before) == len(images.split(","))
    assert list(project.folder.rglob("__pycache__")) == [], "the host's tree stays as it was"
    (project.folder / "gone" / "module.py").unlink()
    (project.folder / "gone").rmdir()
    (project.folder / "pkg").chmod(0o700)
    assert look(project, option, images=images) == {"True False False"}
    after = {entry.name for entry in list_volumes(engine, host)}
    assert len(after) == len(before)
    assert not after & before


def test_an_old_python(project: Job) -> None:
    assert look(project, images="3.6") == {"False True True"}
    assert look(project, images="3.6") == {"True True True"}


def test_a_suite_cannot_leave_bytecode(project: Job) -> None:
    """Neither in the layer, nor by what it writes over it."""
    project.write(test_forges=FORGES)
    age(project)
    outputs = []
    for _ in range(3):
        done = project.run("-p", "no:cacheprovider", images="3.14-slim")
        assert ("2 failed" in done.stdout, done.returncode) == (True, 1), done.stdout + done.stderr
        outputs.append(done.stdout)
    assert "FORGED" in outputs[-1]
    assert "REFUSED Read-only file system" in outputs[-1]
    assert "KEPT True" in outputs[-1]


def test_an_edited_module_is_seen_at_once(project: Job) -> None:
    for _ in range(2):
        look(project)
    project.write(test_looks=LOOKS.replace("assert 0", "assert not kept[:1]"))
    done = project.run("-p", "no:cacheprovider", images="3.14-slim")
    assert "assert not ['module.cpython-314.pyc']" in done.stdout, done.stdout


def test_a_module_that_has_the_time_and_size_of_another(project: Job) -> None:
    """With a pytest that knows bytecode by these."""
    (project.folder / "pytest.ini").write_text("[pytest]\npy_images_install = pytest==8.3.5\n")
    assert [look(project) for _ in range(2)][1] == {"True True True"}
    project.write(test_looks=LOOKS.replace("assert 0", "assert 1"))
    age(project)
    done = project.run("-p", "no:cacheprovider", images="3.14-slim")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_other_folder_gets_bytecode(project: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of data stays as it is, and where Python writes none, no folder gets any."""
    (project.folder / "pytest.ini").write_text("[pytest]\npy_images_env = PYTHONDONTWRITEBYTECODE\n")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for kept in ("False", "True"):
        done = project.run("-p", "no:cacheprovider", images="3.14-slim")
        assert re.findall("(?m)^CACHES (.*)", done.stdout) == [". gone pkg"], done.stdout + done.stderr
        assert f"KEPT {kept}" in done.stdout
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    done = project.run("-p", "no:cacheprovider", images="3.14-slim")
    assert re.findall("(?m)^CACHES *(.*)", done.stdout) == [""], done.stdout + done.stderr


def test_a_volume_that_is_gone_is_made_again(project: Job, engine: DockerEngine, host: str) -> None:
    """Without a word, after a run that has none; that the engine has created one of the name is no trace of it."""
    for _ in range(2):
        look(project)
    (entry,) = list_volumes(engine, host)
    engine.remove_volume(entry.name)
    assert look(project) == {"False True True"}
    with contextlib.closing(docker.DockerClient(base_url=engine.info.endpoint)) as client:
        assert entry.name not in {volume.name for volume in client.volumes.list()}
    assert look(project) == {"True True True"}


def test_bytecode_of_a_gone_tree_is_removed(
    project: Job, engine: DockerEngine, host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for _ in range(2):
        look(project)
    (entry,) = list_volumes(engine, host)
    monkeypatch.setattr("pytest_pyimages.containers.bytecode.NEW_SECONDS", -1)
    assert entry.name not in find_unused_bytecode(engine, Lease())
    project.folder.rename(tmp_path / "moved")
    assert remove_copies(engine, [name for name in find_unused_bytecode(engine, Lease()) if name == entry.name])
    assert list_volumes(engine, host) == []
