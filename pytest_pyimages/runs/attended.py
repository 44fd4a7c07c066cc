"""Run a command in an environment image with the user's terminal, or with plain output."""

from __future__ import annotations

import io
import itertools
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from pytest_pyimages.containers import (
    ContainerProcess,
    Lease,
    Source,
    encode_job,
    read_program,
    run_with_source,
)
from pytest_pyimages.engines import STDOUT, ContainerSpec, ContainerStream, Engine
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.runs.job import Job
from pytest_pyimages.runs.terminal import HostTerminal

FOLDER = "/opt/pyimages"  # part of every environment image
JOB = "attended.json"
FIRST_LINE = 4096  # bytes


def attend(engine: Engine, lease: Lease, source: Source, job: Job, terminal: HostTerminal | None) -> int:
    """Run the job's command to its end, remove its container, and return its exit status.

    :param terminal: the user's; None for plain output and no input.
    :raises PyimagesError: if the command could not be started.
    """
    return run_with_source(source, lambda: _attend_once(engine, lease, source, job, terminal))


def _attend_once(engine: Engine, lease: Lease, source: Source, job: Job, terminal: HostTerminal | None) -> int:
    spec = ContainerSpec(
        name=lease.new_name(),
        image=job.image,
        command=(job.python, "-c", read_program("attendant")),
        privileges=job.privileges,
        labels=lease.labels("run"),
        user="0",  # the attendant becomes the job's user
        environment={**job.start_variables, **({"TERM": terminal.kind} if terminal else {})},
        terminal=terminal is not None,
        network=job.network,
        options=job.options,
    )
    process = ContainerProcess(engine, lease, source)
    with process.create(spec) as container:
        engine.upload(
            container, FOLDER, _archive(encode_job(replace(job, witness=process.witness, source=process.source_job)))
        )
        with process.start(container, terminal=terminal is not None) as stream:
            frames = _await_start(process, stream, job.token)
            if terminal is None:
                _copy(frames, sys.stdout.buffer, sys.stderr.buffer)
            else:
                with terminal.attached(stream.send, lambda size: engine.resize(container, **size)):
                    _copy(frames, sys.stdout.buffer, sys.stdout.buffer)
        return engine.wait(container)


def _archive(data: bytes) -> Iterator[bytes]:
    """Yield a tar with the job's file."""
    info = tarfile.TarInfo(JOB)
    info.size, info.mode = len(data), 0o600
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(info, io.BytesIO(data))
    yield file.getvalue()


def _await_start(process: ContainerProcess, stream: ContainerStream, token: str) -> Iterator[tuple[int, bytes]]:
    """Wait for the line in which the attendant reports that the command begins; return the command's output."""
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
    report = line.decode("utf-8", "replace").strip()
    if report.startswith(f"{token} missing "):
        raise process.missing_source(report.partition(" missing ")[2])
    if report != f"{token} ready":
        text = b"".join([first, *(data for _, data in rest)]).decode("utf-8", "replace").strip()
        raise PyimagesError(f"the command was not started: {text or 'the container ended at once'}")
    return itertools.chain([*rest, (STDOUT, output)], frames)


def _copy(frames: Iterator[tuple[int, bytes]], out: BinaryIO, err: BinaryIO) -> None:
    for channel, data in frames:
        file = out if channel == STDOUT else err
        file.write(data)
        file.flush()
