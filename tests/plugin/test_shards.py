"""``--py-images-shard=K/N``: every test of every image is run by one of N sessions."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]

IMAGES = "3.12,3.14-slim"
SUITE = """
    import os
    import pytest

    class TestA:
        @pytest.mark.parametrize("number", range(4))
        def test_four(self, number): pass
    def test_fails(): assert "3.14" not in os.environ["FAKE_IMAGE"]
    if "3.14" in os.environ["FAKE_IMAGE"]:
        def test_new(): pass
"""
IDS = {*(f"test_it.py::TestA::test_four[{number}]" for number in range(4)), "test_it.py::test_fails"}
IDS |= {"test_more.py::test_more", "test_more.py::test_skipped"}
NEW = "test_it.py::test_new"
MORE = """
    import pytest
    def test_skipped(): pytest.skip("why not")
    def test_more(): pass
"""


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=SUITE, test_more=MORE)


def ids(run: ImagesRun, label: str) -> list[str]:
    return [nodeid for nodeid, outcomes in run.tests.items() if label in outcomes]


def durations(pytester: pytest.Pytester, **seconds: float) -> None:
    """Write down what runs would have."""
    known = dict.fromkeys(IDS, 10) | {f"test_{file}.py::test_{file}": value for file, value in seconds.items()}
    path = pytester.path / ".pytest_cache/v/pyimages/durations"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(known))


@pytest.mark.parametrize("options", [(), ("-n2",), ("-n2", "--dist=loadscope"), ("-n0",)], ids=" ".join)
def test_each_test_of_each_image_runs_once(run_images: Run, options: tuple[str, ...]) -> None:
    runs = [run_images(f"--py-images-shard={index}/3", *options, images=IMAGES) for index in (1, 2, 3)]
    for label, expected in (("3.12", IDS), ("3.14-slim", {*IDS, NEW})):
        parts = [ids(run, label) for run in runs]
        assert sorted(nodeid for part in parts for nodeid in part) == sorted(expected)
        assert all(2 <= len(part) <= 3 for part in parts)
        shards = [run.images[label]["shard"] for run in runs]
        assert [(shard["index"], shard["of"]) for shard in shards] == [(1, 3), (2, 3), (3, 3)]
        assert {shard["collected"] for shard in shards} == {len(expected)}
        assert [shard["tests"] for shard in shards] == [len(part) for part in parts]
        assert len({shard["digest"] for shard in shards}) == 1
    assert [run.result.ret for run in runs] == [0, 1, 0]
    assert all("deselected" not in run.out for run in runs)


def test_shard_is_reported(run_images: Run) -> None:
    run = run_images("--py-images-shard=2/3", images=IMAGES)
    run.result.stdout.fnmatch_lines(
        [
            "py-images: 3.12, 3.14-slim · shard 2/3 · *",
            " 3.12  * shard 2/3: 3 of 7 tests",
            " 3.14-slim  * shard 2/3: 2 of 8 tests",
        ]
    )
    run.result.stdout.no_fnmatch_line("*collected only on*")
    run.result.stdout.fnmatch_lines([" 3.14-slim again: python -m pytest --py-images=3.14-slim --lf"])
    assert "shard 2/3" not in run_images(images=IMAGES).out


def test_no_shard_in_the_report(run_images: Run) -> None:
    run = run_images(images=IMAGES)
    assert [image.keys() & {"shard"} for image in run.report["images"]] == [set(), set()]


def test_recorded_durations_balance(pytester: pytest.Pytester, run_images: Run) -> None:
    durations(pytester, more=1000)
    assert set(ids(run_images("--py-images-shard=2/2"), "3.12")) == {
        "test_more.py::test_more",
        "test_more.py::test_skipped",
    }


def test_only_full_runs_record_durations(pytester: pytest.Pytester, run_images: Run) -> None:
    """Else the next shard on this machine would divide the tests in another way."""
    path = pytester.path / ".pytest_cache/v/pyimages/durations"
    run_images("--py-images-shard=1/2")
    assert not path.exists()
    run_images(images=IMAGES)
    before = json.loads(path.read_text())
    assert set(before) == {*IDS, NEW}
    pytester.makepyfile(test_more="import time\ndef test_more(): time.sleep(0.3)")
    run_images("--py-images-shard=2/2")
    assert json.loads(path.read_text()) == before
    run_images("test_more.py")
    after = json.loads(path.read_text())
    assert after.pop("test_more.py::test_more") >= 300
    assert after == {nodeid: before[nodeid] for nodeid in after}
    run_images("--cache-clear", "--collect-only")
    assert json.loads(path.read_text()) == {}


def test_broken_durations_are_ignored(pytester: pytest.Pytester, run_images: Run) -> None:
    durations(pytester)
    path = pytester.path / ".pytest_cache/v/pyimages/durations"
    path.write_text(json.dumps({"test_more.py::test_more": "long", "test_it.py::test_fails": -1, "x": True}))
    assert len(ids(run_images("--py-images-shard=2/2"), "3.12")) == 4
    path.write_text("[]")
    assert len(ids(run_images("--py-images-shard=2/2"), "3.12")) == 4


def test_empty_shard_is_not_an_error(run_images: Run) -> None:
    """One that has nothing to select from is, as without shards."""
    run = run_images("--py-images-shard=1/4", "test_more.py")
    assert (run.result.ret, ids(run, "3.12")) == (0, [])
    run.result.stdout.fnmatch_lines([" 3.12  *  shard 1/4: 0 of 2 tests"])
    assert run.images["3.12"]["outcome"] == "passed"
    assert run_images("--py-images-shard=1/4", "-k", "nothing").result.ret == 5
    xdist = run_images("--py-images-shard=1/4", "-n2", "test_more.py")
    assert (xdist.result.ret, xdist.images["3.12"]["shard"]["collected"]) == (0, 2)


def test_collecting_nothing_is_an_error_in_every_shard(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        test_it="import os\nif '3.14' in os.environ['FAKE_IMAGE']:\n    def test_new(): pass", test_more=""
    )
    for index in (1, 2):
        run = run_images(f"--py-images-shard={index}/2", images=IMAGES)
        assert (run.result.ret, run.images["3.12"]["outcome"]) == (1, "error")
        assert run.images["3.12"]["problem"].startswith("no tests were collected, but 3.14-slim has 1 test ")
        assert run.images["3.14-slim"]["outcome"] == "passed"


def test_selection_comes_first(run_images: Run) -> None:
    """Of each kind: an expression, deselected ids, what failed before."""
    run = run_images("--py-images-shard=1/2", "-k", "four", "--deselect", "test_it.py::TestA::test_four[0]")
    assert (run.images["3.12"]["shard"]["collected"], len(ids(run, "3.12"))) == (3, 1)
    assert run.result.parseoutcomes() == {"passed": 1, "deselected": 4}
    run_images(images=IMAGES)
    runs = [run_images("--lf", f"--py-images-shard={index}/2", images=IMAGES) for index in (1, 2)]
    assert sorted(nodeid for each in runs for nodeid in ids(each, "3.14-slim")) == ["test_it.py::test_fails"]
    assert sorted(each.result.ret for each in runs) == [0, 1]
    assert {each.images["3.14-slim"]["shard"]["collected"] for each in runs} == {1}


def test_order_does_not_change_shards(pytester: pytest.Pytester, run_images: Run) -> None:
    """What shuffles decides on the order in a shard, and not on what is in it."""
    run = run_images("--py-images-shard=1/2")
    pytester.makeconftest("def pytest_collection_modifyitems(items): items.reverse()")
    assert ids(run_images("--py-images-shard=1/2"), "3.12") == ids(run, "3.12")[::-1]


def test_collect_only_shows_the_shard(run_images: Run) -> None:
    out = run_images("--co", "-q", "--py-images-shard=2/2").out
    assert [line for line in out.splitlines() if "::" in line] == [
        "test_it.py::TestA::test_four[3][3.12]",
        "test_it.py::test_fails[3.12]",
        "test_more.py::test_skipped[3.12]",
        "test_more.py::test_more[3.12]",
    ]


def test_undivided_image_is_an_error(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(
        """
        import pytest
        @pytest.hookimpl(tryfirst=True, hookwrapper=True)
        def pytest_collection(session):
            session.config.pluginmanager.set_blocked("pyimages-shard")
            yield
        """
    )
    run = run_images("--py-images-shard=1/2")
    assert run.result.ret == 1
    assert run.images["3.12"]["problem"].startswith("the tests were not divided into shards")


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        *(
            (value, "must be K/N, such as 1/3 for the first of three parts")
            for value in ("3", "a/b", "1/99999", "-1/3")
        ),
        *((value, "must be from 1/3 to 3/3") for value in ("0/3", "4/3")),
        ("1/0", "the number of parts must be 1 or more"),
    ],
)
def test_invalid_shard(run_images: Run, value: str, hint: str) -> None:
    run = run_images(f"--py-images-shard={value}")
    assert run.result.ret == 4
    told = message("host", "invalid-value", origin="--py-images-shard", value=value, hint=hint)
    assert run.err.strip() == f"ERROR: {told}"
    assert run.calls in ([], ["close"])


def test_empty_shard_value(run_images: Run) -> None:
    assert len(ids(run_images("--py-images-shard=1/2", "--py-images-shard="), "3.12")) == len(IDS)
