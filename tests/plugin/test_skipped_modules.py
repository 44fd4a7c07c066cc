"""A module that importorskip skips as a whole is in every report, with what would install the missing distribution."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.conftest import PYIMAGES, ImagesRun, run_command
from tests.support.golden import message

Run = Callable[..., ImagesRun]
PROJECT = """
[project]
name = "shop"
version = "1"
[project.optional-dependencies]
x = ["no-such-yaml"]
[dependency-groups]
test = ["pytest"]
more = ["no-such-json"]
"""


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    (pytester.path / "pyproject.toml").write_text(PROJECT)
    pytester.makepyfile(
        test_one="def test(): pass",
        test_two="import pytest\npytest.importorskip('no_such_yaml')\ndef test(): pass",
        test_three="""
            import pytest
            def test_a(): pytest.importorskip("no_such_json")
            def test_b(): pytest.importorskip("no_such_json")
            def test_c(): pytest.importorskip("no_such_yaml")
            def test_d(): pytest.importorskip("nobody_has_it")
        """,
    )


def test_skipped_module_is_in_every_report(pytester: pytest.Pytester, run_images: Run) -> None:
    reports = [f"--py-images-report={pytester.path / name}" for name in ("report.json", "r.html", "r.md")]
    run = run_images(*reports, "--junitxml=junit.xml", "-v", images="3.12,3.14-slim")
    assert run.tests["test_two.py"] == {"3.12": "skipped", "3.14-slim": "skipped"}
    assert {image["counts"]["skipped"] for image in run.images.values()} == {5}
    run.result.stdout.fnmatch_lines([" all 6 tests agree on 2 images, 5 skipped everywhere", "   test_two.py"])
    for suite in ET.parse("junit.xml").getroot():
        assert (suite.get("tests"), suite.get("skipped")) == ("6", "5")
    assert '"test_two.py"' in Path("r.html").read_text()
    assert " 5 |" in Path("r.md").read_text()


def test_note_names_what_provides_the_missing_module(run_images: Run) -> None:
    run = run_images(images="3.12,3.14-slim")
    extra = {"module": "no_such_yaml", "provider": "extra x", "entry": ".[x]"}
    group = {"module": "no_such_json", "provider": "group more", "entry": "--group more"}
    for skipped, fields in (("1 module and 1 test", extra), ("2 tests", group)):
        note = message("results", "skipped-for-lack-of", labels="3.12, 3.14-slim", skipped=skipped, **fields)
        assert f" note: {note}\n" in run.out
    assert "nobody_has_it" not in run.out


def test_module_skipped_on_one_image_differs(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        test_two="""
            import os, pytest
            if "slim" in os.environ["FAKE_IMAGE"]: pytest.skip("slim", allow_module_level=True)
            def test(): pass
        """
    )
    run = run_images(images="3.12,3.14-slim")
    run.result.stdout.fnmatch_lines([" skipped only on 3.14-slim", "   test_two.py * s"])


def test_shards_with_skipped_modules_are_merged(pytester: pytest.Pytester, run_images: Run) -> None:
    for shard in (1, 2):
        run_images(f"--py-images-shard={shard}/2")
        (pytester.path / "report.json").rename(f"{shard}.json")
    result = run_command(PYIMAGES, "merge", "1.json", "2.json", "-o", "all.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [" note: shard 1/2: 3.12: 1 module skipped because no_such_yaml *", "=* 1 passed, 5 skipped in * =*"]
    )
