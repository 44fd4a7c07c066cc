"""What the host's plugin of an interrupted session needs, imported as late as an engine's own modules are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.engines import Engine
from tests.support.fake_engine import KNOWN, FakeEngine
from tests.support.forged_engine import ForgedEngine
from tests.support.forgeries import GREEN
from tests.support.stepped_engine import SteppedEngine, Steps, Stock


def make_engine(options: Mapping[str, Any]) -> SteppedEngine:
    engine: Engine
    if options["workers"] == "docker":
        from pytest_pyimages.engines.docker import connect

        engine = connect()
    elif options["workers"] == "real":
        engine = FakeEngine()
    elif options["workers"] == "scripted":
        engine = ForgedEngine({"3.12": GREEN}, known=(*KNOWN, "postgres:17"))
    elif options["workers"] == "pulled":
        engine = ForgedEngine({"3.12": GREEN}, known=(), pulls={"python:3.12": None})
    else:
        streams = json.loads(Path(options["workers"]).read_text())
        engine = ForgedEngine({label: stream.encode("latin-1") for label, stream in streams.items()})
    return SteppedEngine(engine, _make_steps(options), Stock(Path(options["folder"]) / "stock.json"))


def watch_hooks(config: pytest.Config, options: Mapping[str, Any]) -> None:
    """Make each call of a hook a step."""
    steps = _make_steps(options)
    config.pluginmanager.add_hookcall_monitoring(lambda name, *_: steps.begin(name), lambda *_: None)


def _make_steps(options: Mapping[str, Any]) -> Steps:
    return Steps(folder=Path(options["folder"]), stop=options["stop"], signal=options["signal"])
