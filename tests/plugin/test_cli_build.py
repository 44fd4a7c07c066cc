"""``pyimages build``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import Done, make_distribution

Steps = Callable[..., list[Done]]
BUILD, LIST = ["build", "3.12,3.14-slim"], ["list"]


def test_build_reports_built_and_cached_images(pyimages: Steps) -> None:
    first, second = pyimages(BUILD, ["build", "3.14-slim,3.13"])
    assert (first.status, second.status) == (0, 0)
    assert [(row[0], row[2]) for row in first.rows] == [("3.12", "built"), ("3.14-slim", "built")]
    assert [(row[0], row[2]) for row in second.rows] == [("3.14-slim", "cached"), ("3.13", "built")]
    python = ".".join(map(str, sys.version_info[:3]))
    assert first.rows[0][1] == python
    assert first.rows[0][3].endswith("s")
    assert "3.12: installing .[test] (pyproject.toml)" in first.err
    assert first.out.splitlines()[0].split() == ["image", "python", "build", "time"]


def test_build_uses_the_images_of_the_ini_file(pytester: pytest.Pytester, pyimages: Steps) -> None:
    pytester.makeini("[pytest]\npy_images = 3.13\n")
    (done,) = pyimages(["build"])
    assert [row[0] for row in done.rows] == ["3.13"]


FAILING = """FakeEngine(installer=lambda spec, job: (
    {"failed": "install", "status": 1, "log": "no wheel for it"} if "3.13" in spec.image else installs(spec, job)
))"""


def test_build_fails_if_no_image_can_be_built(pyimages: Steps) -> None:
    (done,) = pyimages(["build", "3.13?"], engine=FAILING)
    assert done.status == 1
    assert "no image was built" in done.err


@pytest.mark.parametrize(("spec", "status"), [("3.12,3.13", 1), ("3.12,3.13?", 0)])
def test_build_reports_failures(pyimages: Steps, spec: str, status: int) -> None:
    (done,) = pyimages(["build", spec], engine=FAILING)
    assert done.status == status
    assert [row[2] for row in done.rows] == ["built", "failed"]
    assert ("allowed to fail" in done.out) == (status == 0)
    assert "ERROR: 3.13: not installable: .[test] (pyproject.toml)" in done.err
    assert "no wheel for it" in done.err


def test_build_uses_pytest_arguments(pytester: pytest.Pytester, pyimages: Steps) -> None:
    """The very images of a run with the same arguments."""
    (pytester.path / "other.ini").write_text("[pytest]\npy_images_apt = git\n")
    run = "import subprocess, pytest; pytest.main(['--py-images=3.12', '-c', 'other.ini', '-q', '--co'])"
    pytester.makepyfile("def test(): pass")
    _, plain, same = pyimages(run, ["build", "3.12"], ["build", "3.12", "--", "-c", "other.ini"])
    assert (plain.rows[0][2], same.rows[0][2]) == ("built", "cached")


def test_build_calls_hooks_of_host_plugins(
    pytester: pytest.Pytester, pyimages: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_distribution(
        tmp_path,
        "pytest-our-recipes",
        "our_recipes",
        "from dataclasses import replace\n"
        "def pytest_pyimages_recipe(recipe): return replace(recipe, steps=(('pytest', 'from-a-hook'),))\n",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}:{tmp_path}")
    _, listed = pyimages(["build", "3.12"], LIST)
    assert "pip install pytest from-a-hook" in listed.out
    assert "current" in listed.out


def test_option_with_a_plugin_gets_its_own_image(pyimages: Steps) -> None:
    """The plugin of the option is in it; neither takes the place of the other."""
    parallel, another = ["build", "3.12", "--", "-n", "2"], ["build", "3.12", "--", "--dist=load", "-n4"]
    done = pyimages(["build", "3.12"], parallel, ["build", "3.12"], another)
    assert [each.rows[0][2] for each in done] == ["built", "built", "cached", "cached"]
    assert "3.12: installing .[test] (pyproject.toml), pytest-xdist (-n)" in done[1].err


def test_names_are_printed_without_a_build(pyimages: Steps) -> None:
    named, built = pyimages(["build", "3.12,3.14-slim", "--print-names"], BUILD)
    names = named.out.splitlines()
    assert (named.status, len(names)) == (0, 2)
    assert [name.partition(":")[0] for name in names] == ["pytest-pyimages/environment"] * 2
    assert "installing" not in named.err
    assert [row[2] for row in built.rows] == ["built", "built"]
