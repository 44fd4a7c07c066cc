"""What pytest-cov has measured is sent, or why it is not."""

from __future__ import annotations

import base64
import re
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coverage
import pytest

MODULE: Any = import_module("pytest_pyimages.inside.worker.measuring")  # without annotations, for Python 2.7
OPTIONS = SimpleNamespace(option=SimpleNamespace(collectonly=False))


class Channel:
    """Keeps records, and joins the parts of files."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.content = b""

    def send(self, record: dict[str, Any]) -> None:
        if record["t"] == "coverage":
            self.content += base64.b64decode(record["data"])
        else:
            self.records.append(record)


class Controller:
    """As pytest-cov's, with a data file of coverage.py."""

    def __init__(self, path: Path) -> None:
        self.cov = coverage.Coverage(data_file=str(path), config_file=False)
        self.combining_cov: object = self.cov
        self.failed_workers: list[str] = []

    def finish(self) -> None:
        data = self.cov.get_data()
        data.add_lines({"/src/shop.py": [1, 2]})
        data.write()


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    return Controller(tmp_path / "data")


def measure(controller: Controller | None, config: object = OPTIONS) -> Channel:
    channel = Channel()
    measuring = MODULE.Measuring(channel)
    measuring.plugin = SimpleNamespace(cov_controller=controller)
    measuring.pytest_sessionfinish(SimpleNamespace(config=config))
    return channel


def test_the_data_file_is_sent_with_its_size(
    controller: Controller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MODULE, "PART", 1000)
    controller.finish()
    controller.failed_workers = ["gw0", "gw1"]
    channel = measure(controller)
    assert channel.content == (tmp_path / "data").read_bytes()
    problem = "what 2 of xdist's workers measured was lost with them"
    assert channel.records == [{"t": "measured", "size": len(channel.content), "problem": problem}]


def test_a_stopped_suite_s_data_is_finished_first(controller: Controller, tmp_path: Path) -> None:
    controller.combining_cov = None
    assert measure(controller).content == (tmp_path / "data").read_bytes()


def test_without_measuring_nothing_is_sent(controller: Controller) -> None:
    assert measure(None).records == []
    assert measure(controller, SimpleNamespace(option=SimpleNamespace(collectonly=True))).records == []
    assert measure(controller).records == [{"t": "measured", "size": 0, "problem": ""}]


@pytest.mark.parametrize(
    ("module", "name", "value", "problem"),
    [
        (MODULE, "MAX_DATA", 1 << 10, r"ValueError: its data file has \d+ MiB, 0 are the limit"),
        (coverage, "version_info", (4, 5), "ValueError: coverage .* has a data format of its own, 5.0 is needed"),
    ],
    ids=["size", "version"],
)
def test_unusable_data_are_a_problem(
    controller: Controller, monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: object, problem: str
) -> None:
    controller.finish()
    monkeypatch.setattr(module, name, value)
    channel = measure(controller)
    (record,) = channel.records
    assert (channel.content, record["size"]) == (b"", 0)
    assert re.fullmatch(problem, record["problem"])


@pytest.mark.parametrize("is_active", [True, False])
def test_pytest_cov_makes_no_report_of_one_image(is_active: bool) -> None:
    """Nor does it judge an image's total, or add earlier data."""
    plugin = SimpleNamespace(_should_report=lambda: True, options=SimpleNamespace(cov_fail_under=90))
    known = SimpleNamespace(cov_append=True)
    manager = SimpleNamespace(getplugin={"_cov": plugin if is_active else None}.get)
    measuring = MODULE.Measuring(Channel())
    hook: Generator[None, None, None] = measuring.pytest_load_initial_conftests(
        SimpleNamespace(known_args_namespace=known, pluginmanager=manager)
    )
    next(hook)
    assert known.cov_append is False
    assert plugin._should_report() is True  # not yet: pytest-cov is about to start
    next(hook, None)
    assert measuring.plugin is (plugin if is_active else None)
    assert (plugin._should_report(), plugin.options.cov_fail_under) == ((False, None) if is_active else (True, 90))
