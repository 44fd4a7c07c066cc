"""Run a command in an environment image with the user's terminal, or with plain output."""

from __future__ import annotations

import contextlib
import io
import itertools
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from pytest_pyimages.containers import (
    BytecodeRecord,
    ContainerProcess,
    Lease,
    NotBegunError,
    Source,
    Waiting,
    encode_job,
    read_program,
    run_with_source,
)
from pytest_pyimages.engines import STDOUT, ContainerSpec, ContainerStream, Engine
from pytest_pyimages.errors import EngineError, PyimagesError
from pytest_pyimages.runs.job import Job
from pytest_pyimages.runs.run import UPPER, make_spec
from pytest_pyimages.runs.terminal import HostTerminal

FOLDER = "/opt/pyimages"  # part of every environment image
JOB = "attended.json"
FIRST_LINE = 4096  # bytes


def attend(engine: Engine, lease: Lease, source: Source, job: Job, terminal: HostTerminal | None) -> int:
    """Run the job's command to its end, remove its container, and return its exit status.

    :param terminal: the user's; None for plain output and no input.
    :raises PyimagesError: if the command could not be started.
    """

    def attempt() -> int:
        waiting = _take_waiting(engine, lease, source, job)
        if waiting is None:
            return _attend_once(engine, lease, source, job, terminal)
        try:
            described = ContainerProcess(engine, lease, source).source_job
            sent = replace(job, witness=source.choose_witnesses("overlay"), source=described)
            return _attend_in(waiting, engine, sent, terminal)
        finally:
            waiting.remove()

    return run_with_source(source, attempt)


def _take_waiting(engine: Engine, lease: Lease, source: Source, job: Job) -> Waiting | None:
    """Return the container of a suite that a watch has started ahead; None without one."""
    if source.ahead is None or job.network:
        return None
    spec = make_spec(job, lease)
    bytecode = BytecodeRecord(engine, lease, source.root, job.image).layer if source.takes_bytecode else None
    found = (source.take_ahead(engine, spec, upper, bytecode) for upper in ("", UPPER))
    return next((waiting for waiting in found if waiting is not None), None)


def _attend_in(waiting: Waiting, engine: Engine, job: Job, terminal: HostTerminal | None) -> int:
    """Run the job's command in a container whose worker goes on waiting for a job, which ends with this process.

    :raises NotBegunError: if the container is of no use.
    """
    try:
        engine.upload(waiting.container, FOLDER, _archive(encode_job(job)))
        execution = engine.open_command(
            waiting.container,
            (job.python, "-c", read_program("attendant")),
            environment=_list_variables(terminal),
            terminal=terminal is not None,
        )
    except EngineError:  # it has ended
        raise NotBegunError from None
    with contextlib.closing(execution.stream) as stream:
        try:
            frames = _await_start(stream, job.token, lambda _: NotBegunError())
        except PyimagesError:  # the container has just ended
            raise NotBegunError from None
        _show(frames, stream, terminal, partial(engine.resize_command, execution.id))
    return engine.command_status(execution.id)


def _list_variables(terminal: HostTerminal | None) -> dict[str, str]:
    return {"TERM": terminal.kind} if terminal else {}


def _show(
    frames: Iterator[tuple[int, bytes]],
    stream: ContainerStream,
    terminal: HostTerminal | None,
    resize: Callable[..., None],
) -> None:
    """Connect the command's output, and its input if there is a terminal, until it ends."""
    if terminal is None:
        _copy(frames, sys.stdout.buffer, sys.stderr.buffer)
    else:
        with terminal.attached(stream.send, lambda size: resize(**size)):
            _copy(frames, sys.stdout.buffer, sys.stdout.buffer)


def _attend_once(engine: Engine, lease: Lease, source: Source, job: Job, terminal: HostTerminal | None) -> int:
    spec = ContainerSpec(
        name=lease.new_name(),
        image=job.image,
        command=(job.python, "-c", read_program("attendant")),
        privileges=job.privileges,
        labels=lease.labels("run"),
        user="0",  # the attendant becomes the job's user
        environment={**job.start_variables, **_list_variables(terminal)},
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
            frames = _await_start(stream, job.token, process.make_not_visible_error)
            _show(frames, stream, terminal, partial(engine.resize, container))
        return engine.wait(container)


def _archive(data: bytes) -> Iterator[bytes]:
    """Yield a tar with the job's file."""
    info = tarfile.TarInfo(JOB)
    info.size, info.mode = len(data), 0o600
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(info, io.BytesIO(data))
    yield file.getvalue()


def _await_start(
    stream: ContainerStream, token: str, missing: Callable[[str], Exception]
) -> Iterator[tuple[int, bytes]]:
    """Wait for the line in which the attendant reports that the command begins; return the command's output.

    :param missing: makes the error for a file that it does not find as it is on the host.
    """
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
        raise missing(report.partition(" missing ")[2])
    if report != f"{token} ready":
        text = b"".join([first, *(data for _, data in rest)]).decode("utf-8", "replace").strip()
        raise PyimagesError(f"the command was not started: {text or 'the container ended at once'}")
    return itertools.chain([*rest, (STDOUT, output)], frames)


def _copy(frames: Iterator[tuple[int, bytes]], out: BinaryIO, err: BinaryIO) -> None:
    for channel, data in frames:
        file = out if channel == STDOUT else err
        file.write(data)
        file.flush()
