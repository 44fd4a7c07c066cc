"""A command in a container that has waited: whatever happens before it begins, another container is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from pytest_pyimages.containers import NotBegunError, Waiting
from pytest_pyimages.containers.mounted_source import Decision, MountedSource
from pytest_pyimages.engines.base import STDERR, STDOUT, Execution
from pytest_pyimages.errors import EngineError
from pytest_pyimages.runs.attended import _attend_in
from tests.support.container_jobs import make_job
from tests.unit.containers.test_process import RecordingEngine, Stream

Frame = tuple[int, bytes]


class Output(Stream):
    """What a command prints; an error at its end if the connection is cut."""

    def __init__(self, frames: Sequence[Frame], error: EngineError | None) -> None:
        super().__init__([])
        self._frames = frames
        self._error = error

    def frames(self) -> Iterator[Frame]:
        yield from self._frames
        if self._error is not None:
            raise self._error


class CommandEngine(RecordingEngine):
    """Runs a command that prints something."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self.output = output

    def open_command(
        self, container: str, command: Sequence[str], *, environment: Mapping[str, str], terminal: bool
    ) -> Execution:
        return Execution("execution", self.output)

    def command_status(self, execution: str) -> int:
        return 7


def attend(folder: Path, frames: Sequence[Frame], error: EngineError | None = None) -> int:
    output = Output(frames, error)
    waiting = Waiting("container", MountedSource(Decision("overlay"), (), ()), output)
    try:
        return _attend_in(waiting, CommandEngine(output), make_job(folder), None)
    finally:
        assert output.calls == ["close"]


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([], None),
        ([], EngineError("cut")),
        ([(STDOUT, b"secret missing /src\n")], None),
        ([(STDERR, b"Traceback\n")], None),
    ],
    ids=["ended", "cut", "missing", "broken"],
)
def test_a_container_of_no_use_is_replaced(tmp_path: Path, frames: list[Frame], error: EngineError | None) -> None:
    with pytest.raises(NotBegunError):
        attend(tmp_path, frames, error)


def test_a_command_that_has_begun_is_not_run_again(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    begun = [(STDOUT, b"secret ready\nout"), (STDERR, b"err")]
    assert attend(tmp_path, begun) == 7
    assert capfdbinary.readouterr() == (b"out", b"err")
    with pytest.raises(EngineError, match="cut"):
        attend(tmp_path, begun, EngineError("cut"))
