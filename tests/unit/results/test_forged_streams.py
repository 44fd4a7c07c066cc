"""Streams that are forged or damaged, from the engine to the exit status: none of them passes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.containers import Lease, Source, SourceJob
from pytest_pyimages.results.outcome import ImageResult, fold_exit_statuses
from pytest_pyimages.results.replay.replay import Replay
from pytest_pyimages.results.verdict import Judge
from pytest_pyimages.runs import Job, Run
from tests.support.forged_engine import ForgedEngine
from tests.support.forgeries import FORGERIES, GREEN, NODEIDS, TWO, phase
from tests.support.hooks import Hooks, make_session
from tests.support.results import make_result
from tests.support.wire import TOKEN, encode_all


class NoHints:
    """Stands for MissingModules."""

    def record_error(self, label: str, error: str) -> None:
        """Give no hint."""

    def record_skip(self, label: str, kind: str, reason: str) -> None:
        """Give no hint."""

    def make_hint(self, label: str, *, python: str) -> str:
        return ""


JOB = Job(
    image="python:3.12",
    python="python",
    token=TOKEN,
    args=(),
    project="/src",
    cwd="/src",
    cwd_on_path=False,
    environment={},
    witness=(),
    source=SourceJob(root="/src", owner=(0, 0, 0o755)),
    passed_output=False,
    own_options=(),
    own_ini=(),
    memory=None,
    seed=0,
    host_plugins=(),
    shard=None,
    coverage=False,
    changes=None,
    terminal=None,
)


def run_stream(folder: Path, stream: tuple[object, ...] | bytes) -> tuple[ImageResult, int, Hooks]:
    """Return an image's result, the exit status of its session, and the calls of pytest's hooks."""
    hooks: Any = Hooks()
    results = {"3.12": make_result("3.12")}
    hints: Any = NoHints()
    judge = Judge(hints, labels=["3.12"], other_images=[], rootdir="/src")
    replay = Replay(make_session(hooks), results, collect_only=False, judge=judge, details=True)
    engine = ForgedEngine({"3.12": stream})
    run = Run(engine, Lease(folder), Source(folder), JOB)
    run.execute(
        lambda events: replay.play("3.12", events), lambda end: replay.end_run("3.12", end, None, run_seconds=1.0)
    )
    replay.flush()
    assert not engine.containers
    return results["3.12"], fold_exit_statuses(results), hooks


def test_a_green_stream_passes(tmp_path: Path) -> None:
    result, status, hooks = run_stream(tmp_path, GREEN)
    assert (result.outcome, status, result.counts["passed"]) == ("passed", 0, 3)
    assert len(hooks.named("pytest_runtest_logreport")) == 3


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_stream_is_an_error_of_its_image(tmp_path: Path, name: str) -> None:
    result, status, hooks = run_stream(tmp_path, FORGERIES[name])
    assert (result.outcome, status) == ("error", 1), result.problem
    assert len(result.problem.splitlines()) == 1
    (report,) = (call["report"] for call in hooks.named("pytest_collectreport"))
    assert report.failed


def test_a_test_that_was_repeated_passes(tmp_path: Path) -> None:
    """Plugins repeat tests; all have a result."""
    result, status, _ = run_stream(tmp_path, (*GREEN[:3], *TWO, *TWO, phase(outcome="rerun"), phase(), *GREEN[-2:]))
    assert (result.outcome, status) == ("passed", 0)
    assert result.outcomes == dict.fromkeys(NODEIDS, "passed")


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_stream_is_green_only_if_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    """Each has one damage: bytes that are changed, lost, or come twice; or a whole line does."""
    source, data = random.Random(seed), encode_all(GREEN)
    lines = data.splitlines(keepends=True)
    for _ in range(60):
        kind = source.choice(
            ("flip", "cut", "double", "insert", "line lost", "line twice", "lines swapped", "end lost")
        )
        where, length = source.randrange(len(data)), source.randint(1, 80)
        damaged, others = bytearray(data), list(lines)
        if kind == "flip":
            damaged[where] ^= 1 << source.randrange(8)
        elif kind == "cut":
            del damaged[where : where + length]
        elif kind == "double":
            damaged[where:where] = damaged[where : where + length]
        elif kind == "insert":
            damaged[where:where] = source.randbytes(length)
        elif kind == "end lost":
            del damaged[where:]
        else:
            place = source.randrange(len(lines) - 1)
            if kind == "line lost":
                del others[place]
            elif kind == "line twice":
                others.insert(place, others[place])
            else:
                others[place : place + 2] = others[place + 1], others[place]
            damaged = bytearray(b"".join(others))
        result, status, _ = run_stream(tmp_path, bytes(damaged))
        assert (result.outcome, status) == ("error", 1), (kind, where, length)
        assert set(result.outcomes) <= set(NODEIDS)
