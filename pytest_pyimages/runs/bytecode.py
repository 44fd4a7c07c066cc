"""Keep the bytecode of the project's modules for later runs, if compiling them takes the suite a noticeable time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import field, replace
from typing import Any, ParamSpec

from pytest_pyimages.containers import (
    BYTECODE_TARGET,
    HOST_ONLY,
    LONG_SECONDS,
    NO_SOURCE,
    BytecodeLayer,
    BytecodeRecord,
    ContainerProcess,
    Lease,
    Source,
    SourceNotVisibleError,
    describe_modules,
    find_unused_bytecode,
    read_program,
    remove_bytecode,
)
from pytest_pyimages.engines import STDOUT, ContainerOptions, ContainerSpec, Engine
from pytest_pyimages.errors import ConnectionLostError, EngineError, NoAnswerError, PyimagesError
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.runs.events import Collected, Compiled, Event, Hello

P = ParamSpec("P")
OLD_TARGET = "/opt/pyimages/bytecode-before"
SILENT_SECONDS = 180.0  # that the program may take
MOST_OUTPUT = 16 << 20  # bytes
MOST_NAMES = 20_000


class BytecodeJob(Immutable):
    """How pytest compiles the modules of the project."""

    python: str = field(metadata=HOST_ONLY)  # absolute path of the interpreter in the image
    options: ContainerOptions = field(metadata=HOST_ONLY)  # of the suite's container
    skip: tuple[str, ...] = tuple(sorted(NO_SOURCE))  # names of folders without modules
    seconds: float = LONG_SECONDS  # of a collection, after which the worker names the bytecode that it has left


class Bytecode:
    """The bytecode for one run.

    :param job: None if the run neither uses nor measures it.
    """

    def __init__(self, engine: Engine, lease: Lease, source: Source, image: str, job: BytecodeJob | None) -> None:
        self._engine = engine
        self._lease = lease
        self._source = source
        self._image = image
        self._job = job
        self.say: Callable[[str], None] = lambda _: None  # shows what the run waits for, and an empty text
        self._record: BytecodeRecord | None = None
        self._compiling: ContainerProcess | None = None
        self._stopped = threading.Event()
        self._began: float | None = None  # of the collection
        self._names: list[str] = []  # of the files that it has left

    def run(self, process: ContainerProcess, attempt: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the attempt with the bytecode that there is; call it again without if the engine cannot mount it.

        :param process: what the attempt runs.
        """
        process.bytecode = self._prepare()
        try:
            attempt(*args, **kwargs)
        except SourceNotVisibleError:
            if process.bytecode is None or self._record is None:
                raise
            self._record.give_up(process.bytecode)
            process.bytecode = None
            attempt(*args, **kwargs)

    def measure(self, event: Event) -> bool:
        """Note when the collection begins and ends; return whether the event is for this only."""
        if isinstance(event, Hello):
            self._began = time.monotonic()
        elif isinstance(event, Compiled):
            self._names += event.paths[: MOST_NAMES - len(self._names)]
        elif isinstance(event, Collected) and self._began is not None and self._record is not None:
            self._record.add_collection(time.monotonic() - self._began, self._names)
        return isinstance(event, Compiled)

    @property
    def request(self) -> BytecodeJob | None:
        """What the worker gets: after which collection to name its bytecode; None if the names are of no use."""
        limit = None if self._record is None else self._record.limit
        return None if self._job is None or limit is None else replace(self._job, seconds=limit)

    def kill(self) -> None:
        """End the program that compiles, if it runs."""
        self._stopped.set()
        if self._compiling is not None:
            self._compiling.kill()

    def _prepare(self) -> BytecodeLayer | None:
        job = self._job
        if job is None or not self._source.takes_bytecode:
            return None
        self._record = record = BytecodeRecord(self._engine, self._lease, self._source.root, self._image)
        if not self._stopped.is_set() and record.is_due():
            self.say("compiling the project's modules")
            try:
                with record.hold(self._stopped.is_set):
                    if record.is_due():
                        self._compile(job, record)
            except PyimagesError as error:  # also of an image without pytest: the suite compiles by itself
                if not self._stopped.is_set() and not isinstance(error, ConnectionLostError | NoAnswerError):
                    record.replace(None)
            finally:
                self.say("")
        return record.layer

    def _compile(self, job: BytecodeJob, record: BytecodeRecord) -> None:
        """Fill a new volume."""
        process = self._compiling = ContainerProcess(self._engine, self._lease, self._source)
        if self._stopped.is_set():  # before there was a process to kill
            return
        old, modules, began = record.old_layer, describe_modules(self._source.root).digest, time.time()
        if old is None:
            remove_bytecode(self._engine, self._lease, find_unused_bytecode(self._engine, self._lease))
        layer = record.create_volume()
        try:
            found = self._run_program(process, job, layer, old, record.names)
            timed = began if found["is_timed"] else None
            record.replace(layer, found["folders"], compiled=found["compiled"], modules=modules, began=timed)
        except BaseException:
            with suppress(EngineError):
                self._engine.remove_volume(layer.volume)
            raise

    def _run_program(
        self,
        process: ContainerProcess,
        job: BytecodeJob,
        layer: BytecodeLayer,
        old: BytecodeLayer | None,
        names: list[str],
    ) -> dict[str, Any]:
        """Run the program; return its result.

        :param names: the files to write.
        :raises PyimagesError: if it fails.
        """
        mounts = [layer.writable_mount, *([old.mount._replace(target=OLD_TARGET)] if old is not None else [])]
        spec = ContainerSpec(
            name=self._lease.new_name(),
            image=self._image,
            # Without variables, and without folders that are not the image's: nothing of the project is imported.
            command=(job.python, "-I", "-S", "-c", read_program("bytecode")),
            labels=self._lease.labels("source"),
            user="0",
            network="none",
            mounts=tuple(mounts),
            options=ContainerOptions(memory=job.options.memory, cpus=job.options.cpus),
        )
        line = json.dumps(
            {
                "root": str(self._source.root),
                "target": f"{BYTECODE_TARGET}/tree",
                "old": f"{OLD_TARGET}/tree" if old is not None else "",
                "names": names,
                "skip": job.skip,
                "hidden": self._source.hidden.paths,
            }
        )
        with process.create(spec) as container:
            with process.start(container, silence=SILENT_SECONDS) as stream:
                with suppress(EngineError):  # it has ended already; its exit status is read below
                    stream.send(line.encode("ascii") + b"\n")
                output = _read_output(stream.frames())
            if self._engine.wait(container):
                raise EngineError("compiling has failed")
        return _decode(output)


def _read_output(frames: Iterable[tuple[int, bytes]]) -> bytes:
    output = b""
    for channel, data in frames:
        output += data if channel == STDOUT else b""
        if len(output) > MOST_OUTPUT:
            raise EngineError("the program that compiles has printed too much")
    return output


def _decode(output: bytes) -> dict[str, Any]:
    """Return the checked result of the program.

    :raises EngineError: if it is none.
    """
    problem = "the program that compiles has printed something else"
    try:
        found = json.loads(output)
        folders, compiled, is_timed = found["folders"], found["compiled"], found["is_timed"]
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(problem) from error
    if not (isinstance(folders, list) and all(isinstance(path, str) for path in folders)):
        raise EngineError(problem)
    if type(compiled) is not int or type(is_timed) is not bool:
        raise EngineError(problem)
    return {"folders": folders, "compiled": compiled, "is_timed": is_timed}
