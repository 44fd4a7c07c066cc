"""A debugger's terminal: the suite's end and the parent's, on a real pseudo-terminal."""

from __future__ import annotations

import io
import os
import pdb  # noqa: T100 - what is replaced
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

MODULE: Any = import_module("pytest_pyimages.inside.worker.debugging")  # without annotations, for Python 2.7


class Channel:
    """Keeps what is sent; the host answers at once."""

    pid = os.getpid()

    def __init__(self) -> None:
        self.steps: list[object] = []
        self.pending = SimpleNamespace(ask=lambda: self.steps.append("ask"), wait=lambda: self.steps.append("wait"))

    def send(self, record: dict[str, Any]) -> None:
        self.steps.append(record["on"])

    def flush(self) -> None:
        self.steps.append("flush")


@pytest.fixture
def spec() -> dict[str, Any]:
    return {"terminal": "vt100", "token": "secret"}


@pytest.fixture
def terminal(spec: dict[str, Any]) -> Iterator[Any]:
    """Return the parent's end; the other end's path is in the job then."""
    terminal = MODULE.Terminal(spec)
    yield terminal
    os.close(terminal.master)
    os.close(terminal.slave)


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def debugger(terminal: Any, spec: dict[str, Any], channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("TERM", "dumb")
    debugger = MODULE.Debugger(channel, spec)
    yield debugger
    debugger.put_back()


def test_the_standard_streams_are_the_terminal_while_a_debugger_runs(
    terminal: Any, debugger: Any, channel: Channel
) -> None:
    before = [os.fstat(number).st_ino for number in range(3)]
    debugger.enter()
    debugger.enter()  # for a second breakpoint() there is nothing to do
    assert [os.isatty(number) for number in range(3)] == [True] * 3
    assert (os.environ["TERM"], os.get_terminal_size(0)) == ("vt100", os.get_terminal_size(terminal.slave))
    os.write(1, b"(Pdb) \n")
    debugger.leave()
    debugger.leave()
    assert [os.fstat(number).st_ino for number in range(3)] == before
    assert os.environ["TERM"] == "dumb"
    output, is_all = b"", False
    while not is_all:  # the kernel moves what is written in a thread of its own
        data, is_all = terminal.read() or (b"", False)
        output += data
    assert output == b"(Pdb) \r\n"
    assert terminal.read() is None
    # The host's terminal is ready before, and has all output afterwards.
    assert channel.steps == ["ask", True, "flush", "wait", "ask", "wait", False, "flush"]


def test_a_process_of_the_suite_does_not_get_the_terminal(debugger: Any, channel: Channel) -> None:
    channel.pid = -1
    debugger.enter()
    assert (debugger.former, channel.steps) == ([], [])


def test_no_terminal_was_named_before(
    terminal: Any, spec: dict[str, Any], channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TERM", raising=False)
    MODULE.Debugger(channel, spec)
    assert "TERM" not in os.environ


def test_a_debugger_begins_and_ends_with_pytest_s_capture(debugger: Any, channel: Channel) -> None:
    class Capture:
        """As pytest's manager of captures."""

        def __init__(self) -> None:
            self.calls: list[object] = []

        def suspend(self, in_: bool = False) -> None:
            self.calls.append(("suspend", in_))

        def resume_global_capture(self) -> None:
            self.calls.append("resume")

    capture = Capture()
    debugger.follow(SimpleNamespace(pluginmanager=SimpleNamespace(getplugin=lambda name: capture)))
    capture.suspend()
    assert not debugger.former  # standard input is captured still: this is no debugger
    capture.suspend(in_=True)
    assert debugger.former
    capture.suspend(in_=True)  # the debugger's own output
    capture.resume_global_capture()
    assert not debugger.former
    capture.resume_global_capture()
    assert capture.calls == [("suspend", False), ("suspend", True), "resume", "resume"]


def test_without_captures_there_is_nothing_to_follow(debugger: Any) -> None:
    debugger.follow(SimpleNamespace(pluginmanager=SimpleNamespace(getplugin=lambda name: None)))


def test_the_end_of_the_output_arrives_in_pieces(terminal: Any) -> None:
    """It is never shown, nor is what only looks like its begin lost."""
    parts = []
    for data in (b"a\0se", b"cond\0", b"secr", b"et"):
        os.write(terminal.slave, data)
        parts.append(terminal.read())
    assert parts == [(b"a", False), (b"\0second", False), (b"", False), (b"", True)]


@pytest.mark.parametrize(("is_echoed", "echo"), [(True, b"^C"), (False, b"")])
def test_an_interrupt_discards_what_was_typed_before(terminal: Any, is_echoed: bool, echo: bytes) -> None:
    import termios

    modes = termios.tcgetattr(terminal.slave)
    modes[3] = modes[3] & ~termios.ECHO | (termios.ECHO if is_echoed else 0)
    termios.tcsetattr(terminal.slave, termios.TCSANOW, modes)
    assert terminal.type(b"abc") is None
    assert terminal.type(b"def\x03ghi\n") == echo
    terminal.write()
    assert os.read(terminal.slave, 100) == b"ghi\n"
    assert terminal.typed == b""


def test_an_interrupt_is_a_byte_where_the_debugger_reads_keys(terminal: Any) -> None:
    import tty

    tty.setraw(terminal.slave)
    assert terminal.type(b"\x03") is None
    terminal.write()
    assert os.read(terminal.slave, 100) == b"\x03"


def test_what_the_debugger_does_not_read_is_typed_later(terminal: Any) -> None:
    terminal.type(b"x" * (1 << 20))
    terminal.write()
    left = len(terminal.typed)
    terminal.write()
    assert 0 < len(terminal.typed) <= left < 1 << 20


def test_the_size_is_the_host_s(terminal: Any) -> None:
    terminal.resize(40, 132)
    assert os.get_terminal_size(terminal.slave) == (132, 40)


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return what refuses debuggers with a kind of capture, and returns the calls of those that are started."""

    def refuse(capture: str) -> list[str]:
        started: list[str] = []
        monkeypatch.setattr(pdb, "set_trace", started.append)
        monkeypatch.setattr(pytest, "set_trace", started.append)
        MODULE.refuse_debugger(SimpleNamespace(option=SimpleNamespace(capture=capture)))
        return started

    return refuse


@pytest.mark.parametrize("capture", ["fd", "no"])
def test_a_debugger_without_a_terminal_is_refused(
    refuse: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, capture: str
) -> None:
    monkeypatch.setattr(sys, "stdin", sys.__stdin__)
    refuse(capture)
    for set_trace in (pdb.set_trace, pytest.set_trace):
        with pytest.raises(pytest.fail.Exception, match=r"a debugger needs a terminal: .* --py-images=IMAGE"):
            set_trace()


def test_a_test_may_give_a_debugger_its_input(
    refuse: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("c\n"))
    started: Any = refuse("no")
    set_trace: Any = pdb.set_trace
    set_trace("here")
    assert started == ["here"]
