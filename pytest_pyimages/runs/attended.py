"""Run a command in an environment image with the user's terminal, or with plain output."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pytest_pyimages.containers import (
    ContainerProcess,
    Lease,
    Source,
    SourceNotVisibleError,
    encode_job,
    run_with_source,
)
from pytest_pyimages.engines import STDOUT, ContainerSpec, ContainerStream, Engine
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.runs.job import Job, read_program
from pytest_pyimages.runs.run import NO_GIT_OWNER_CHECK
from pytest_pyimages.runs.terminal import HostTerminal

FOLDER = "/opt/pyimages"  # part of every environment image
JOB = "attended.json"
FIRST_LINE = 4096  # bytes


def attend(engine: Engine, lease: Lease, source: Source, job: Job, terminal: HostTerminal | None) -> int:
    """Run the command to its end, remove its container, and return its exit status.

    :param terminal: where it is shown and typed to; None for plain output and no input.
    :raises PyimagesError: if it could not be started.
    """
    return run_with_source(source, lambda: _attend_once(engine, lease, source, job, terminal))


def _attend_once(engine: Engine, lease: Lease, source: Source, job: Job, terminal: HostTerminal | None) -> int:
    spec = ContainerSpec(
        name=lease.new_name(),
        image=job.image,
        command=(job.python, "-c", read_program("attendant")),
        labels=lease.labels("run"),
        environment={**NO_GIT_OWNER_CHECK, **({"TERM": terminal.kind} if terminal else {})},
        terminal=terminal is not None,
    )
    process = ContainerProcess(engine, lease, source)
    with process.create(spec) as container:
        engine.upload(container, FOLDER, _archive(encode_job(job)))
        with process.start(container, terminal=terminal is not None) as stream:
            frames = _checked(stream, job.token)
            if terminal is None:
                _show(frames, sys.stdout.buffer, sys.stderr.buffer)
            else:
                with terminal.attached(stream.send, lambda size: engine.resize(container, **size)):
                    _show(frames, sys.stdout.buffer, sys.stdout.buffer)
        return engine.wait(container)


def _archive(data: bytes) -> Iterator[bytes]:
    info = tarfile.TarInfo(JOB)
    info.size, info.mode = len(data), 0o600
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(info, io.BytesIO(data))
    yield file.getvalue()


def _checked(stream: ContainerStream, token: str) -> Iterator[tuple[int, bytes]]:
    """Yield what the command prints, once its first process has said that the source is there."""
    frames = stream.frames()
    first, rest = b"", []
    for channel, data in frames:
        if channel != STDOUT:
            rest.append((channel, data))
            continue
        first += data
        if b"\n" in first or len(first) > FIRST_LINE:
            break
    line, _, output = first.partition(b"\n")
    said = line.decode("utf-8", "replace").strip()
    if said.startswith(f"{token} missing "):
        raise SourceNotVisibleError.of_file(said.partition(" missing ")[2])
    if said != f"{token} ready":
        told = b"".join([first, *(data for _, data in rest)]).decode("utf-8", "replace").strip()
        raise PyimagesError(f"the command was not started: {told or 'the container ended at once'}")
    return _then([*rest, (STDOUT, output)], frames)


def _then(begun: Sequence[tuple[int, bytes]], frames: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    yield from begun
    yield from frames


def _show(frames: Iterator[tuple[int, bytes]], out: BinaryIO, err: BinaryIO) -> None:
    for channel, data in frames:
        file = out if channel == STDOUT else err
        file.write(data)
        file.flush()
