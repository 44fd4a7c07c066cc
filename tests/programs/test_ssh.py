"""An engine on another host: the ssh program is all that is needed for it."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from pytest_pyimages.engines import connect
from pytest_pyimages.errors import ConfigurationError, NoAnswerError
from tests.support.processes import count_descriptors
from tests.support.scripted_engine import Request, answer, frame, scripted_engine

# As ``docker system dial-stdio``: records its arguments, and connects its standard streams with a socket.
SSH = """#!{python}
import os, socket, sys, threading

with open({record!r}, "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
engine = socket.socket(socket.AF_UNIX)
engine.connect({path!r})

def send():
    while True:
        data = os.read(0, 65536)
        if not data:
            os._exit(0)
        engine.sendall(data)

threading.Thread(target=send, daemon=True).start()
while True:
    data = engine.recv(65536)
    if not data:
        break
    os.write(1, data)
"""
UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


def install_ssh(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ssh").write_text(text)
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def greet(_: Request, peer: socket.socket) -> None:
    peer.sendall(UPGRADED + frame(1, b"early"))
    peer.sendall(frame(1, b"late"))
    peer.recv(1)


def test_engine_is_reached_without_further_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "record"
    with scripted_engine(tmp_path) as scripted:
        path = scripted.url.removeprefix("unix://")
        install_ssh(tmp_path, SSH.format(python=sys.executable, record=str(record), path=path), monkeypatch)
        scripted.answers |= {
            "GET /info": answer(200, {"NCPU": 3}),
            "POST /containers/x/attach": greet,
        }
        before = count_descriptors()
        with closing(connect("ssh://me@box:2222")) as engine:
            assert engine.info.endpoint == "ssh://me@box:2222"
            assert engine.processors() == 3
            with closing(engine.attach("x", silence=1.0)) as stream:
                received: list[bytes] = []
                with pytest.raises(NoAnswerError, match="no sign of life"):
                    received += (data for _, data in stream.frames())
    assert received == [b"early", b"late"]
    assert set(record.read_text().splitlines()) == {"-l me -p 2222 -- box docker system dial-stdio"}
    deadline = time.monotonic() + 60
    while count_descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert count_descriptors() <= before


def test_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="ssh is not installed"):
        connect("ssh://box")


def test_program_that_cannot_connect_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_ssh(tmp_path, f"#!{sys.executable}\nraise SystemExit(255)\n", monkeypatch)
    with pytest.raises(ConfigurationError, match=r"ssh: .*check that `ssh` connects"):
        connect("ssh://box")
