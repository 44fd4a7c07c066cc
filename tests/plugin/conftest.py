"""A pytest run over images without an engine: ``run_images`` is what most tests here use."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.host.option_table import OPTION_TABLE
from tests.support.watched import Watch, Watched

# Installed on the host only, by the metadata beside it: nothing of it may be needed inside.
ENGINE_PLUGIN = """
import atexit, dataclasses, json
import pytest
from tests.support.fake_engine import *

ENGINE = {engine}
ENGINES = ENGINE if isinstance(ENGINE, dict) else {{}} if ENGINE is None else {{"": ENGINE}}
if isinstance(ENGINE, dict):  # by the values of --py-images-engine
    for address, engine in ENGINE.items():
        engine.info = dataclasses.replace(engine.info, endpoint=address)

@pytest.hookimpl(optionalhook=True)  # also there in a run with -p no:pyimages
def pytest_pyimages_engine(settings):
    return ENGINE.get(settings.endpoint) if isinstance(ENGINE, dict) else ENGINE

@atexit.register
def leaks():
    if not ENGINES:
        return
    left = []
    for engine in ENGINES.values():
        left += (name for name in engine.volumes if not name.startswith("pytest-pyimages-"))
        left += [*engine.containers, *engine.services, *engine.networks]
    by_engine = {{address: engine.calls for address, engine in ENGINES.items()}}
    calls = [call for found in by_engine.values() for call in found]
    most = max(engine.most_at_once for engine in ENGINES.values())
    with open({record!r}, "w") as file:
        json.dump({{"calls": calls, "by_engine": by_engine, "left": left, "most_at_once": most}}, file)
"""
Command = Callable[..., list[str]]
PYIMAGES = str(Path(sysconfig.get_path("scripts")) / "pyimages")


@dataclass(frozen=True)
class ImagesRun:
    """A finished run: pytest's result, what the engine was asked for, the JSON report if one was asked for."""

    result: pytest.RunResult
    calls: list[str]
    report: dict[str, Any]
    most_at_once: int = 0  # containers
    by_engine: dict[str, list[str]] = field(default_factory=dict)  # calls, by the address of one of several engines

    @property
    def out(self) -> str:
        return self.result.stdout.str()

    @property
    def err(self) -> str:
        return self.result.stderr.str()

    @property
    def images(self) -> dict[str, dict[str, Any]]:
        """The report's images by label."""
        return {image["label"]: image for image in self.report["images"]}

    @property
    def tests(self) -> dict[str, dict[str, str]]:
        """The report's outcomes by node id and label."""
        return {test["nodeid"]: test["outcomes"] for test in self.report["tests"]}


def make_distribution(folder: Path, name: str, module: str, source: str) -> None:
    """Write a module that is a pytest plugin to a folder, as if it had been installed there."""
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(source)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[pytest11]\n{name} = {module}\n")


def run_command(*command: str, timeout: float = 60) -> pytest.RunResult:
    """Run a command; unlike ``pytester.run``, which puts the current folder on its PYTHONPATH."""
    started = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    sys.stdout.write(f"$ {shlex.join(command)}\n{out}".encode(errors="replace").decode())
    sys.stderr.write(err.encode(errors="replace").decode())
    return pytest.RunResult(done.returncode, out.splitlines(), err.splitlines(), time.monotonic() - started)


def read_record(folder: Path) -> dict[str, Any]:
    """What the engine of a run that ended was asked for; fails if it still has something."""
    record: dict[str, Any] = {"calls": [], "left": [], "most_at_once": 0}
    if (folder / "engine.json").exists():
        record = json.loads((folder / "engine.json").read_text())
    assert record["left"] == []
    assert not list((folder / "cache-home").rglob("sessions/*.lock"))
    return record


@pytest.fixture
def images_command(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Command:
    """Return the command of a run on a FakeEngine, and set its environment.

    The command's keyword arguments: ``images``, the SPEC, or None for no option; ``engine``, an expression; ``inside``,
    a folder that only Pythons in containers import from; ``command``, instead of ``python -m pytest --py-images=...``.
    """
    host = tmp_path_factory.mktemp("host")
    # A link, since the folder above the tests has the source of the package, too: what is installed is tested.
    (host / "tests").symlink_to(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", str(host))
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache-home"))
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # pytester's would be the project
    of_pytest = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "CI", "GITHUB_ACTIONS", "PYIMAGES_INSIDE")
    for name in (*of_pytest, *(option.environment for option in OPTION_TABLE)):
        monkeypatch.delenv(name, raising=False)

    def command(
        *args: str,
        images: str | None = "3.12",
        engine: str = "FakeEngine()",
        inside: Path | None = None,
        command: tuple[str, ...] = (),
    ) -> list[str]:
        if inside is not None:
            engine = f"FakeEngine(environment={{'PYTHONPATH': {str(inside)!r}}})"
        source = ENGINE_PLUGIN.format(engine=engine, record=str(pytester.path / "engine.json"))
        make_distribution(host, "pytest-fake-engine", "engine_plugin", source)
        called = command or (sys.executable, "-m", "pytest", *([] if images is None else [f"--py-images={images}"]))
        return [*called, f"--py-images-report={pytester.path / 'report.json'}", *args]

    return command


@pytest.fixture
def run_images(pytester: pytest.Pytester, images_command: Command) -> Callable[..., ImagesRun]:
    """Run pytest over images on a FakeEngine, in a process of its own, and check that nothing was left behind."""

    def run(*args: str, **options: Any) -> ImagesRun:
        report_file = pytester.path / "report.json"
        report_file.unlink(missing_ok=True)
        result = run_command(*images_command(*args, **options))
        record = read_record(pytester.path)
        report = json.loads(report_file.read_text()) if report_file.exists() else {}
        return ImagesRun(result, record["calls"], report, record["most_at_once"], record.get("by_engine", {}))

    return run


@pytest.fixture
def watch(pytester: pytest.Pytester, images_command: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Start a run on a terminal of its own; see images_command for further arguments."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("PY_COLORS", "NO_COLOR", "FORCE_COLOR", "BUILD_NUMBER", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)

    runs: list[Watched] = []

    def started(*args: str, columns: int = 100, lines: int = 30, **options: str) -> Watched:
        runs.append(Watched(images_command(*args, **options), columns, lines))
        return runs[-1]

    yield started
    for run in runs:
        run.close()
    read_record(pytester.path)


# Each step is a command's words, or a text of Python to run between two; one engine for all of them.
SCRIPT = """
import importlib, json, os, pathlib, sys, time
from pytest_pyimages.cli.program import main

engine_of = lambda: importlib.import_module("engine_plugin").ENGINE
for step in json.loads(sys.argv[sys.argv.index("--steps") + 1]):
    status = 0
    if isinstance(step, str):
        exec(step)
    else:
        status = main(step)
    for stream in (sys.stdout, sys.stderr):
        stream.write("\\0%d\\0" % status)
        stream.flush()
"""
SHOP = """
[project]
name = "shop"
version = "1.0"
[project.optional-dependencies]
test = ["six"]
"""


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The table's rows below its header, by two or more spaces."""
        lines = [line for line in self.out.split("\n\n")[0].splitlines()[1:] if line.startswith(" ")]
        return [[cell.strip() for cell in line.strip().split("  ") if cell.strip()] for line in lines]


@pytest.fixture
def pyimages(pytester: pytest.Pytester, images_command: Command) -> Callable[..., list[Done]]:
    """Run commands and what is between them, in one process; check that nothing was left."""
    (pytester.path / "pyproject.toml").write_text(SHOP)
    (pytester.path / "shop.py").write_text("")
    script = pytester.path.parent / f"{pytester.path.name}-script.py"
    script.write_text(SCRIPT)

    def run(*steps: str | list[str], engine: str = "FakeEngine()") -> list[Done]:
        called = (sys.executable, str(script), "--steps", json.dumps(steps))
        result = run_command(*images_command(images=None, engine=engine, command=called))
        outs, errs = result.stdout.str().split("\0"), result.stderr.str().split("\0")
        assert len(outs) == 2 * len(steps) + 1, result.stderr.str()
        read_record(pytester.path)
        return [
            Done(int(outs[at + 1]), outs[at].lstrip("\n"), errs[at].lstrip("\n")) for at in range(0, len(outs) - 1, 2)
        ]

    return run
