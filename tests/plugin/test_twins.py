"""Two labels of one image: its tests run once, and their results are those of both."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]

SAME = "(lambda engine: engine.images_by_reference.update({'%s': engine.find_image('%s')}) or engine)(FakeEngine())"
ENGINE = SAME % ("python:3.13", "python:3.12")
BOTH = ("3.12", "3.13")


def started(run: ImagesRun) -> int:
    return sum(call.startswith("start ") for call in run.calls)


def find_twin(run: ImagesRun) -> tuple[str, str]:
    """Return the label that has run, and the other one."""
    ((twin, first),) = [(label, image["same_as"]) for label, image in run.images.items() if "same_as" in image]
    return first, twin


def test_results_are_those_of_both(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        """
        import uuid, pytest
        def test_passes(): pass
        def test_fails(): assert not uuid.uuid4().hex
        @pytest.mark.skip
        def test_skipped(): pass
        """
    )
    run = run_images("-v", "--junitxml=junit.xml", images="3.12,3.13", engine=ENGINE)
    assert (run.result.ret, run.result.parseoutcomes()) == (1, {"passed": 2, "failed": 2, "skipped": 2})
    first, twin = find_twin(run)
    for label in BOTH:
        assert f"test_passes[{label}] PASSED" in run.out
        assert re.search(rf"(?m)^ *{re.escape(label)} .* 1 .* 1 .* 1 ", run.out)
    assert set(run.tests["test_results_are_those_of_both.py::test_passes"]) == set(BOTH)
    (failing,) = [test for test in run.report["tests"] if test["nodeid"].endswith("test_fails")]
    assert len({failure["message"] for failure in failing["failures"].values()}) == 1, "it has run once"
    assert message("images", "same-image", label=twin, first=first) in run.out
    assert re.search(rf"(?m)^ *{re.escape(twin)} .*same as {re.escape(first)}", run.out)
    suites = ET.parse(pytester.path / "junit.xml").getroot()
    marks = {suite.get("name"): suite.find("properties/property[@name='same_as']") for suite in suites}
    assert {label for label, mark in marks.items() if mark is not None} == {twin}
    assert {suite.get("tests") for suite in suites} == {"3"}


@pytest.mark.parametrize("body", ["os._exit(0)", "os.abort()", "raise KeyboardInterrupt"])
def test_no_twin_of_a_run_without_its_end_passes(pytester: pytest.Pytester, run_images: Run, body: str) -> None:
    pytester.makepyfile(f"import os, pytest\ndef test_a(): pass\ndef test_b(): {body}\n")
    run = run_images(images="3.12,3.13", engine=ENGINE)
    find_twin(run)
    assert run.result.ret != 0
    first, second = run.images.values()
    assert first["outcome"] == second["outcome"] != "passed"
    assert (first["problem"], first["exit_status"]) == (second["problem"], second["exit_status"])


@pytest.mark.parametrize("images", ["3.12?,3.13", "3.12,3.13?"])
def test_each_label_is_allowed_to_fail_by_itself(pytester: pytest.Pytester, run_images: Run, images: str) -> None:
    pytester.makepyfile("def test_a(): assert 0")
    assert run_images(images=images, engine=ENGINE).result.ret == 1
    assert run_images(images=images.replace(",", "?,").replace("??", "?"), engine=ENGINE).result.ret == (
        1 if images.endswith("3.13") else 0
    )


@pytest.mark.parametrize(
    ("args", "override"),
    [
        ((), 'args = ["-x"]'),
        ((), 'env = ["A=1"]'),
        ((), 'memory = "1g"'),
        (("test_it.py::test_a[3.12]", "test_it.py::test_b[3.13]"), ""),
        (("--py-images-artifacts=*.txt",), ""),
    ],
    ids=["args", "env", "options", "selection", "files of each image"],
)
def test_other_containers_run(pytester: pytest.Pytester, run_images: Run, args: tuple[str, ...], override: str) -> None:
    pytester.makepyfile(test_it="def test_a(): pass\ndef test_b(): pass\n")
    if override:
        pytester.makepyprojecttoml(f'[[tool.pyimages.overrides]]\nselect = "3.13"\n{override}\n')
    run = run_images(*args, images="3.12,3.13", engine=ENGINE)
    assert [image["outcome"] for image in run.images.values()] == ["passed", "passed"], run.out
    assert not any("same_as" in image for image in run.images.values())
    assert "is the same image" not in run.out


def test_coverage_of_both(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(mod="def f(): return 1\n", test_it="import mod\ndef test_a(): mod.f()\n")
    run = run_images("--cov=mod", images="3.12,3.13", engine=ENGINE)
    assert run.result.ret == 0, run.out
    find_twin(run)
    assert "100%" in run.out
    assert Path(pytester.path / ".coverage").is_file()
