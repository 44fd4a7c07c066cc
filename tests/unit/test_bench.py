"""The engine of the benchmarks that sends a recorded stream again."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from pytest_pyimages.engines.frames import read_frames
from tools.bench.clock import NotMeasuredError
from tools.bench.replaying import read_stream

LINES = b"aaaaaaaa 1 {} 00000000\naaaaaaaa 2 aaaaaaaa 11111111\n"


def frame(channel: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", channel, len(data)) + data


def write(folder: Path, number: int, request: bytes, answer: bytes, sent: bytes = b"") -> None:
    (folder / f"{number}.sent").write_bytes(b"POST %s HTTP/1.1\r\nHost: localhost\r\n\r\n%s" % (request, sent))
    (folder / f"{number}.answered").write_bytes(b"HTTP/1.1 101 UPGRADED\r\n\r\n" + answer)


def test_frames_of_another_run_differ_in_the_token_only(tmp_path: Path) -> None:
    frames = frame(1, LINES[:30]), frame(2, b"aaaaaaaa 1\n"), frame(1, LINES[30:])
    job = json.dumps({"token": "aaaaaaaa"}).encode() + b"\nacknowledged\n"
    write(tmp_path, 1, b"/v1.41/containers/probe/attach?stdin=1", frame(1, b"{}\n"), b"\n")
    write(tmp_path, 2, b"/v1.41/containers/suite/attach?stdin=1", b"".join(frames), job)
    write(tmp_path, 3, b"/v1.41/containers/suite/wait", b"x" * 1000)
    sent = b"".join(read_stream(tmp_path).make_frames(b"bbbbbbbb"))
    assert len(sent) == sum(map(len, frames))
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        position += size
        return sent[position - size : position]

    assert [*read_frames(read)] == [
        (1, b"bbbbbbbb 1 {} 00000000\nbbbbbbb"),
        (2, b"aaaaaaaa 1\n"),
        (1, b"b 2 aaaaaaaa 11111111\n"),
    ]


def test_record_without_a_container_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotMeasuredError, match="no container"):
        read_stream(tmp_path)
