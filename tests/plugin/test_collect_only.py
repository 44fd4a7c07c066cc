"""``--collect-only`` lists the tests of each image and runs none; the ids can be pasted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

IMAGES = "3.12,3.14-slim"
SUITE = """
    import os
    import pytest

    class TestA:
        @pytest.mark.parametrize("text", ["plain", "a[b]"])
        def test_two(self, text): pass
    if "3.14" in os.environ["FAKE_IMAGE"]:
        def test_new(): raise SystemExit("it ran")
"""
TWO = ("tests/test_a.py::TestA::test_two[plain]", "tests/test_a.py::TestA::test_two[a[b]]")


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(**{"tests/test_a": SUITE, "tests/test_b": "def test_b(): pass"})


def test_table_shows_collected_counts(run_images: Run) -> None:
    run = run_images("--collect-only", images=IMAGES)
    assert run.result.ret == 0
    rows = [line.split() for line in run.out.splitlines() if line.startswith((" image", " 3."))]
    table = rows[[row[0] for row in rows].index("image") :]
    assert table[0] == ["image", "python", "tests", "build", "run"]
    assert [(row[0], row[2]) for row in table[1:]] == [("3.12", "3"), ("3.14-slim", "4")]
    run.result.stdout.fnmatch_lines(["=* 7 tests collected in *"])
    assert "it ran" not in run.out


def test_collected_ids_can_be_pasted(run_images: Run) -> None:
    out = run_images("--co", "-q", images=IMAGES).out
    ids = [line for line in out.splitlines() if "::" in line]
    assert set(ids) == {
        *(f"{nodeid}[{label}]" for nodeid in (*TWO, "tests/test_b.py::test_b") for label in IMAGES.split(",")),
        "tests/test_a.py::test_new[3.14-slim]",
    }
    assert out.splitlines()[-1].startswith("7 tests collected in ")
    pasted = [nodeid for nodeid in ids if "new" not in nodeid and "test_b" not in nodeid]
    run = run_images(*pasted, images=IMAGES)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 4})
    assert run.tests == {nodeid: {"3.12": "passed", "3.14-slim": "passed"} for nodeid in TWO}
    run = run_images(TWO[1] + "[3.14-slim]", images=IMAGES)
    assert run.tests == {TWO[1]: {"3.14-slim": "passed"}}


def test_counts_per_file(run_images: Run) -> None:
    lines = run_images("--co", "-qq", images=IMAGES).out.splitlines()
    assert sorted(line for line in lines if line) == [
        "tests/test_a.py[3.12]: 2",
        "tests/test_a.py[3.14-slim]: 3",
        "tests/test_b.py[3.12]: 1",
        "tests/test_b.py[3.14-slim]: 1",
    ]


def test_collection_error_with_collect_only(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="import os\nassert '3.14' not in os.environ['FAKE_IMAGE']\ndef test_a(): pass")
    run = run_images("--collect-only", images=IMAGES)
    assert run.result.ret == 2
    run.result.stdout.fnmatch_lines(["ERROR test_it.py[[]3.14-slim[]]*"])
    run = run_images("--lf", "--co", "-q", images=IMAGES)
    assert set(run.images) == set(IMAGES.split(",")), "where tests were only collected, nobody knows of failures"
