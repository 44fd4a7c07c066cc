"""The host's terminal: whether there is one, and its kind."""

from __future__ import annotations

import os
import pty
import sys
import threading
import time
from pathlib import Path

import pytest

from pytest_pyimages.runs.terminal import HostTerminal


def find_kind(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the kind of a terminal that is standard input and output."""
    controller, device = pty.openpty()
    with open(device, "r+b", buffering=0) as file, monkeypatch.context() as patch:  # noqa: PTH123 - a descriptor
        patch.setattr(sys, "stdin", file)
        patch.setattr(sys, "stdout", file)
        found = HostTerminal.find()
    os.close(controller)
    assert found is not None
    os.close(found._input)
    os.close(found._output)
    return found.kind


@pytest.mark.parametrize(("value", "kind"), [("xterm", "xterm"), ("", "dumb"), (None, "dumb")], ids=str)
def test_kind_is_never_empty(monkeypatch: pytest.MonkeyPatch, value: str | None, kind: str) -> None:
    """The container takes an empty kind for no terminal."""
    monkeypatch.delenv("TERM", raising=False)
    if value is not None:
        monkeypatch.setenv("TERM", value)
    assert find_kind(monkeypatch) == kind


def test_a_terminal_that_is_closed_while_it_is_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its end, nor restoring it, is an error: the container is still to be removed."""
    controller, device = pty.openpty()
    typed: list[bytes] = []
    with open(device, "r+b", buffering=0) as file, monkeypatch.context() as patch:  # noqa: PTH123 - a descriptor
        patch.setattr(sys, "stdin", file)
        patch.setattr(sys, "stdout", file)
        found = HostTerminal.find()
    assert found is not None
    with found.attached(typed.append, lambda _: None):
        (thread,) = (each for each in threading.enumerate() if each.name == "pyimages-terminal")
        os.write(controller, b"q")
        while not typed:
            time.sleep(0.01)
        os.close(controller)
        thread.join(60)
        assert not thread.is_alive()
    os.close(found._input)
    os.close(found._output)


def test_a_file_is_not_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "input").open("w+") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert HostTerminal.find() is None
