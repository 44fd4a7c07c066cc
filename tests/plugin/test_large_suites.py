"""Memory per test stays small: 20,000 tests on six images are 360,000 phases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.conftest import ImagesRun, make_distribution

Run = Callable[..., ImagesRun]
WITNESS = """
import json, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    from _pytest.junitxml import xml_key
    stats = {name: len(reports) for name, reports in terminalreporter.stats.items()}
    xml = terminalreporter.config.stash.get(xml_key, None)
    stats["in xml"] = -1 if xml is None else len(xml.node_reporters_ordered)
    print("WITNESS", json.dumps(stats))
"""
SUITE = """
import time, pytest
@pytest.fixture
def slow():
    time.sleep(1)
    yield
@pytest.mark.parametrize("n", range(30))
def test_many(n): pass
def test_slow(slow): pass
def test_fails(): assert 0
"""


@pytest.fixture
def witnessed(
    pytester: pytest.Pytester, run_images: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[str, dict[str, int]]]:
    """Run with a plugin on the host that tells what is kept; return the output and that."""
    make_distribution(tmp_path, "pytest-witness", "witness", WITNESS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    pytester.makepyfile(test_it=SUITE)

    def run(*args: str) -> tuple[str, dict[str, int]]:
        out = run_images(*args, images="3.12,3.13").out
        kept = re.search("WITNESS (.*)", out)
        assert kept is not None
        return out, json.loads(kept[1])

    return run


def test_junit_frees_finished_tests(
    pytester: pytest.Pytester, witnessed: Callable[..., tuple[str, dict[str, int]]]
) -> None:
    _, kept = witnessed("--junitxml=junit.xml")
    assert kept["in xml"] == 0
    assert kept[""] == 4, "the setup and teardown of the test that failed"
    suites = list(ET.parse(pytester.path / "junit.xml").getroot())
    assert [len(suite.findall("testcase")) for suite in suites] == [32, 32]
    assert [suite.get("failures") for suite in suites] == ["1", "1"]


def test_only_slow_phases_are_kept(witnessed: Callable[..., tuple[str, dict[str, int]]]) -> None:
    out, kept = witnessed("--durations=3", "--durations-min=0.9")
    assert len(re.findall(r"^1\.\d+s setup    test_it\.py::test_slow\[3\.1[23]\]$", out, re.MULTILINE)) == 2
    assert "(1 durations < 0.9s hidden" in out
    assert kept[""] < 10


def test_durations_zero_shows_all(witnessed: Callable[..., tuple[str, dict[str, int]]]) -> None:
    out, kept = witnessed("--durations=0", "-vv")
    shown = r"^\d+\.\d\ds (setup|call|teardown) +test_it\.py::test_many\[\d+\]\[3\.1[23]\]$"
    assert len(re.findall(shown, out, re.MULTILINE)) == 180
    assert kept[""] == 126 + 2


def test_passed_tests_can_be_listed(witnessed: Callable[..., tuple[str, dict[str, int]]]) -> None:
    """The terminal has small reports of them; -v shows the progress that it counts."""
    out, kept = witnessed("-rA", "-v")
    listed = re.findall(r"^PASSED (test_it\.py::\w+(?:\[\d+\])?\[3\.1[23]\])$", out, re.MULTILINE)
    assert len(set(listed)) == len(listed) == kept["passed"] == 62
    assert out.count("[100%]") == 1
