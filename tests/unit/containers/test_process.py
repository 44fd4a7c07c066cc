"""The lifecycle of a container, with an engine that records its calls and fails where a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.process import (
    ContainerProcess,
    NotBegunError,
    SourceNotVisibleError,
    StoppedError,
    run_with_source,
)
from pytest_pyimages.containers.source import Source
from pytest_pyimages.containers.source_copy import COPY_TARGET
from pytest_pyimages.engines.base import STDOUT, ContainerOptions, ContainerSpec, Mount
from pytest_pyimages.errors import ConnectionLostError, EngineError, ImageNotFound, PyimagesError
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message

REFUSED = EngineError('error while mounting volume "/volumes/x": overlay: invalid argument')
LIFECYCLE = ["volume", "volume", "volume", "create", "attach", "start", "close", "remove", *["remove volume"] * 3]


class Stream:
    """Records when it is closed, and what is sent."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.sent = b""
        self.closed = threading.Event()

    def frames(self) -> Iterator[tuple[int, bytes]]:
        yield STDOUT, b"output"

    def send(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.calls.append("close")
        self.closed.set()


class RecordingEngine(FakeEngine):
    """Records the lifecycle; the call that a test names raises an error."""

    def __init__(self, **errors: EngineError) -> None:
        super().__init__()
        self.lifecycle: list[str] = []
        self.errors = errors
        self.specs: list[ContainerSpec] = []
        self.stream = Stream(self.lifecycle)
        self.killed = threading.Event()

    def record(self, call: str) -> None:
        self.lifecycle.append(call)
        if call in self.errors:
            raise self.errors[call]

    def create_container(self, spec: ContainerSpec) -> str:
        self.specs.append(spec)
        self.record("create")
        return "container"

    def attach(self, container: str, *, terminal: bool = False, silence: float | None = None) -> Stream:  # type: ignore[override]
        self.record("attach terminal" if terminal else "attach")
        return self.stream

    def start(self, container: str) -> None:
        self.record("start")

    def kill(self, container: str) -> None:
        self.killed.set()
        self.record("kill")

    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        self.record(f"upload {path}")

    def remove_container(self, container: str, *, wait: bool = True) -> None:
        self.lifecycle.append("remove" if wait else "leave")

    def create_volume(self, name: str, *, labels: object, options: object) -> str:
        self.record("volume")
        return "/volume"

    def remove_volume(self, name: str) -> None:
        self.lifecycle.append("remove volume")


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    return Lease(tmp_path)


def spec(*mounts: Mount) -> ContainerSpec:
    return ContainerSpec(name="name", image="image", command=("true",), labels={}, mounts=mounts)


def run_once(engine: RecordingEngine, lease: Lease, source: Source) -> list[tuple[int, bytes]]:
    process = ContainerProcess(engine, lease, source)
    with process.create(spec()) as container, process.start(container) as stream:
        return list(stream.frames())


def test_attaches_before_the_start_and_removes_in_the_opposite_order(lease: Lease) -> None:
    engine = RecordingEngine()
    assert run_once(engine, lease, Source(Path("/src"))) == [(STDOUT, b"output")]
    assert engine.lifecycle == LIFECYCLE


def test_a_removal_is_left_to_the_engine(lease: Lease) -> None:
    engine = RecordingEngine()
    with ContainerProcess(engine, lease, Source(Path("/src")), wait=False).create(spec()):
        pass
    assert engine.lifecycle[-4:] == ["leave", *["remove volume"] * 3]


def test_mounts_the_source_before_other_volumes(lease: Lease) -> None:
    engine = RecordingEngine()
    process = ContainerProcess(engine, lease, Source(Path("/src")))
    with process.create(spec(Mount(kind="tmpfs", target="/run"))):
        assert [mount.target for mount in engine.specs[0].mounts] == ["/src", "/run"]


def test_mounts_a_copied_source(tmp_path: Path, lease: Lease) -> None:
    """It is sent once; nothing of it is in a container's own files, which may become an image."""
    engine, source = RecordingEngine(), Source(tmp_path, "copy")
    for _ in range(2):
        run_once(engine, lease, source)
    sent = ["volume", "create", f"upload {COPY_TARGET}", "remove"]
    assert engine.lifecycle == [*sent, *LIFECYCLE, *LIFECYCLE]
    assert [mount.target for mount in engine.specs[-1].mounts] == [str(tmp_path), COPY_TARGET]


def test_attaches_to_a_terminal(tmp_path: Path, lease: Lease) -> None:
    engine = RecordingEngine()
    process = ContainerProcess(engine, lease, Source(tmp_path, "copy"))
    with process.create(spec()) as container, process.start(container, terminal=True):
        assert "attach terminal" in engine.lifecycle


@pytest.mark.parametrize("call", ["create", "attach", "start", f"upload {COPY_TARGET}"])
def test_an_error_removes_what_was_created(tmp_path: Path, lease: Lease, call: str) -> None:
    engine = RecordingEngine(**{call: EngineError("no space left on device")})
    with pytest.raises(EngineError, match="no space left"):
        run_once(engine, lease, Source(tmp_path, "copy"))
    assert ("remove" in engine.lifecycle) == (call != "create")


def test_an_error_of_the_user_removes_what_was_created(lease: Lease) -> None:
    engine = RecordingEngine()
    process = ContainerProcess(engine, lease, Source(Path("/src")))
    with pytest.raises(RuntimeError), process.create(spec()) as container, process.start(container):
        raise RuntimeError
    assert engine.lifecycle == LIFECYCLE


@pytest.mark.parametrize("call", ["volume", "create", "attach", "start"])
def test_a_refused_overlay_is_replaced_by_a_copy(tmp_path: Path, lease: Lease, call: str) -> None:
    engine = RecordingEngine(**{call: REFUSED})
    source = Source(tmp_path)

    def attempt() -> list[tuple[int, bytes]]:
        if source.mode == "copy":
            engine.errors.clear()
        return run_once(engine, lease, source)

    assert run_with_source(source, attempt) == [(STDOUT, b"output")]
    assert (source.mode, source.reason) == ("copy", "the engine cannot mount an overlay of it: invalid argument")
    created, removed = engine.lifecycle.count("volume"), engine.lifecycle.count("remove volume")
    assert created == removed + 1, "the copy stays for the next session"
    assert engine.lifecycle[-len(LIFECYCLE) :] == LIFECYCLE


def test_another_thread_s_fallback_does_not_hide_a_refused_overlay(tmp_path: Path, lease: Lease) -> None:
    engine = RecordingEngine(start=REFUSED)
    source = Source(tmp_path)
    process = ContainerProcess(engine, lease, source)
    with process.create(spec()) as container:
        source.fall_back(None, "seen by another thread")
        with pytest.raises(SourceNotVisibleError), process.start(container):
            pytest.fail("was started")


LOST = ConnectionLostError("the connection to the engine was lost: no such file or directory")


@pytest.mark.parametrize(
    "error", [EngineError("no space left on device"), ImageNotFound("no such image: overlay"), LOST], ids=str
)
def test_other_errors_are_not_blamed_on_the_overlay(lease: Lease, error: EngineError) -> None:
    engine, source = RecordingEngine(create=error), Source(Path("/src"))
    with pytest.raises(type(error)) as caught:
        run_with_source(source, lambda: run_once(engine, lease, source))
    assert caught.value is error
    assert source.mode == "overlay"


def test_a_source_that_is_never_visible_is_tried_in_three_ways() -> None:
    """In an overlay, as a copy with a layer, and as a copy of the container's own."""
    ways = []
    source = Source(Path("/src"))

    def attempt() -> None:
        ways.append(source.decision)
        raise SourceNotVisibleError("/src/a.py", decision=source.decision)

    with pytest.raises(SourceNotVisibleError):
        run_with_source(source, attempt)
    assert [(way.mode, way.has_layer) if way else None for way in ways] == [None, ("copy", True), ("copy", False)]


def test_a_container_that_was_started_ahead_in_vain_is_replaced() -> None:
    attempts: list[int] = []

    def attempt() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise NotBegunError
        return "done"

    source = Source(Path("/src"))
    assert run_with_source(source, attempt) == "done"
    assert source.decision is None


def test_a_required_overlay_is_never_replaced(lease: Lease) -> None:
    engine = RecordingEngine(start=REFUSED)
    source = Source(Path("/src"), "overlay")
    with pytest.raises(PyimagesError, match="--py-images-source=overlay does not work here"):
        run_with_source(source, lambda: run_once(engine, lease, source))
    assert source.mode == "overlay"


def test_a_process_that_was_stopped_does_not_start(lease: Lease) -> None:
    engine = RecordingEngine()
    process = ContainerProcess(engine, lease, Source(Path("/src")))
    process.stop(b"stop\n", grace=60)
    with pytest.raises(StoppedError), process.create(spec()) as container, process.start(container):
        pytest.fail("was started")
    assert "start" not in engine.lifecycle
    assert "remove" in engine.lifecycle


def test_a_stop_sends_its_message_and_kills_after_the_grace_period(lease: Lease) -> None:
    engine = RecordingEngine()
    process = ContainerProcess(engine, lease, Source(Path("/src")))
    with process.create(spec()) as container, process.start(container):
        process.stop(b"stop\n", grace=0.01)
        assert engine.stream.sent == b"stop\n"
        assert engine.killed.wait(60)
        assert process.is_stopped


def test_a_kill_ends_the_container_before_it_closes_the_stream(lease: Lease) -> None:
    engine = RecordingEngine()
    process = ContainerProcess(engine, lease, Source(Path("/src")))
    with process.create(spec()) as container, process.start(container):
        process.kill()
        assert engine.lifecycle[-2:] == ["kill", "close"]


@pytest.mark.parametrize("grace", [None, 0.01], ids=["killed", "stopped"])
def test_a_container_that_the_engine_does_not_kill(lease: Lease, grace: float | None) -> None:
    """The thread that reads must not wait for ever, and its removal shows the error of the engine."""
    engine = RecordingEngine(kill=EngineError("cannot kill container"))
    process = ContainerProcess(engine, lease, Source(Path("/src")))
    with process.create(spec()) as container, process.start(container):
        if grace is None:
            process.kill()
        else:
            process.stop(b"stop\n", grace)
        assert engine.stream.closed.wait(60)
        assert engine.lifecycle[-2:] == ["kill", "close"]
    assert "remove" in engine.lifecycle


def test_a_kill_after_the_end_touches_nothing(lease: Lease) -> None:
    engine = RecordingEngine()
    process = ContainerProcess(engine, lease, Source(Path("/src")))
    with process.create(spec()):
        pass
    process.kill()
    assert "kill" not in engine.lifecycle


def test_input_goes_to_a_running_program_only(lease: Lease) -> None:
    engine = RecordingEngine()
    process = ContainerProcess(engine, lease, Source(Path("/src")))
    with pytest.raises(EngineError, match="no longer reads its input"):
        process.send(b"early")
    with process.create(spec()) as container, process.start(container):
        process.send(b"typed")
    with pytest.raises(EngineError, match="no longer reads its input"):
        process.send(b"late")
    assert engine.stream.sent == b"typed"


@pytest.mark.parametrize(
    ("text", "options", "key"),
    [
        ("network hosts not found", ContainerOptions(network="hosts"), "network"),
        ('could not select device driver "" with capabilities: [[gpu]]', ContainerOptions(gpus="all"), "gpus"),
        ("Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", ContainerOptions(cpus=9), "cpus"),
        ("Minimum memory limit allowed is 6MB", ContainerOptions(memory=1024), "memory"),
        ('invalid IP address in add-host: "b:c"', ContainerOptions(add_host=("a:b:c",)), "add_host"),
        ("network hosts not found", ContainerOptions(memory=1024), ""),
    ],
)
@pytest.mark.parametrize("call", ["create", "start"])
def test_an_option_that_the_engine_refuses_is_named(
    lease: Lease, call: str, text: str, options: ContainerOptions, key: str
) -> None:
    process = ContainerProcess(RecordingEngine(**{call: EngineError(text)}), lease, Source(Path("/src")))
    with (
        pytest.raises(EngineError) as caught,
        process.create(replace(spec(), options=options)) as container,
        process.start(container),
    ):
        pass
    hint = key and message("engines", "container-option", option=key.replace("_", "-"), key=f"py_images_{key}")
    assert (caught.value.message, caught.value.hint) == (text, hint)


def test_mount_of_the_user_that_fails_is_no_reason_to_copy_the_source(lease: Lease) -> None:
    text = 'invalid mount config for type "bind": bind source path does not exist: /nowhere'
    engine, source = RecordingEngine(create=EngineError(text)), Source(Path("/src"), "overlay")
    options = ContainerOptions(mount=(Mount(kind="bind", source="/nowhere", target="/data"),))
    with (
        pytest.raises(EngineError, match="/nowhere"),
        ContainerProcess(engine, lease, source).create(replace(spec(), options=options)),
    ):
        pass
