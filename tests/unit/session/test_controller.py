"""The controller: what it starts, what it refuses, and what becomes of the session's exit status."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pyimages.containers import Source
from pytest_pyimages.engines import NO_OPTIONS
from pytest_pyimages.errors import ConfigurationError, EngineError
from pytest_pyimages.images import BuiltImage
from pytest_pyimages.matrix import parse_matrix
from pytest_pyimages.runs import RunEnd
from pytest_pyimages.runs.events import Beat
from pytest_pyimages.session.controller import ImagesSession
from pytest_pyimages.session.messages import (
    EventsReceived,
    ImageBuilt,
    ImageEnded,
    OutputReceived,
    Progressed,
    StageChanged,
)
from pytest_pyimages.session.planning import SessionPlan
from tests.support.hooks import Hooks, make_session
from tests.support.invocations import make_invocation
from tests.support.results import make_result


class Recorder:
    """Records the calls of any method."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **fields: self.calls.append((name, *args, *fields.values()))


class Controlled:
    """A controller of some images, without an engine."""

    def __init__(
        self,
        folder: Path,
        *labels: str,
        skipped: Sequence[str] = (),
        typed: str = "",
        cache: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        (folder / "test_it.py").touch()
        self.hooks = Hooks()
        self.session = make_session(self.hooks)
        if cache is not None:
            self.session.config.cache = SimpleNamespace(get=cache.get, set=cache.__setitem__)
        self.connecting: Future[Any] = Future()
        project = SimpleNamespace(notes=("a note",), install=(), origin="")
        plans = tuple(
            SimpleNamespace(tag=tag, project=project, args=(), services=(), smoke=False, options=NO_OPTIONS)
            for tag in parse_matrix(labels)
        )
        plan: Any = SessionPlan(
            project=project,  # type: ignore[arg-type]  # only its notes are read
            source=Source(folder, "copy"),
            plans=plans,  # type: ignore[arg-type]
            skipped=tuple(skipped),
            unselected=(),
        )
        values = {
            "invocation": make_invocation(typed, cwd=folder),
            "shard": None,
            "github": False,
            "baseline": "",
            "baseline_is_typed": False,
            "keep_changes": "",
            "keep_changes_is_typed": False,
            "artifacts": (),
            "platform": "",
            "reports": (),
            "wants_details": False,
            "collect_only": False,
            **settings,
        }
        chosen: Any = SimpleNamespace(**values)
        self.controller = ImagesSession(self.session.config, chosen, plan, [self.connecting])

    def finish(self) -> int:
        self.controller.pytest_sessionfinish(self.session)
        return int(self.session.exitstatus)


def test_an_empty_folder_has_no_tests(tmp_path: Path) -> None:
    controlled = Controlled(tmp_path, "3.12")
    (tmp_path / "test_it.py").unlink()
    with pytest.raises(pytest.exit.Exception, match="is empty") as caught:
        controlled.controller.pytest_sessionstart()
    assert caught.value.returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_there_is_nothing_to_run_again(tmp_path: Path) -> None:
    """With --lfnf=none, and without a failure that is known."""
    cache: dict[str, Any] = {"pyimages/lastfailed": {}}
    controlled = Controlled(tmp_path, "3.12", typed="--lf --lfnf=none", cache=cache)
    assert controlled.controller.plans == ()
    with pytest.raises(pytest.exit.Exception, match="nothing to run again"):
        controlled.controller.pytest_sessionstart()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConfigurationError("--py-images: no engine", "start Docker"), "--py-images: no engine · start Docker"),
        (EngineError("connection lost"), "--py-images: connection lost"),
    ],
)
def test_without_an_engine_nothing_is_started(tmp_path: Path, error: Exception, message: str) -> None:
    controlled = Controlled(tmp_path, "3.12")
    controlled.connecting.set_exception(error)
    with pytest.raises(pytest.UsageError) as caught:
        controlled.controller.pytest_sessionstart()
    controlled.controller._interrupts.restore()
    assert str(caught.value) == message
    with pytest.raises(pytest.UsageError, match="was not started"):
        controlled.controller.pytest_runtestloop(controlled.session)


def test_the_host_collects_nothing(tmp_path: Path) -> None:
    controlled = Controlled(tmp_path, "3.12")
    assert controlled.controller.pytest_collection(controlled.session) is True
    assert controlled.session.items == []


def test_an_unknown_baseline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"3\.13"):
        Controlled(tmp_path, "3.12", "3.14", baseline="3.13", baseline_is_typed=True)


@pytest.mark.parametrize(
    ("host", "images", "failed", "expected"),
    [
        pytest.param(0, [0, 0], 0, 0, id="all pass"),
        pytest.param(0, [0, 1], 1, 1, id="one fails"),
        pytest.param(0, [5, 5], 0, 5, id="no tests"),
        pytest.param(0, [0, 0], 1, 1, id="a plugin of the host counts a failure"),
        pytest.param(2, [0, 0], 0, 2, id="interrupted"),
        pytest.param(3, [0, 1], 1, 3, id="internal error"),
        pytest.param(4, [0, 0], 0, 4, id="usage error"),
        pytest.param(1, [0, 4], 0, 4, id="the worst"),
    ],
)
def test_the_exit_status(tmp_path: Path, host: int, images: list[int], failed: int, expected: int) -> None:
    controlled = Controlled(tmp_path, "3.12", "3.14")
    for label, status in zip(("3.12", "3.14"), images, strict=True):
        fields: dict[str, Any] = {"exit_status": status, "ended": True, "usage_error": status == 4}
        controlled.controller.results[label] = make_result(label, **fields)
    controlled.session.exitstatus, controlled.session.testsfailed = host, failed
    assert controlled.finish() == expected


@pytest.mark.parametrize("written", [True, False])
def test_a_report_that_cannot_be_written_fails_the_session(tmp_path: Path, written: bool) -> None:
    folder = tmp_path if written else tmp_path / "missing" / "deeper"
    if not written:
        (tmp_path / "missing").touch()
    controlled = Controlled(tmp_path, "3.12", wants_details=True, reports=(folder / "report.json",))
    controlled.controller.results["3.12"] = make_result("3.12", exit_status=0, ended=True)
    assert controlled.finish() == (0 if written else 1)
    assert len(controlled.hooks.named("pytest_pyimages_report")) == 1


def test_messages_reach_replay_and_the_terminal(tmp_path: Path) -> None:
    controlled = Controlled(tmp_path, "3.12", "3.14")
    replay, shown, waiting = Recorder(), Recorder(), {"3.12", "3.14"}
    built = BuiltImage(id="sha256:1", digest="", python="3.12.1", executable="python", cached=True, build_seconds=0.0)
    end = RunEnd(status=0)
    for message in (
        StageChanged("3.12", "installing"),
        Progressed("3.12", "pytest"),
        ImageBuilt("3.12", built),
        EventsReceived("3.12", (Beat(),)),
        OutputReceived("3.12", b"text"),
        ImageEnded("3.12", end, None, 2.5),
    ):
        controlled.controller._handle(message, replay, shown, waiting)  # type: ignore[arg-type]
    assert shown.calls == [("say", "3.12", "installing"), ("detail", "3.12", "pytest"), ("runs", "3.12")]
    assert replay.calls == [
        ("set_built", "3.12", built, ""),
        ("play", "3.12", (Beat(),)),
        ("show_output", "3.12", b"text"),
        ("end_run", "3.12", end, None, 2.5),
    ]
    assert waiting == {"3.14"}
    (ready,), (finished,) = (
        controlled.hooks.named(f"pytest_pyimages_{name}") for name in ("image_ready", "run_finished")
    )
    assert (ready["image"].label, ready["built"]) == ("3.12", built)
    assert finished["result"] is controlled.controller.results["3.12"]


def test_what_is_held_is_played_while_no_message_comes(tmp_path: Path) -> None:
    controlled = Controlled(tmp_path, "3.12")
    messages: queue.Queue[object] = queue.Queue()
    schedule: Any = SimpleNamespace(outbox=SimpleNamespace(messages=messages))
    replay: Any = SimpleNamespace(patience=0.01, flush_late=lambda: messages.put("late"))
    shown: Any = SimpleNamespace(interval=None, tick=lambda: None)
    found: object = controlled.controller._next(schedule, replay, shown)
    assert found == "late"


@pytest.mark.parametrize(("name", "error"), [("shouldfail", "Failed"), ("shouldstop", "Interrupted")])
def test_pytest_says_when_it_is_enough(tmp_path: Path, name: str, error: str) -> None:
    controlled = Controlled(tmp_path, "3.12")
    controlled.session.Failed, controlled.session.Interrupted = pytest.Session.Failed, pytest.Session.Interrupted
    controlled.controller._check_stop(controlled.session)
    setattr(controlled.session, name, "stopping after 1 failures")
    with pytest.raises(getattr(pytest.Session, error), match="stopping after 1 failures"):
        controlled.controller._check_stop(controlled.session)


def test_close_stops_the_containers_before_the_connection_and_may_be_repeated(tmp_path: Path) -> None:
    controlled = Controlled(tmp_path, "3.12")
    controlled.controller.close()
    closed: list[str] = []
    schedule: Any = SimpleNamespace(close=lambda: closed.append("schedule"))
    engine: Any = SimpleNamespace(close=lambda: closed.append("engine"))
    controlled.controller._schedule, controlled.controller._engines = schedule, [engine]
    controlled.controller.close()
    controlled.controller.close()
    assert closed == ["schedule", "engine"] * 2


def test_the_header_names_what_is_left_out(tmp_path: Path) -> None:
    controlled = Controlled(tmp_path, "3.12", "3.14", skipped=["3.13"], shard=(1, 3))
    header = controlled.controller.pytest_report_header()[0]
    assert header.startswith("py-images: 3.12, 3.14")
    assert "3.13" in header
    assert " · shard 1/3 · no engines" in header
