"""Each step of a session has a name in the list of kill points, and all are in one session or another."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pytest_pyimages import hookspecs
from pytest_pyimages.engines.base import ContainerStream, Engine
from tests.attack.interruptions import interrupt_sessions
from tests.attack.kill_points import (
    OTHER_METHODS,
    SESSIONS,
    SIGNALS,
    STEPS,
    choose_session,
    make_host,
    try_step,
)
from tests.attack.trials import Battery, Clock

ENGINE_STEPS = [step for step in STEPS if "." in step]
HOOKS_BEFORE = {"pytest_pyimages_engine", "pytest_pyimages_recipe"}  # nothing exists when they are called


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_has_only_steps_with_names(tmp_path: Path, session: str) -> None:
    """A step without a name is one at which no session was interrupted: add it to STEPS."""
    host = make_host(tmp_path / "host", session)
    ended = host.run()
    assert ended.status == 0, ended.out
    assert set(ended.steps) <= set(STEPS)
    assert {step for step in ENGINE_STEPS if choose_session(step) == session} <= set(ended.steps)
    assert host.find_remains() == []


def test_each_method_of_an_engine_is_a_step() -> None:
    methods = {name for protocol in (Engine, ContainerStream) for name in vars(protocol) if not name.startswith("_")}
    assert methods - OTHER_METHODS == {step.partition(".")[2] for step in ENGINE_STEPS}


def test_each_hook_of_ours_is_a_step() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("pytest_")}
    assert hooks - HOOKS_BEFORE <= set(STEPS)


@pytest.mark.parametrize("number", SIGNALS)
def test_sessions_interrupted_at_steps(tmp_path: Path, number: int) -> None:
    """An eighth of the steps for each signal; ``tox -e attack`` has all of them."""
    hosts = {name: make_host(tmp_path / name, name) for name in SESSIONS}
    for step in STEPS[SIGNALS.index(number) :: 2 * len(SIGNALS)]:
        assert list(try_step(hosts[choose_session(step)], step, number)) == [], step


def test_sessions_interrupted_at_random(tmp_path: Path) -> None:
    battery = Battery(name="signals", planned=8)
    interrupt_sessions(battery, random.Random(1), Clock(60), tmp_path)
    assert battery.has_passed, battery.faults
