"""uv from the cache volume: for the C library of the running Python, and started before it is believed."""

from __future__ import annotations

import os
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PROGRAMS: Any = import_module("pytest_pyimages.inside.installer.programs")  # without annotations, for Python 2.7
GOOD, BROKEN, FOREIGN = "#!/bin/sh\necho uv 1.0\n", "#!/bin/sh\nexit 1\n", "\x7fELF of another machine"
JOB = {"uv": {}, "needs_pip": False}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the cache volume; packages come from the folder ``index`` in it."""
    monkeypatch.setattr(PROGRAMS, "CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path


def offer(cache: Path, program: str) -> None:
    """Let the index have a uv with this program."""
    with zipfile.ZipFile(cache / "index" / "uv-1.0-py3-none-any.whl", "w") as wheel:
        entry = zipfile.ZipInfo("uv-1.0.data/scripts/uv")
        entry.external_attr = 0o100755 << 16
        wheel.writestr(entry, program)
        wheel.writestr("uv-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 1.0\n")
        wheel.writestr("uv-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("uv-1.0.dist-info/RECORD", "")


def find_uv() -> str | None:
    path: str | None = PROGRAMS.find_uv(JOB, dict(os.environ))
    return path


@pytest.mark.parametrize("program", [BROKEN, FOREIGN], ids=["fails", "for another machine"])
def test_a_program_that_does_not_start_is_not_kept(cache: Path, program: str) -> None:
    """So that the image's pip installs, and a later build is not broken."""
    offer(cache, program)
    assert find_uv() is None
    assert not list(cache.glob("uv-bin*"))
    offer(cache, GOOD)
    assert find_uv() == f"{cache}/uv-bin-{os.uname().machine}-gnu/bin/uv"


def test_a_damaged_program_is_replaced(cache: Path) -> None:
    offer(cache, GOOD)
    path = find_uv()
    assert path
    Path(path).write_text(FOREIGN)
    assert find_uv() == path
    assert Path(path).read_text() == GOOD


def test_the_host_s_program_is_started_as_well(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = os.uname().machine
    monkeypatch.setattr(PROGRAMS, "UV", str(cache))
    job = {"uv": {machine: "digest"}, "needs_pip": False}
    for program, expected in ((FOREIGN, None), (GOOD, f"{cache}/uv-{machine}")):
        path = cache / f"uv-{machine}"
        path.write_text(program)
        path.chmod(0o755)
        assert PROGRAMS.find_uv(job, dict(os.environ)) == expected


@pytest.mark.parametrize(
    ("mapped", "expected"),
    [
        ("/lib/ld-musl-x86_64.so.1", "musl"),
        ("/usr/lib/ld-musl-aarch64.so.1", "musl"),
        ("/lib/libc.musl-x86_64.so.1", "musl"),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "gnu"),
        ("/opt/musl-tools/bin/python3", "gnu"),
    ],
)
def test_the_running_python_decides_the_c_library(tmp_path: Path, mapped: str, expected: str) -> None:
    maps = tmp_path / "maps"
    maps.write_text(f"7f00-7f01 r--p 00000000 00:1f 42    {mapped}\n")
    assert PROGRAMS.find_libc(str(maps)) == expected
    assert PROGRAMS.find_libc() == "gnu"


@pytest.mark.parametrize(
    ("python", "own", "job", "requirement"),
    [
        ((3, 12), (25, 0), {"needs_pip": True}, ""),
        ((3, 12), (23, 2), {"needs_pip": True}, "pip"),
        ((3, 12), (20, 2), {}, ""),
        ((3, 6), (18, 1), {"folders": [["/wheels", []]]}, "pip==21.3.1"),
        ((3, 6), (18, 1), {}, ""),
        ((3, 6), (21, 0), {"files": {"sources/pip-constraints.txt": ""}}, "pip==21.3.1"),
        ((2, 7), (20, 0), {"folders": [["/wheels", []]]}, "pip==20.3.4"),
    ],
    ids=["new enough", "editable options", "old and fast", "folder", "index", "addresses", "Python 2"],
)
def test_the_image_s_pip_is_used_unless_it_is_too_old(
    monkeypatch: pytest.MonkeyPatch,
    python: tuple[int, int],
    own: tuple[int, int],
    job: dict[str, Any],
    requirement: str,
) -> None:
    fetched: list[str] = []

    def fetch(requirement: str, folder: str, program: str, environment: dict[str, str]) -> str:
        fetched.append(requirement)
        return f"{folder}/{program}"

    monkeypatch.setattr(PROGRAMS, "fetch", fetch)
    monkeypatch.setattr(PROGRAMS, "read_pip_version", lambda: own)
    monkeypatch.setattr(PROGRAMS, "sys", SimpleNamespace(version_info=(*python, 0)))
    environment: dict[str, str] = {}
    arguments = PROGRAMS.find_pip({"needs_pip": False, "folders": [], "files": {}, **job}, environment)
    assert fetched == [requirement] * bool(requirement)
    assert (arguments == ["-m", "pip"]) is not bool(requirement)
    assert environment == ({"PIP_USE_FEATURE": "2020-resolver"} if python[0] == 2 else {})


def test_the_newest_pip_is_kept_for_later_builds(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PROGRAMS, "read_pip_version", lambda: (20, 0))
    job = {"needs_pip": True, "folders": [], "files": {}}
    assert PROGRAMS.find_pip(job, dict(os.environ)) == ["-m", "pip"]  # the index has none
    with zipfile.ZipFile(cache / "index" / "pip-99-py3-none-any.whl", "w") as wheel:
        wheel.writestr("pip/__main__.py", "")
        wheel.writestr("pip-99.dist-info/METADATA", "Metadata-Version: 2.1\nName: pip\nVersion: 99\n")
        wheel.writestr("pip-99.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("pip-99.dist-info/RECORD", "")
    folder = f"{cache}/pip-for-{sys.version_info[0]}.{sys.version_info[1]}/pip"
    for _ in range(2):
        assert PROGRAMS.find_pip(job, {**os.environ, "PIP_NO_BINARY": ":all:"}) == [folder]
        (cache / "index" / "pip-99-py3-none-any.whl").unlink(missing_ok=True)


def test_the_c_library_without_a_process_table(tmp_path: Path) -> None:
    assert PROGRAMS.find_libc(str(tmp_path / "absent")) == "gnu"


@pytest.mark.parametrize(("text", "version"), [("23.2.1", (23, 2)), ("24.1b1", (24, 1)), ("25.0.dev0", (25, 0))])
def test_the_image_s_pip_may_be_a_prerelease(
    monkeypatch: pytest.MonkeyPatch, text: str, version: tuple[int, int]
) -> None:
    monkeypatch.setattr("pip.__version__", text)
    assert PROGRAMS.read_pip_version() == version
