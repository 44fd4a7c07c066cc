"""Kinds of engines for the tests: the command line, and what each is started with."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tools.engines import __main__ as engines
from tools.engines.kinds import Kind
from tools.engines.root import AS_USER, ENTER, enter, enter_as_user
from tools.standins.state import StandinError


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the kinds that were stopped; there are three of them, and the second cannot be started."""
    names: list[str] = []

    def make(name: str) -> Kind:
        @contextlib.contextmanager
        def start(tags: Sequence[str]) -> Iterator[str]:
            assert tags == ["3.12"]
            if name == "broken":
                raise StandinError("broken: does not start")
            try:
                yield f"unix:///{name}.sock"
            finally:
                names.append(name)

        return Kind(name=name, summary=f"the {name} one", start=start)

    monkeypatch.setattr(engines, "KINDS", {name: make(name) for name in ("good", "broken", "other")})
    monkeypatch.setattr(engines, "ensure_engine", lambda: "unix:///own.sock")
    monkeypatch.setattr(engines, "ensure_images", lambda _url, _tags: None)
    monkeypatch.setattr(engines, "describe", lambda url: f"Engine at {url}")
    return names


def run(*arguments: str, code: str) -> int:
    return engines.main([*arguments, "--images=3.12", "--", sys.executable, "-c", f"import os, sys; {code}"])


def test_each_kind_runs_the_program(ended: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = "sys.exit(3 * ('other' in os.environ['DOCKER_HOST']))"
    assert run("--only=good", "--only=other", code=code) == 1
    assert ended == ["good", "other"]
    rows = [line.split(maxsplit=4) for line in capsys.readouterr().out.splitlines() if line]
    assert [row[:4] for row in rows] == [[name, "Engine", "at", f"unix:///{name}.sock"] for name in ended]
    assert [row[4].rpartition(",")[0] for row in rows] == ["passed", "exit status 3"]


def test_a_kind_that_does_not_start_is_a_failure(ended: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(code="pass") == 1
    assert ended == ["good"]
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1] == "standins: broken: does not start"


def test_command_that_enters_a_root(tmp_path: Path) -> None:
    for script in (ENTER, AS_USER):
        subprocess.run(["sh", "-n", "-c", script], check=True)
    command = enter(tmp_path, Path("/run/x"))
    assert command[-4:] == (ENTER, str(tmp_path), "/run/x", "--")
    as_user = enter_as_user(tmp_path, Path("/run/x"))
    assert as_user[: len(command) + 4] == ("unshare", "--pid", "--fork", "--kill-child", *command)
