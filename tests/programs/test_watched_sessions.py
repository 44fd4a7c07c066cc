"""The processes of a watch's sessions, and what they report."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_pyimages.cli.watching import forked
from pytest_pyimages.cli.watching.forked import Request, SessionReport
from pytest_pyimages.cli.watching.sessions import SessionProcess
from pytest_pyimages.host import Invocation


class InterruptedNames:
    """Names, while the sending of which the session is interrupted."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def __reduce__(self) -> tuple[type[tuple[str, ...]], tuple[Sequence[str]]]:
        signal.raise_signal(signal.SIGINT)
        return tuple, (self.names,)


def start(folder: Path) -> SessionProcess:
    return SessionProcess(Invocation.from_arguments([], folder, command=True), None, lambda: None, root=folder)


WORDS = ("--py-images=3.12", "-q")
NOT_PREPARED = 77


@pytest.mark.parametrize(
    ("request_", "is_used"),
    [
        (Request(WORDS, has_same_files=True), True),
        (Request(WORDS), False),
        (Request((*WORDS, "-x"), has_same_files=True), False),
    ],
    ids=["same", "new files", "other arguments"],
)
def test_a_prepared_session_is_used_if_it_would_be_prepared_again_in_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: Request, *, is_used: bool
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/missing.sock")
    monkeypatch.setattr(forked, "_run_session", lambda *_: NOT_PREPARED)
    invocation = Invocation.from_arguments(WORDS, tmp_path, command=True)
    (tmp_path / "test_it.py").touch()
    monkeypatch.chdir(tmp_path)
    process = SessionProcess(invocation, None, lambda: None, root=tmp_path, expected=WORDS)
    process.run(request_)
    # The session itself is refused: there is no engine.
    assert end(process)[0] == (pytest.ExitCode.USAGE_ERROR if is_used else NOT_PREPARED)


def end(process: SessionProcess) -> tuple[int, SessionReport | None]:
    while not process.read():
        pass
    return process.end()


def test_an_interrupted_report_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = SessionReport(differing=InterruptedNames("test_it.py::test_it"))  # type: ignore[arg-type]
    monkeypatch.setattr(forked, "_run_session", lambda *_: 0)
    monkeypatch.setattr(forked._Reporting, "report", lambda *_: report)
    process = start(tmp_path)
    process.run(Request([]))
    status, received = end(process)
    assert status == pytest.ExitCode.INTERRUPTED
    assert received == SessionReport(differing=("test_it.py::test_it",))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 2), (signal.SIGKILL, -9)])
def test_a_session_that_is_ended_early_reports_nothing(tmp_path: Path, number: int, status: int) -> None:
    process = start(tmp_path)
    process.interrupt(number)
    assert end(process) == (status, None)
