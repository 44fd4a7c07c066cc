"""Tests are divided into shards: each in one, of about the same time, files together; with fixed seeds."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.inside import sharding as shard_plugin
from tests.support.project_tree import write_tree
from tests.unit.inside.conftest import RunSuite, list_tests

PLUGIN: Any = shard_plugin  # in Python 2's syntax, so without types


def partition(nodeids: list[str], milliseconds: dict[str, int], number: int) -> list[list[str]]:
    parts: list[list[str]] = PLUGIN.partition(nodeids, milliseconds, number)
    return parts


def make_suite(chance: random.Random) -> list[str]:
    """Files of very different sizes, with functions, classes and parameters, in no order."""
    found = []
    for file in range(chance.randint(1, 12)):
        for test in range(chance.choice([0, 1, 2, 9, 80])):
            holder = chance.choice(["", "::TestA", "::TestB"])
            found.append(f"tests/test_{file}.py{holder}::test_{test}{chance.choice(['', '[1-a::b]', '[ü]'])}")
    chance.shuffle(found)
    return found


def timings(chance: random.Random, nodeids: list[str]) -> dict[str, int]:
    known = [nodeid for nodeid in nodeids if chance.random() < chance.choice([0.0, 0.5, 1.0])]
    return {nodeid: chance.choice([0, 1, 20, 300, 9000]) for nodeid in [*known, "tests/test_gone.py::test_gone"]}


@pytest.mark.parametrize("seed", range(200))
def test_each_test_is_in_one_shard_on_every_machine(seed: int) -> None:
    chance = random.Random(seed)
    nodeids = make_suite(chance)
    milliseconds = timings(chance, nodeids)
    number = chance.randint(1, 12)
    parts = partition(nodeids, milliseconds, number)
    assert len(parts) == number
    assert list(itertools.chain(*parts)) == sorted(nodeids)
    elsewhere = dict(sorted(milliseconds.items(), reverse=True))
    assert partition(sorted(nodeids), elsewhere, number) == parts


@pytest.mark.parametrize("seed", range(200))
def test_shards_take_about_the_same_time(seed: int) -> None:
    """No longer than an equal share, and half a test and the room for whole files at each end."""
    chance = random.Random(seed)
    nodeids = make_suite(chance)
    milliseconds = timings(chance, nodeids)
    number = chance.randint(1, 12)
    ordered = sorted(nodeids)
    weight = dict(zip(ordered, PLUGIN.weigh(ordered, milliseconds), strict=True))
    share = sum(weight.values()) / number
    longest = max(weight.values(), default=0)
    for part in partition(nodeids, milliseconds, number):
        took = sum(weight[nodeid] for nodeid in part)
        assert took <= share * 1.1 + longest
        assert took >= share * 0.9 - longest


def test_without_durations_tests_are_counted() -> None:
    nodeids = [f"test_a.py::test_{number:03}" for number in range(100)]
    assert [len(part) for part in partition(nodeids, {}, 3)] == [33, 34, 33]
    assert [len(part) for part in partition(nodeids[:2], {}, 4)] == [0, 1, 0, 1]
    assert partition([], {}, 2) == [[], []]


def test_an_unknown_duration_counts_as_the_median() -> None:
    nodeids = [f"test_a.py::test_{number}" for number in range(6)]
    known = {nodeids[0]: 1, nodeids[1]: 500, nodeids[2]: 900}
    assert PLUGIN.weigh(nodeids, known) == [1, 500, 900, 500, 500, 500]


def test_a_file_is_not_divided_if_that_costs_little() -> None:
    nodeids = [f"test_a.py::test_{number:02}" for number in range(52)]
    nodeids += [f"test_b.py::test_{number:02}" for number in range(48)]
    assert [len(part) for part in partition(nodeids, {}, 2)] == [52, 48]
    slow = {**dict.fromkeys(nodeids, 1), nodeids[0]: 30}
    assert [len(part) for part in partition(nodeids, slow, 2)] == [35, 65], "to keep the file would cost much"


def test_a_class_is_not_divided_where_no_file_ends() -> None:
    nodeids = [f"test_a.py::TestA::test_{number:02}" for number in range(49)]
    nodeids += [f"test_a.py::TestB::test_{number:02}[a::b]" for number in range(51)]
    assert [len(part) for part in partition(nodeids, {}, 2)] == [49, 51]


def test_a_test_that_takes_longer_than_a_share_is_alone() -> None:
    nodeids = [f"test_a.py::test_{number}" for number in range(5)]
    parts = partition(nodeids, {**dict.fromkeys(nodeids, 1), nodeids[2]: 1000}, 3)
    assert [len(part) for part in parts] == [2, 1, 2]


def test_twenty_thousand_tests_are_divided_quickly() -> None:
    nodeids = [f"tests/test_{number // 50:03}.py::test_{number % 50}" for number in range(20_000)]
    parts = partition(nodeids, dict.fromkeys(nodeids, 5), 7)
    assert {len(part) % 50 for part in parts} == {0}


def test_each_shard_runs_its_tests_and_reports_all(suite: Path, run_suite: RunSuite) -> None:
    write_tree(suite, {f"test_{name}.py": "def test_1(): pass\ndef test_2(): pass\n" for name in "ab"})
    wholes = []
    for index in (1, 2):
        job = {"index": index, "of": 2, "milliseconds": {"test_a.py::test_1": 3}}
        record = run_suite("shard", job)
        name = "ab"[index - 1]
        assert list_tests(record) == [f"test_{name}.py::test_{number}" for number in (1, 2)]
        (deselected,) = record.getcalls("pytest_deselected")
        assert len(deselected.items) == 2
        wholes.append(json.loads((suite.parent / "plugin" / "whole.json").read_text()))
    assert wholes[0] == wholes[1]  # so that the host can compare shards of several machines
    assert {key: wholes[0][key] for key in ("collected", "tests", "deselected")} == {
        "collected": 4,
        "tests": 2,
        "deselected": 2,
    }
    assert run_suite("shard", {"index": 1, "of": 1, "milliseconds": {}}).getcalls("pytest_deselected") == []
