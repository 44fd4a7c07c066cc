"""uv from the host: downloaded once, compared with its digest, and written by nobody else."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.images import uv_program
from pytest_pyimages.images.bases import Listener
from pytest_pyimages.images.uv_program import VERSION, UvMissingError, UvProgram, download
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message

PROGRAM = b"the program"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which this host's pip looks for packages, and expect PROGRAM in uv's wheel."""
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(uv_program, "DIGESTS", {"x86_64": hashlib.sha256(PROGRAM).hexdigest()})
    return tmp_path


def write_wheel(folder: Path, program: bytes) -> None:
    with zipfile.ZipFile(folder / f"uv-{VERSION}-py3-none-musllinux_1_1_x86_64.whl", "w") as archive:
        archive.writestr(f"uv-{VERSION}.data/scripts/uv", program)
        archive.writestr(f"uv-{VERSION}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: uv\nVersion: {VERSION}\n")
        archive.writestr(f"uv-{VERSION}.dist-info/WHEEL", "Wheel-Version: 1.0\n")


def test_the_released_program_is_downloaded(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_BINARY", ":all:")
    monkeypatch.setenv("PIP_REQUIRE_HASHES", "1")
    write_wheel(index, PROGRAM)
    assert download("x86_64") == PROGRAM


def test_another_program_is_refused(index: Path) -> None:
    write_wheel(index, b"another program")
    with pytest.raises(PyimagesError) as error:
        download("x86_64")
    assert str(error.value) == message("images", "uv-differs", version=VERSION)


def test_builds_download_it_where_the_host_cannot(index: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    with Lease(tmp_path) as lease:
        program = UvProgram(FakeEngine(), lease, Listener(note=notes.append))
        assert program.digests
        program.provide(UvMissingError("x86_64", was_provided=False), "python:3.12")
    assert program.digests == {}
    assert notes[0].startswith(message("images", "uv-unavailable", version=VERSION))


def test_a_container_that_never_sees_it_gets_no_other_upload(index: Path, tmp_path: Path) -> None:
    write_wheel(index, PROGRAM)
    engine = FakeEngine()
    with Lease(tmp_path) as lease:
        program = UvProgram(engine, lease, Listener())
        program.provide(UvMissingError("x86_64", was_provided=False), "python:3.12")
        program.provide(UvMissingError("x86_64", was_provided=False), "python:3.12")  # another thread's container
        assert program.digests
        program.provide(UvMissingError("x86_64", was_provided=True), "python:3.12")
    assert program.digests == {}
    assert len([call for call in engine.calls if call.startswith("upload")]) == 1
    assert engine.containers == {}
