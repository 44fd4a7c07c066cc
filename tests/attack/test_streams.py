"""A small part of what ``tox -e attack`` does to streams."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.attack.streams import VERBOSE, damage_streams, forge_records, run_stream, show_streams
from tests.attack.trials import Battery, Clock


def test_the_undamaged_stream_passes(tmp_path: Path) -> None:
    result, status, _ = run_stream(tmp_path, VERBOSE)
    assert (result.outcome, status) == ("passed", 0)


@pytest.mark.parametrize("seed", range(2))
def test_damaged_streams(tmp_path: Path, seed: int) -> None:
    battery = Battery(name="streams", planned=300)
    damage_streams(battery, random.Random(seed), Clock(60), tmp_path / "host")
    assert battery.has_passed, battery.faults


def test_forged_records(tmp_path: Path) -> None:
    battery = Battery(name="records", planned=300)
    forge_records(battery, random.Random(1), Clock(60), tmp_path / "host")
    assert battery.has_passed, battery.faults


def test_streams_on_a_terminal(tmp_path: Path) -> None:
    battery = Battery(name="terminal", planned=10)
    show_streams(battery, random.Random(1), Clock(60), tmp_path / "host")
    assert battery.has_passed, battery.faults
