"""What pytest-cov has measured is sent, or why it is not; and the names of bytecode after a slow collection."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coverage
import pytest

MODULE: Any = import_module("pytest_pyimages.inside.worker.measuring")  # without annotations, for Python 2.7
TAG = sys.implementation.cache_tag
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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = ("a.py", "__pycache__/a.{}.pyc", "pkg/__pycache__/b.{}-pytest-9.0.pyc", "pkg/__pycache__/b.{}.pyc.123")
    for name in (*names, "pkg/__pycache__/old.cpython-27.pyc", "venv/__pycache__/c.{}.pyc", "__pycache__/d.e.{}.pyc"):
        path = tmp_path / name.format(TAG)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_files_of_this_python(root: Path) -> None:
    expected = [f"__pycache__/a.{TAG}.pyc", f"__pycache__/d.e.{TAG}.pyc", f"pkg/__pycache__/b.{TAG}-pytest-9.0.pyc"]
    assert sorted(MODULE.list_bytecode(str(root), {"__pycache__", "venv"})) == expected


def test_many_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "MOST_NAMES", 2)
    assert len(MODULE.list_bytecode(str(root), {"venv"})) == 2


@pytest.mark.parametrize(("seconds", "sent"), [(1.5, [2, 1]), (0.5, [])])
def test_after_a_slow_collection_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, sent: list[int]
) -> None:
    now = iter((10.0, 10.0 + seconds))
    monkeypatch.setattr(MODULE, "clock", lambda: next(now))
    monkeypatch.setattr(MODULE, "ROWS", 2)
    channel = Channel()
    lister = MODULE.BytecodeLister(
        channel, {"source": {"root": str(root)}, "bytecode": {"skip": ["venv"], "seconds": 1}}
    )
    lister.pytest_configure()
    lister.pytest_collection_finish()
    lister.pytest_xdist_node_collection_finished()
    assert [len(record["paths"]) for record in channel.records] == sent
    assert {record["t"] for record in channel.records} <= {"compiled"}
