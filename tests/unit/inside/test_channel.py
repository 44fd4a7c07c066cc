"""Records arrive whole and in order, whatever a test does to the process."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

MODULE: Any = import_module("pytest_pyimages.inside.worker.channel")  # without annotations, for Python 2.7


class Wire:
    """A channel, and the parent's end of its pipe."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.pending = MODULE.Pending()
        self.channel = MODULE.Channel(os.dup(self.write), self.write, "secret", self.pending)
        self.channel.parent = os.getpid()  # which holds the pipe

    def receive(self) -> list[dict[str, Any]]:
        """Return the records that were written, without those that are pending."""
        os.set_blocking(self.read, False)
        lines = os.read(self.read, 1 << 20).splitlines()
        assert [line.split(b" ")[:2] for line in lines] == [
            [b"secret", b"%d" % number] for number in range(1, len(lines) + 1)
        ]
        return [json.loads(line.split(b" ", 2)[2].rpartition(b" ")[0]) for line in lines]


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    for number in (wire.read, wire.write, wire.channel.fd):
        os.close(number)


def test_records_are_in_shared_memory_until_they_are_written(wire: Wire) -> None:
    wire.channel.send({"t": "a"})
    wire.channel.run(7)
    data, running = wire.pending.peek()
    assert (data.count(b"\n"), running) == (1, 7)
    wire.channel.end(0, 2, "stopped")
    assert wire.receive() == [{"t": "a"}, {"t": "end", "status": 0, "unrun": 2, "reason": "stopped"}]
    assert wire.pending.peek()[0] == b""
    wire.channel.send({"t": "late"})  # by a thread that outlives the session
    wire.channel.flush()
    with pytest.raises(BlockingIOError):
        wire.receive()


def test_a_forked_test_sends_nothing(wire: Wire) -> None:
    wire.channel.pid = -1
    wire.channel.send({"t": "a"})
    wire.channel.run(7)
    wire.channel.flush()
    assert wire.pending.peek() == (b"", -1)


@pytest.mark.parametrize("is_reused", [True, False])
def test_a_test_closes_the_descriptor(wire: Wire, is_reused: bool) -> None:
    closed = wire.channel.fd
    os.close(closed)
    if is_reused:
        other = os.open(os.devnull, os.O_WRONLY)
        os.dup2(other, closed)
        os.close(other)
    wire.channel.send({"t": "a"})
    wire.channel.flush()
    assert wire.receive() == [{"t": "a"}]
    assert wire.channel.fd >= MODULE.HIGH_FD
    if is_reused:
        os.close(closed)


def test_large_records_wait_for_the_parent(wire: Wire) -> None:
    """A pipe that does not block is full long before; what is pending comes first."""
    os.set_blocking(wire.write, False)
    received: list[bytes] = []

    def read() -> None:
        while not b"".join(received[-1:]).endswith(b"end\n"):
            received.append(os.read(wire.read, 1 << 16))

    reader = threading.Thread(target=read)
    wire.channel.send({"t": "small"})
    reader.start()
    wire.channel.send({"t": "large", "text": "x" * (4 * MODULE.PENDING_BYTES)})
    os.set_blocking(wire.write, True)
    os.write(wire.write, b"end\n")
    reader.join(60)
    first, second, _ = b"".join(received).splitlines()
    assert b'"small"' in first
    assert len(second) > 4 * MODULE.PENDING_BYTES


def test_an_error_of_the_pipe_is_one(wire: Wire) -> None:
    read, write = os.pipe()
    os.close(read)
    os.dup2(write, wire.channel.fd)
    os.dup2(write, wire.write)
    os.close(write)
    wire.channel._use(os.dup(wire.write))
    wire.channel.send({"t": "a"})
    with pytest.raises(BrokenPipeError):
        wire.channel.flush()
