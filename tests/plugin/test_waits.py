"""What an image waits for is shown while the engine does not answer, and the wait has an end."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from pytest_pyimages.engines.base import STDERR, STDOUT, Leftover, PullProgress
from pytest_pyimages.errors import NoAnswerError
from pytest_pyimages.images import install_log
from pytest_pyimages.runs.run import WORKER
from pytest_pyimages.session import schedule
from tests.plugin.conftest import ImagesRun
from tests.support.fake_engine import FakeEngine, FakeStream
from tests.support.golden import message
from tests.support.watched import Watch

Run = Callable[..., ImagesRun]
SUITE = "import time\ndef test_a(): pass\ndef test_b(): time.sleep({seconds})"


class SlowEngine(FakeEngine):
    """Takes three seconds to start the suite of 3.13, and as long until the pull of 3.14 goes on."""

    def __init__(self) -> None:
        schedule.LONG_SECONDS = 1.0
        super().__init__(known=("python:3.12", "python:3.13"), pulls={"python:3.14": None})

    def start(self, container: str) -> None:
        spec = self.containers[container].spec
        if spec.command[1:] == (WORKER,) and self._bases.get(spec.image) == "python:3.13":
            time.sleep(3)
        super().start(container)

    def pull(self, reference: str, *, platform: str = "") -> Iterator[PullProgress]:
        yield PullProgress(done=1, total=2)
        time.sleep(3)
        yield from super().pull(reference)


class HungStream(FakeStream):
    def frames(self) -> Iterator[tuple[int, bytes]]:
        began = time.monotonic()
        for frame in super().frames():
            yield frame
            if self._container.process is not None and time.monotonic() - began > 3:
                raise NoAnswerError("no sign of life from the container for 300 s: it, or the engine, hangs")


class HungEngine(FakeEngine):
    """Stops to answer while the suite runs."""

    def attach(self, container: str, *, terminal: bool = False, silence: float | None = None) -> FakeStream:
        assert silence is not None
        return HungStream(self.containers[container])

    def kill(self, container: str) -> None:
        super().kill(container)
        raise NoAnswerError("the engine did not answer in time")


class SilentIndexStream(FakeStream):
    """Of a build: the installer is alive and prints nothing."""

    def frames(self) -> Iterator[tuple[int, bytes]]:
        if self._container.process is None:
            yield STDERR, b"$ /run/pyimages-uv/uv-x86_64 pip install pytest\n"
            time.sleep(1.5)
            yield STDOUT, b"\n"
            time.sleep(1.5)
        yield from super().frames()


class SilentIndexEngine(FakeEngine):
    """Its builds wait for an index that does not answer."""

    def __init__(self) -> None:
        install_log.PATIENCE = 1.0
        super().__init__()

    def attach(self, container: str, *, terminal: bool = False, silence: float | None = None) -> FakeStream:
        return SilentIndexStream(self.containers[container])


def of(name: str) -> str:
    return f"__import__('tests.plugin.test_waits', fromlist=['_']).{name}()"


def test_plain_lines_name_what_images_wait_for(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(SUITE.format(seconds=0))
    run = run_images(images="3.12,3.13,3.14", engine=of("SlowEngine"))
    assert run.result.ret == 0
    lines = [re.sub(r"\d+s$", "_s", line) for line in run.out.splitlines()]
    for text in (
        " 3.13  waiting for the engine to start the container, _s",
        " 3.14  waiting for the pull to go on, _s",
    ):
        assert lines.count(text) == 1


def test_live_lines_name_what_images_wait_for(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile(SUITE.format(seconds=0))
    run = watch(images="3.12,3.13,3.14", engine=of("SlowEngine"))
    assert run.end() == 0
    seen = {re.sub(r"\d+s$", "_s", line) for line in run.seen}
    assert {
        " 3.13  waiting for the engine to start the container, _s",
        " 3.14  waiting for the pull to go on, _s",
    } <= seen
    assert "waiting for" not in run.text


def test_command_names_what_images_wait_for(pytester: pytest.Pytester, pyimages: Callable[..., list[object]]) -> None:
    step = "from pytest_pyimages.cli import builds; builds.WAIT_SECONDS = 1"
    done = pyimages(step, ["build", "3.14"], engine=of("SlowEngine"))
    assert re.search(r"^3\.14: waiting for the pull to go on, \ds$", str(done[1].err), re.MULTILINE)  # type: ignore[attr-defined]


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the index that uv requests first."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://me:secret@a.example/simple/")
    return "waiting for the package index a.example/simple"


def test_plain_line_names_the_index(pytester: pytest.Pytester, run_images: Run, index: str) -> None:
    pytester.makepyfile(SUITE.format(seconds=0))
    run = run_images(images="3.14", engine=of("SilentIndexEngine"))
    assert run.result.ret == 0
    assert [line for line in run.out.splitlines() if line.startswith(f" 3.14  {index}")]
    assert "secret" not in run.out + run.err


def test_live_line_names_the_index(pytester: pytest.Pytester, watch: Watch, index: str) -> None:
    pytester.makepyfile(SUITE.format(seconds=0))
    run = watch(images="3.14", engine=of("SilentIndexEngine"))
    assert run.end() == 0
    assert [line for line in run.seen if line.startswith(f" 3.14  {index}")]
    assert index not in run.text


def test_command_names_the_index(pytester: pytest.Pytester, pyimages: Callable[..., list[object]], index: str) -> None:
    done = pyimages(["build", "3.14"], engine=of("SilentIndexEngine"))
    assert f"3.14: {index}" in str(done[0].err)  # type: ignore[attr-defined]


def test_results_are_kept_when_the_engine_hangs(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=SUITE.format(seconds=60))
    run = run_images(engine=of("HungEngine"))
    assert run.result.ret == 1
    assert run.images["3.12"]["problem"] == message("results", "engine-hangs")
    assert run.tests == {"test_it.py::test_a": {"3.12": "passed"}, "test_it.py::test_b": {"3.12": "not run"}}


class OrderedEngine(FakeEngine):
    """Adds to its calls what delays its containers: sweeps, and the session's imports for results."""

    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        self.calls.append("leftovers")
        return super().leftovers(label)

    def start(self, container: str) -> None:
        if "pytest_pyimages.results.replay.replay" in sys.modules:
            self.calls.append("results are imported")
        super().start(container)


def test_nothing_delays_the_first_container(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(SUITE.format(seconds=0))
    run = run_images(images="3.12,3.13", engine=of("OrderedEngine"))
    assert run.result.ret == 0
    started = run.calls.index("start")
    assert {"leftovers", "results are imported"} <= set(run.calls[started:])
    assert not {"leftovers", "results are imported"} & set(run.calls[:started])


class LateEngine(OrderedEngine):
    """Its pull takes longer than a sweep waits."""

    def __init__(self) -> None:
        schedule.SWEEP_SECONDS = 0.5
        super().__init__(known=(), pulls={"python:3.14": None})

    def pull(self, reference: str, *, platform: str = "") -> Iterator[PullProgress]:
        time.sleep(2)
        yield from super().pull(reference)


def test_without_containers_for_long_the_engine_is_swept(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(SUITE.format(seconds=0))
    run = run_images(images="3.14", engine=of("LateEngine"))
    assert run.result.ret == 0
    assert run.calls.index("leftovers") < run.calls.index("start")
    assert run.calls.count("leftovers") == 1
