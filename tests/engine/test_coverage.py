"""``--cov`` in real containers: one report of all images reaches the host."""

from __future__ import annotations

import os
from pathlib import Path

import coverage
import pytest

from tests.support.jobs import Job, listing

SHOP = """\
import sys


def price():
    if sys.version_info >= (3, 14):
        return 1
    value = 2

    return value


def never():
    return 3
"""
TESTS = """\
import shop


def test_price():
    assert shop.price() in (1, 2)
"""


@pytest.fixture
def project(job: Job) -> Job:
    job.write(shop=SHOP, test_shop=TESTS)
    (job.folder / "requirements.txt").write_text("pytest-cov\npytest-xdist\n")
    (job.folder / "pytest.ini").write_text("[pytest]\naddopts = --cov=shop -p no:cacheprovider\n")
    return job


def lines_of(data_file: Path) -> dict[str, list[int]]:
    data = coverage.CoverageData(str(data_file))
    data.read()
    return {path: sorted(data.lines(path) or ()) for path in data.measured_files()}


def test_one_report_over_the_matrix(project: Job) -> None:
    before = listing(project.folder)
    run = project.run("--cov-report=term-missing", "--cov-report=html", "--cov-report=xml:out/c.xml")
    assert run.returncode == 0, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    assert "shop.py       8      1    88%   13" in lines
    only = lines.index(" covered only on 3.12")
    assert lines[only : only + 4] == [
        " covered only on 3.12",
        "   shop.py  7-9",
        " covered only on 3.14-slim",
        "   shop.py  6",
    ]
    new = listing(project.folder).keys() - before.keys() - {"report.json"}
    assert {".coverage", "out/c.xml", "htmlcov/index.html"} <= new
    assert {name.partition("/")[0] for name in new} == {".coverage", "out", "htmlcov"}
    for name in new:
        assert (project.folder / name).stat().st_uid == os.getuid()
    assert 'line-rate="0.875"' in (project.folder / "out" / "c.xml").read_text()
    assert "88%" in (project.folder / "htmlcov" / "index.html").read_text()
    # What a coverage of the host finds is what it knows by its own paths.
    assert lines_of(project.folder / ".coverage") == {str(project.folder / "shop.py"): [1, 4, 5, 6, 7, 9, 12]}


def test_fail_under_applies_once(project: Job) -> None:
    """Each image alone covers 62 or 75 percent."""
    project.write(test_never="import shop\n\ndef test_never():\n    assert shop.never()\n")
    run = project.run("--cov-fail-under=87", "test_shop.py")
    assert run.returncode == 0, run.stdout + run.stderr
    more = project.run("--cov-fail-under=100", "--cov-append", "--py-images-source=copy", "test_never.py")
    assert more.returncode == 0, more.stdout + more.stderr
    run = project.run("--cov-fail-under=100", "test_shop.py")
    assert run.returncode == 1
    assert "ERROR: Coverage failure: total of 88 is less than fail-under=100" in run.stdout
    assert {image["exit_status"] for image in project.images.values()} == {0}


@pytest.mark.battery
def test_old_pythons_and_workers_of_xdist(project: Job) -> None:
    run = project.run("-n2", "--py-images-cov-context=image", images="3.6,3.14-slim")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "TOTAL         8      1    88%" in run.stdout
    data = coverage.CoverageData(str(project.folder / ".coverage"))
    data.read()
    data.set_query_context("3.6")
    assert data.lines(str(project.folder / "shop.py")) == [1, 4, 5, 7, 9, 12]


def test_installed_package_is_reported_by_its_source(project: Job) -> None:
    """A wheel lies in another folder on every Python."""
    (project.folder / "src" / "wheel").mkdir(parents=True)
    (project.folder / "src" / "wheel" / "__init__.py").write_text(SHOP)
    (project.folder / "src" / "wheel" / "fast.c").write_text(
        "#include <Python.h>\n"
        'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, NULL};\n'
        "PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }\n"
    )
    (project.folder / "setup.py").write_text(
        "from setuptools import Extension, setup\n"
        'fast = Extension("wheel.fast", ["src/wheel/fast.c"])\n'
        'setup(name="wheel", version="1.0", packages=["wheel"], package_dir={"": "src"}, ext_modules=[fast])\n'
    )
    project.write(test_wheel=TESTS.replace("shop", "wheel"))
    run = project.run("--cov-reset", "--cov=wheel", "test_wheel.py", images="3.6,3.12")
    assert run.returncode == 0, run.stdout + run.stderr
    assert list(lines_of(project.folder / ".coverage")) == [str(project.folder / "src" / "wheel" / "__init__.py")]
    assert "covered only" not in run.stdout
