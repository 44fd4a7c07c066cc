"""The last-failed cache of each image, and the images that ``--lf`` does not start."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from pytest_pyimages.host import CommandLine
from pytest_pyimages.results.outcome import NOT_RUN, ImageResult, Kept
from pytest_pyimages.session.last_failed import LASTFAILED, NODEIDS, STEPWISE, CacheOptions, LastFailed
from tests.support.invocations import make_invocation

CWD = Path("/src/shop")
FAILED = {"3.12": {}, "3.14": {"tests/test_a.py::TestA::test_x[1]": True, "tests/sub/test_b.py": True}}


class Cache:
    """Like pytest's cache: values by key, and the keys that were set."""

    def __init__(self, **values: Any) -> None:
        self.values: dict[str, Any] = {f"pyimages/{name}": value for name, value in values.items()}
        self.written: list[str] = []

    def get(self, key: str, default: object) -> Any:
        return self.values.get(key, default)

    def set(self, key: str, value: object) -> None:
        self.values[key] = value
        self.written.append(key)


def memory(cache: Cache | None, typed: str = "") -> LastFailed:
    return LastFailed(cast("pytest.Cache", cache), make_invocation(typed, cwd=CWD))


def result(label: str = "3.14", *, problem: str = "", kept: Kept | None = None, **outcomes: str) -> ImageResult:
    by_nodeid = {f"t.py::{name}": outcome for name, outcome in outcomes.items()}
    return ImageResult(
        label=label,
        reference=f"python:{label}",
        allowed_to_fail=False,
        problem=problem,
        kept=kept,
        outcomes=by_nodeid,
    )


def kept(*failed: str, stepwise: object = None) -> Kept:
    return Kept(failed=failed, stepwise=stepwise)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", (False, False, False, False)),
        ("--lf --lfnf none", (True, True, False, False)),
        ("--last-failed --last-failed-no-failures=none --lfnf=all", (True, False, False, False)),
        ("--new-first --cache-clear", (False, False, True, True)),
        ("-k --lf --nf", (False, False, True, False)),
    ],
)
def test_parse_cache_options(typed: str, expected: tuple[bool, ...]) -> None:
    asked = CacheOptions.read(CommandLine.parse(shlex.split(typed)))
    assert (asked.last_failed, asked.none_without, asked.new_first, asked.clear) == expected


@pytest.mark.parametrize(
    ("words", "reached"),
    [
        ("", True),
        ("tests", True),
        ("tests/test_a.py", True),
        ("/src/shop/tests/test_a.py::TestA", True),
        ("tests/test_a.py::TestA::test_x", True),
        ("tests/test_a.py::TestA::test_x[1]", True),
        ("tests/test_a.py::TestA::test_x[2]", False),
        ("tests/test_a.py::Test", False),
        ("tests/sub/test_b.py::test_y", True),  # the file could not be collected
        ("tests/test_c.py", False),
        ("tests/test", False),
        ("other -k tests", False),
    ],
)
def test_find_idle_images(words: str, reached: bool) -> None:
    """If no failure is selected, all images run everything that is."""
    arguments = dict.fromkeys(("3.12", "3.14"), shlex.split(words))
    found = memory(Cache(lastfailed=FAILED), "--lf").find_idle_images(arguments)
    assert found == ({"3.12": "nothing failed"} if reached else {})


@pytest.mark.parametrize(
    ("typed", "labels", "expected"),
    [
        ("", "3.12 3.14", {}),
        ("--lf", "3.12", {}),
        ("--lf --lfnf=none", "3.12", {"3.12": "nothing failed"}),
        ("--lf", "3.11 3.12 3.14", {"3.12": "nothing failed"}),
        ("--lf --lfnf=none", "3.11 3.14", {"3.11": "no failures recorded"}),
        ("--lf --cache-clear", "3.12 3.14", {}),
        ("--ff", "3.12 3.14", {}),
    ],
)
def test_images_without_recorded_failures(typed: str, labels: str, expected: dict[str, str]) -> None:
    arguments: dict[str, list[str]] = {label: [] for label in labels.split()}
    assert memory(Cache(lastfailed=FAILED), typed).find_idle_images(arguments) == expected


def test_cache_values() -> None:
    cache = Cache(
        lastfailed=FAILED, nodeids=[[["3.12", "3.13"], ["b", "a"]], "broken", [1, 2]], stepwise={"3.14": ["x"]}
    )
    assert memory(cache, "--nf").cache_values(["3.12", "3.14"]) == {
        "3.12": {"lastfailed": {}, "stepwise": None, "nodeids": ["a", "b"]},
        "3.14": {"lastfailed": FAILED["3.14"], "stepwise": ["x"], "nodeids": []},
    }
    assert memory(cache).cache_values(["3.12"]) == {"3.12": {"lastfailed": {}, "stepwise": None}}
    assert memory(None, "--lf").cache_values(["3.12"]) == {}


def test_save() -> None:
    cache = Cache(lastfailed={"3.9": {"old": True}, "3.14": {"t.py::a": True}}, stepwise={"3.9": 1})
    results = {
        "3.12": result("3.12", kept=kept(), a="passed", b="passed"),
        "3.14": result(kept=kept("t.py::b", stepwise={"last_failed": "t.py::b"}), a="passed", b="failed"),
    }
    memory(cache).save(results, collect_only=False)
    assert cache.values == {
        LASTFAILED: {"3.9": {"old": True}, "3.12": {}, "3.14": {"t.py::b": True}},
        STEPWISE: {"3.9": 1, "3.14": {"last_failed": "t.py::b"}},
        NODEIDS: [[["3.12", "3.14"], ["t.py::a", "t.py::b"]]],
    }
    cache.written.clear()
    memory(cache).save(results, collect_only=False)
    assert NODEIDS not in cache.written, "a long list that is the same is not written again"


def test_save_after_a_crash() -> None:
    """Reported outcomes count; tests that were not run keep their state."""
    before = {"t.py::a": True, "t.py::b": True, "t.py::c": True, "u.py": True}
    cache = Cache(lastfailed={"3.14": before})
    died = result(problem="worker died", a="passed", b=NOT_RUN, d="failed", e="error", f="xpassed")
    died = replace(died, outcomes={**died.outcomes, "u.py::test": "passed"})
    memory(cache).save({"3.14": died}, collect_only=False)
    assert cache.values[LASTFAILED] == {"3.14": dict.fromkeys(("t.py::b", "t.py::c", "t.py::d", "t.py::e"), True)}


@pytest.mark.parametrize(("before", "after"), [({}, {}), ({"a": True}, {"3.14": {"a": True}})])
def test_save_of_an_untested_image(before: dict[str, bool], after: dict[str, Any]) -> None:
    cache = Cache(lastfailed={"3.14": before})
    memory(cache).save({"3.14": result(problem="not installable")}, collect_only=False)
    assert cache.values[LASTFAILED] == after


def test_collect_only_saves_no_node_ids() -> None:
    cache = Cache()
    memory(cache).save({"3.14": result(kept=kept(), a="passed")}, collect_only=True)
    assert cache.values == {LASTFAILED: {}}, "nor is an image that never ran known to have no failures"
    cache = Cache(lastfailed=FAILED)
    memory(cache).save({"3.12": result("3.12", kept=kept()), "3.14": result(kept=kept("u.py"))}, collect_only=True)
    assert cache.values == {LASTFAILED: {"3.12": {}, "3.14": {"u.py": True}}}


def test_cache_clear() -> None:
    cache = Cache(lastfailed=FAILED, nodeids=[[["3.9"], ["a"]]], stepwise={"3.9": 1})
    memory(cache, "--cache-clear").save({"3.12": result("3.12", kept=kept())}, collect_only=False)
    assert cache.values == {LASTFAILED: {"3.12": {}}, NODEIDS: [], STEPWISE: {}}


@pytest.mark.parametrize("value", [None, 1, [], "text", {"3.14": 1}, {"3.14": [{}]}])
def test_edited_cache_file(value: object) -> None:
    given = memory(Cache(lastfailed=value, nodeids=value), "--lf --nf").cache_values(["3.14"])
    assert given == {"3.14": {"lastfailed": {}, "stepwise": None, "nodeids": []}}
