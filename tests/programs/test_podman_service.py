"""The service of Podman that a session starts where no engine has a socket; a stand-in takes the program's place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pyimages.engines import docker, endpoint, podman
from pytest_pyimages.engines.docker import connect
from pytest_pyimages.errors import ConfigurationError
from tests.support.golden import message
from tests.support.scripted_engine import VERSION, answer

PODMAN = VERSION | {"Version": "4.3.1", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}
SERVICE = f"""#!{sys.executable}
import os, signal, socket, sys
command, address = sys.argv[1:-1], sys.argv[-1]
assert command == ["system", "service", "--time=0"], command
assert sys.stdin.read() == ""
assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
with open(os.environ["PID_FILE"], "w") as file:
    file.write(str(os.getpid()))
server = socket.socket(socket.AF_UNIX)
server.bind(address[len("unix://"):])
server.listen()
os.chmod(address[len("unix://"):], 0o700)
while True:
    peer, _ = server.accept()
    if peer.recv(65536):
        peer.sendall({answer(200, PODMAN)!r})
    peer.close()
"""
SESSION = """
import sys, time
from pytest_pyimages.engines import endpoint
from pytest_pyimages.engines.docker import connect
endpoint.DEFAULT_SOCKET = endpoint.PODMAN_SOCKET = sys.argv[1]
engine = connect()
print(engine.info, flush=True)
time.sleep(60)
"""
Install = Callable[[str], Path]


@pytest.fixture
def run_folder() -> Iterator[Path]:
    """A folder for sockets, whose paths are limited to 107 bytes (unix(7)); those of ``tmp_path`` can be too long."""
    with tempfile.TemporaryDirectory(prefix="pyimages-") as folder:
        yield Path(folder)


@pytest.fixture
def install(tmp_path: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a program as ``podman``, on a host without the socket of any engine."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    folders = {"HOME": str(tmp_path / "home"), "DOCKER_CONFIG": str(tmp_path / "home")}
    for name, folder in {**folders, "XDG_RUNTIME_DIR": str(run_folder), "TMPDIR": str(run_folder)}.items():
        monkeypatch.setenv(name, folder)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("PID_FILE", str(tmp_path / "pid"))
    monkeypatch.setattr(endpoint, "DEFAULT_SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setattr(endpoint, "PODMAN_SOCKET", str(tmp_path / "none.sock"))

    def write(text: str) -> Path:
        program = tmp_path / "bin" / "podman"
        program.parent.mkdir()
        program.write_text(text)
        program.chmod(0o755)
        return program

    return write


def list_left(tmp_path: Path, run_folder: Path) -> list[str]:
    """Return what is left of a service a moment after its end: its folder, and its process."""
    deadline = time.monotonic() + 60
    while True:
        left = [path.name for path in run_folder.iterdir()]
        pid_file = tmp_path / "pid"
        if pid_file.exists() and Path(f"/proc/{pid_file.read_text()}/cmdline").exists():
            left += Path(f"/proc/{pid_file.read_text()}/cmdline").read_text().split("\0")[:2]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def test_service_ends_with_the_session(install: Install, tmp_path: Path, run_folder: Path) -> None:
    install(SERVICE)
    first, second = connect(), connect()
    socket = run_folder / f"pyimages-podman-{os.getuid()}-0" / "podman.sock"
    assert str(first.info) == f"podman 4.3.1 at unix://{socket} (started for this session)"
    assert second.info.endpoint.endswith("-1/podman.sock")
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    assert socket.stat().st_mode & 0o777 == 0o660
    first.close()
    second.close()
    first.close()
    assert list_left(tmp_path, run_folder) == []
    third = connect()
    assert third.info == first.info
    third.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_service_ends_with_a_session_that_is_killed(
    install: Install, tmp_path: Path, run_folder: Path, number: int
) -> None:
    install(SERVICE)
    command = [sys.executable, "-c", SESSION, str(tmp_path / "none.sock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as session:
        assert session.stdout is not None
        assert "podman 4.3.1" in session.stdout.readline()
        assert list(run_folder.iterdir()) != []
        session.send_signal(number)
    assert list_left(tmp_path, run_folder) == []


def test_service_that_ends_at_once(install: Install, tmp_path: Path, run_folder: Path) -> None:
    program = install("#!/bin/sh\necho starting\necho 'Error: no \033[1msubuid ranges' >&2\nexit 125\n")
    with pytest.raises(ConfigurationError) as caught:
        connect()
    assert str(caught.value) == message("engines", "podman-ended", program=program)
    assert list_left(tmp_path, run_folder) == []


def test_service_that_does_not_listen(
    install: Install, tmp_path: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It also ignores the request to end."""
    monkeypatch.setattr(podman, "START_SECONDS", 0.5)
    monkeypatch.setattr(podman, "STOP_SECONDS", 0.2)
    program = install("#!/bin/sh\ntrap '' TERM\necho $$ >\"$PID_FILE\"\nwhile :; do sleep 0.1; done\n")
    with pytest.raises(ConfigurationError) as caught:
        connect()
    assert str(caught.value) == message("engines", "podman-late", program=program)
    assert list_left(tmp_path, run_folder) == []


def test_service_that_is_no_engine(install: Install, tmp_path: Path, run_folder: Path) -> None:
    install(SERVICE.replace("Version", "Verse"))
    with pytest.raises(ConfigurationError, match="no container engine answers"):
        connect()
    assert list_left(tmp_path, run_folder) == []


@pytest.mark.parametrize("where", ["argument", "variable", "socket", "system"])
def test_an_engine_that_is_named_or_there_is_used(
    install: Install, tmp_path: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    install(SERVICE)
    url = f"unix://{tmp_path}/other.sock"
    if where == "variable":
        monkeypatch.setenv("DOCKER_HOST", url)
    elif where == "socket":  # of an engine that does not run
        (tmp_path / "none.sock").touch()
    elif where == "system":
        monkeypatch.setattr(docker, "find_podman", lambda environ: podman.find_podman(environ, "darwin"))
    with pytest.raises(ConfigurationError, match="no container engine answers"):
        connect(url if where == "argument" else "")
    assert list(run_folder.iterdir()) == []
