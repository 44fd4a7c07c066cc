"""Suites with one of the plugins that the worker writes to a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.support.project_tree import write_tree

INSIDE = Path(str(resources.files("pytest_pyimages.inside")))
PROGRAMS = {"selection": "selecting", "shard": "sharding", "smoke": "smoke", "tracebacks": "tracebacks"}
RunSuite = Callable[..., pytest.HookRecorder]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Path:
    """Return the folder of a suite without tests."""
    return pytester.mkdir("suite")


@pytest.fixture
def run_suite(pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch) -> RunSuite:
    """Run pytest in this process; the plugin is a link to the package's file, and its job is beside it."""
    folder = pytester.mkdir("plugin")
    monkeypatch.syspath_prepend(folder)

    def run(plugin: str, job: dict[str, Any], *arguments: str) -> pytest.HookRecorder:
        path = folder / f"pyimages_{plugin}.py"
        if not path.is_symlink():
            path.symlink_to(INSIDE / f"{PROGRAMS[plugin]}.py")
        write_tree(folder, {f"{plugin}.json": json.dumps(job)})
        monkeypatch.chdir(suite)
        others = ("no:pyimages", "no:cacheprovider")
        return pytester.inline_run(f"-ppyimages_{plugin}", *(f"-p{name}" for name in others), *arguments)

    return run


def list_tests(record: pytest.HookRecorder) -> list[str]:
    """Return the ids of the tests that were run, in their order."""
    return [report.nodeid for report in record.getreports("pytest_runtest_logreport") if report.when == "call"]
