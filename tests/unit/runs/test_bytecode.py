"""Around a run: compile if that pays, mount what there is, and do without where the engine refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pytest_pyimages.containers import BytecodeLayer, BytecodeRecord, ContainerProcess, Lease, Source
from pytest_pyimages.containers.process import SourceNotVisibleError
from pytest_pyimages.engines.base import STDOUT, ContainerOptions, Leftover
from pytest_pyimages.errors import ConnectionLostError, EngineError, NoAnswerError
from pytest_pyimages.runs.bytecode import Bytecode, BytecodeJob
from pytest_pyimages.runs.events import Collected, Compiled, Hello
from tests.unit.containers.test_process import RecordingEngine

IMAGE = "sha256:1"
JOB = BytecodeJob(python="/python", options=ContainerOptions(memory=1 << 30))
RESULT = {"folders": ["tests", ""], "compiled": 100, "is_timed": False}
NAMES = ("tests/__pycache__/test_large.cpython-314.pyc",)
HELLO = Hello(python="3.14", pytest="9", rootdir="/", inifile="", processes=0)


class CompilingEngine(RecordingEngine):
    """Its program prints what a test says, and ends with the status that a test says."""

    def __init__(self, result: object = RESULT, status: int = 0, **errors: EngineError) -> None:
        super().__init__(**errors)
        self.status = status
        self.removed: list[str] = []
        self.has_volumes = True  # or it was reset
        self.bytecode: list[Leftover] = []
        printed = json.dumps(result).encode()

        def frames() -> Iterator[tuple[int, bytes]]:
            yield STDOUT, printed

        self.stream.frames = frames  # type: ignore[method-assign]

    def wait(self, container: str) -> int:
        return self.status

    def create_volume(self, name: str, *, labels: Mapping[str, str], options: object) -> str:  # type: ignore[override]
        self.bytecode.append(Leftover("volume", name, name, labels))
        return super().create_volume(name, labels=labels, options=options)

    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        return tuple(self.bytecode) if self.has_volumes else ()

    def remove_volume(self, name: str) -> None:
        self.removed.append(name)


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    (tmp_path / "state").mkdir()
    return Lease(tmp_path / "state")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "root" / "tests").mkdir(parents=True)
    (tmp_path / "root" / "tests" / "test_large.py").write_text("x = 1\n" * 10_000)
    return Source(tmp_path / "root", "overlay")


def run(
    engine: CompilingEngine, lease: Lease, source: Source, *, job: BytecodeJob | None = JOB, fails: int = 0
) -> list[BytecodeLayer | None]:
    """Run, with so many attempts that do not see the source; return the layer that each has had."""
    process, layers = ContainerProcess(engine, lease, source), []

    def attempt() -> None:
        layers.append(process.bytecode)
        if len(layers) <= fails:
            raise SourceNotVisibleError("overlay: too many layers")

    Bytecode(engine, lease, source, IMAGE, job).run(process, attempt)
    return layers


def make_due(engine: CompilingEngine, lease: Lease, source: Source) -> None:
    BytecodeRecord(engine, lease, source.root, IMAGE).add_collection(2.0, NAMES)


def test_nothing_is_compiled_before_it_pays(lease: Lease, source: Source) -> None:
    engine = CompilingEngine()
    assert run(engine, lease, source) == [None]
    assert engine.lifecycle == []


def test_compiles_in_a_container_of_the_image_without_a_network(lease: Lease, source: Source) -> None:
    engine = CompilingEngine()
    make_due(engine, lease, source)
    (layer,) = run(engine, lease, source)
    assert layer is not None
    (spec,) = engine.specs
    assert (spec.image, spec.network, spec.environment, spec.options.memory) == (IMAGE, "none", {}, 1 << 30)
    assert spec.command[:4] == ("/python", "-I", "-S", "-c")
    assert [mount.source for mount in spec.mounts if not mount.read_only][1:] == [layer.volume]
    job = json.loads(engine.stream.sent)
    assert (job["root"], job["names"], job["old"]) == (str(source.root), list(NAMES), "")
    assert run(engine, lease, source) == [layer]
    assert len(engine.specs) == 1


@pytest.mark.parametrize(
    "engine",
    [
        CompilingEngine(status=1),
        CompilingEngine([]),
        CompilingEngine({**RESULT, "folders": "tests"}),
        CompilingEngine({**RESULT, "folders": [1]}),
        CompilingEngine({**RESULT, "compiled": "1"}),
        CompilingEngine({**RESULT, "is_timed": 1}),
        CompilingEngine(create=EngineError("no space")),
        CompilingEngine(start=EngineError("no such executable")),
        CompilingEngine(volume=EngineError("no space")),
    ],
)
def test_a_failure_is_no_error_of_the_run(engine: CompilingEngine, lease: Lease, source: Source) -> None:
    make_due(engine, lease, source)
    assert run(engine, lease, source) == [None]
    calls = len(engine.lifecycle)
    assert run(engine, lease, source) == [None]
    assert len(engine.lifecycle) == calls, "it is not tried again"
    volumes = [name for name in engine.removed if name.startswith("pytest-pyimages-bytecode-")]
    assert len(volumes) == (0 if "volume" in engine.errors else 1)


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_layer_that_cannot_be_mounted(lease: Lease, source: Source, is_lost: bool) -> None:
    """An engine that refuses it gets no other one; one that was reset has lost the volume, and gets another."""
    engine = CompilingEngine()
    make_due(engine, lease, source)
    engine.has_volumes = not is_lost
    first, second = run(engine, lease, source, fails=1)
    assert first is not None
    assert second is None
    assert first.volume in engine.removed
    (third,) = run(engine, lease, source)
    assert (third is not None) is is_lost
    assert third != first


def test_units_of_one_suite_compile_once(lease: Lease, source: Source) -> None:
    """In a cluster, several of them may begin at once on one machine."""
    engine = CompilingEngine()
    make_due(engine, lease, source)
    found: list[list[BytecodeLayer | None]] = []
    threads = [threading.Thread(target=lambda: found.append(run(engine, lease, source))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engine.specs) == 1
    assert len(found) == 4
    assert found[0] != [None]
    assert found == found[:1] * 4


@pytest.mark.parametrize(
    ("error", "is_due"),
    [(ConnectionLostError("lost"), True), (NoAnswerError("late"), True), (EngineError("no"), False)],
)
def test_a_lost_engine_is_no_failure_of_the_compiler(
    lease: Lease, source: Source, error: EngineError, is_due: bool
) -> None:
    engine = CompilingEngine(start=error)
    make_due(engine, lease, source)
    run(engine, lease, source)
    assert BytecodeRecord(engine, lease, source.root, IMAGE).is_due() is is_due


def test_another_session_has_replaced_the_layer(lease: Lease, source: Source) -> None:
    """While this one was about to mount it."""
    engine = CompilingEngine()
    make_due(engine, lease, source)
    run(engine, lease, source)
    record = BytecodeRecord(engine, lease, source.root, IMAGE)
    old = record.layer
    assert old is not None
    BytecodeRecord(engine, lease, source.root, IMAGE).replace(record.create_volume(), ["tests"])
    record.give_up(old)
    new = BytecodeRecord(engine, lease, source.root, IMAGE).layer
    assert new not in (None, old)
    assert engine.removed.count(old.volume) == 1
    assert new.volume not in engine.removed


def test_a_source_that_is_not_visible_without_a_layer_is_an_error(lease: Lease, source: Source) -> None:
    with pytest.raises(SourceNotVisibleError):
        run(CompilingEngine(), lease, source, fails=1)


def test_a_run_that_compiles_in_another_way_does_without(lease: Lease, source: Source) -> None:
    engine = CompilingEngine()
    make_due(engine, lease, source)
    assert run(engine, lease, source, job=None) == [None]
    assert engine.lifecycle == []


def test_a_stopped_run_compiles_nothing(lease: Lease, source: Source) -> None:
    engine = CompilingEngine()
    make_due(engine, lease, source)
    bytecode = Bytecode(engine, lease, source, IMAGE, JOB)
    bytecode.kill()
    bytecode.run(ContainerProcess(engine, lease, source), lambda: None)
    assert engine.lifecycle == []
    assert BytecodeRecord(engine, lease, source.root, IMAGE).is_due()


def test_stopping_ends_the_program(lease: Lease, source: Source) -> None:
    """And it does not count as a failure."""
    engine = CompilingEngine(status=137)
    make_due(engine, lease, source)
    bytecode = Bytecode(engine, lease, source, IMAGE, JOB)

    def frames() -> Iterator[tuple[int, bytes]]:
        bytecode.kill()
        yield from ()

    engine.stream.frames = frames  # type: ignore[method-assign]
    bytecode.run(ContainerProcess(engine, lease, source), lambda: None)
    assert "kill" in engine.lifecycle
    assert BytecodeRecord(engine, lease, source.root, IMAGE).is_due()


def test_the_worker_names_bytecode_after_slow_collections(lease: Lease, source: Source) -> None:
    """And not if the next run compiles in any case."""
    engine, requests = CompilingEngine(), []
    for job in (JOB, None):
        bytecode = Bytecode(engine, lease, source, IMAGE, job)
        bytecode.run(ContainerProcess(engine, lease, source), lambda: None)
        requests.append(bytecode.request)
    make_due(engine, lease, source)
    bytecode = Bytecode(engine, lease, source, IMAGE, JOB)
    bytecode.run(ContainerProcess(engine, lease, source), lambda: None)
    requests.append(bytecode.request)
    assert requests == [JOB, None, None]


def test_the_collection_is_measured(lease: Lease, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, now = CompilingEngine(), iter((100.0, 101.5))
    monkeypatch.setattr("pytest_pyimages.runs.bytecode.time.monotonic", lambda: next(now))
    bytecode = Bytecode(engine, lease, source, IMAGE, JOB)
    bytecode.measure(Collected(total=1, deselected=0))
    bytecode.run(ContainerProcess(engine, lease, source), lambda: None)
    assert [bytecode.measure(event) for event in (HELLO, Compiled(NAMES))] == [False, True]
    bytecode.measure(Collected(total=1, deselected=0))
    assert BytecodeRecord(engine, lease, source.root, IMAGE).names == list(NAMES)
    assert BytecodeRecord(engine, lease, source.root, IMAGE).is_due()


@pytest.mark.parametrize("status", [0, 1])
def test_the_wait_is_shown(lease: Lease, source: Source, status: int) -> None:
    engine = CompilingEngine(status=status)
    make_due(engine, lease, source)
    bytecode, said = Bytecode(engine, lease, source, IMAGE, JOB), list[str]()
    bytecode.say = said.append
    bytecode.run(ContainerProcess(engine, lease, source), lambda: None)
    assert said == ["compiling the project's modules", ""]
