"""``--cov`` over the matrix: one report of all images, with pytest-cov's own options."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import coverage
import jsonschema
import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.fake_engine import UNMEASURED
from tests.support.golden import message

Run = Callable[..., ImagesRun]
IMAGES = "3.11,3.12"
SHOP = """\
import os


def price():
    if os.environ["FAKE_IMAGE"] == "python:3.11":
        value = 1

        return value
    return 2


def never():
    return 3
"""
TESTS = """\
import shop

def test_price():
    assert shop.price() in (1, 2)
"""


@pytest.fixture(autouse=True)
def _one_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(UNMEASURED, "1")


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """Return a project of eight statements: each image covers five or six, both together seven."""
    (pytester.path / "shop.py").write_text(SHOP)
    (pytester.path / "test_shop.py").write_text(TESTS)
    return pytester.path


def measured(folder: Path) -> dict[str, list[int]]:
    """Return the lines in a project's data file, by the names of its files."""
    data = coverage.CoverageData(str(folder / ".coverage"))
    data.read()
    return {Path(path).name: sorted(data.lines(path) or ()) for path in data.measured_files()}


def contexts(folder: Path) -> set[str]:
    connection = sqlite3.connect(folder / ".coverage")
    try:
        return {row[0] for row in connection.execute("SELECT context FROM context")}
    finally:
        connection.close()


def test_one_report_over_all_images(project: Path, run_images: Run) -> None:
    run = run_images("--cov=shop", "--cov-report=term-missing", images=IMAGES)
    assert run.result.ret == 0
    run.result.stdout.fnmatch_lines(
        [
            "*= py-images =*",
            "*= tests coverage =*",
            "*_ coverage: 3.11, 3.12 _*",
            "shop.py       8      1    88%   13",
            "TOTAL         8      1    88%",
            " covered only on 3.11",
            "   shop.py  6-8",
            " covered only on 3.12",
            "   shop.py  9",
            "*= 2 passed in*",
        ]
    )
    assert run.out.count("tests coverage") == 1
    assert measured(project)["shop.py"] == [1, 4, 5, 6, 8, 9, 12]


def test_coverage_differences_in_the_json_report(project: Path, run_images: Run) -> None:
    run = run_images("--cov=shop", images=f"{IMAGES},3.13")
    assert run.report["coverage"] == {
        "images": ["3.11", "3.12", "3.13"],
        "missing": {},
        "reported_by": "3.11",
        "total": 87.5,
        "failed": False,
        "files": [
            {
                "path": "shop.py",
                "covered": [
                    {"images": ["3.11"], "lines": [6, 8]},
                    {"images": ["3.12", "3.13"], "lines": [9]},
                ],
            }
        ],
    }
    assert "covered only on 3.11" in run.out
    assert "covered only on 3.12" not in run.out
    schema = files("pytest_pyimages.results").joinpath("report.schema.json").read_text("utf-8")
    jsonschema.validate(run.report, json.loads(schema), cls=jsonschema.Draft202012Validator)


def test_no_note_if_images_cover_the_same(project: Path, run_images: Run) -> None:
    (project / "shop.py").write_text("def price():\n    return 1\n")
    run = run_images("--cov=shop", images=IMAGES)
    assert "100%" in run.out
    assert "covered only" not in run.out
    assert run.report["coverage"]["files"] == []


def test_without_the_option_nothing_is_reported(project: Path, run_images: Run) -> None:
    run = run_images(images=IMAGES)
    assert run.result.ret == 0
    assert "coverage" not in run.report
    assert not (project / ".coverage").exists()


@pytest.mark.parametrize("where", ["addopts", "PYTEST_ADDOPTS"])
def test_options_of_the_configuration(
    project: Path, run_images: Run, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "--cov=shop --cov-report=xml:out/coverage.xml --cov-report=json"
    if where == "addopts":
        (project / "pytest.ini").write_text(f"[pytest]\naddopts = {text}\n")
    else:
        monkeypatch.setenv("PYTEST_ADDOPTS", text)
    run = run_images(images=IMAGES)
    assert run.result.ret == 0
    assert "Coverage XML written to file out/coverage.xml" in run.out
    assert 'line-rate="0.875"' in (project / "out" / "coverage.xml").read_text()
    totals = json.loads((project / "coverage.json").read_text())["totals"]
    assert totals["missing_lines"] == 1


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("html", "htmlcov/index.html", "88%"),
        ("html:page", "page/index.html", "88%"),
        ("lcov", "coverage.lcov", "DA:13,0"),
        ("annotate", "shop.py,cover", "!     return 3"),
        ("annotate:notes", "notes/*shop.py,cover", "!     return 3"),
        ("markdown:cov.md", "cov.md", "88%"),
    ],
)
def test_every_kind_of_report(project: Path, run_images: Run, kind: str, name: str, text: str) -> None:
    run = run_images("--cov=shop", "--cov-report", kind, images=IMAGES)
    assert run.result.ret == 0
    (path,) = project.glob(name)
    assert text in path.read_text()
    assert "TOTAL" not in run.out


def test_empty_cov_report(project: Path, run_images: Run) -> None:
    run = run_images("--cov=shop", "--cov-report=", images=IMAGES)
    assert run.result.ret == 0
    assert "TOTAL" not in run.out
    assert measured(project)["shop.py"] == [1, 4, 5, 6, 8, 9, 12]


@pytest.mark.parametrize("where", ["option", "configuration"])
@pytest.mark.parametrize(("least", "status"), [(87, 0), (90, 1)])
def test_fail_under_applies_to_the_matrix(project: Path, run_images: Run, where: str, least: int, status: int) -> None:
    """Each image alone covers 62 or 75 percent: 87 is reached together only."""
    (project / ".coveragerc").write_text(f"[report]\nfail_under = {least}\n" if where == "configuration" else "")
    run = run_images("--cov=shop", *([f"--cov-fail-under={least}"] if where == "option" else []), images=IMAGES)
    assert run.result.ret == status
    verdict = "FAIL Required test coverage of 90*% not reached" if status else "Required test coverage of 87*% reached"
    run.result.stdout.fnmatch_lines([f"{verdict}. Total coverage: 87.50%"])
    assert run.out.count("Required test coverage") == 1
    assert {image["exit_status"] for image in run.report["images"]} == {0}
    assert run.report["coverage"]["failed"] == bool(status)


def test_precision_and_branches(project: Path, run_images: Run) -> None:
    run = run_images("--cov=shop", "--cov-branch", "--cov-precision=2", images=IMAGES)
    run.result.stdout.fnmatch_lines(["Name*Branch BrPart*", "shop.py       8      1      2      0  90.00%"])


def test_separate_coverage_configuration(project: Path, run_images: Run) -> None:
    (project / "other.cfg").write_text("[run]\nomit = shop.py\n[report]\nexclude_also = assert\n")
    run = run_images("--cov=.", "--cov-config", "other.cfg", "--cov-report=term-missing", images=IMAGES)
    assert "test_shop.py       2      0   100%" in run.out
    assert "shop.py       8" not in run.out


def test_cov_append(project: Path, run_images: Run) -> None:
    (project / "test_never.py").write_text("import shop\n\ndef test_never():\n    assert shop.never()\n")
    run_images("--cov=shop", "test_never.py", images=IMAGES)
    assert measured(project)["shop.py"] == [1, 4, 12, 13]
    run = run_images("--cov=shop", "--cov-append", "test_shop.py", images=IMAGES)
    assert "TOTAL         8      0   100%" in run.out
    assert [row["lines"] for row in run.report["coverage"]["files"][0]["covered"]] == [[6, 8], [9]]
    run_images("--cov=shop", "test_shop.py", images=IMAGES)
    assert 13 not in measured(project)["shop.py"]


def test_context_with_image_names(project: Path, run_images: Run) -> None:
    run_images("--cov=shop", "--cov-context=test", images=IMAGES)
    assert contexts(project) == {"", "test_shop.py::test_price|run"}
    run_images("--cov=shop", "--cov-context=test", "--py-images-cov-context=image", images=IMAGES)
    assert contexts(project) == {
        *("3.11", "3.12"),
        *("3.11|test_shop.py::test_price|run", "3.12|test_shop.py::test_price|run"),
    }
    (project / "pytest.ini").write_text("[pytest]\npy_images_cov_context = image\n")
    run = run_images("--cov=shop", images=IMAGES)
    assert contexts(project) == {"3.11", "3.12"}
    assert "   shop.py  6-8" in run.out


def test_invalid_cov_context(project: Path, run_images: Run) -> None:
    run = run_images("--cov=shop", "--py-images-cov-context=label", images=IMAGES)
    assert run.result.ret == 4
    origin = "--py-images-cov-context"
    assert message("host", "invalid-value", origin=origin, value="label", hint="choose image or none") in run.err


def test_no_cov(project: Path, run_images: Run) -> None:
    for arguments in (["--cov=shop", "--no-cov"], ["--cov=shop", "--cov-reset"], ["--cov=shop", "--collect-only"]):
        run = run_images(*arguments, images=IMAGES)
        assert run.result.ret == 0
        assert "TOTAL" not in run.out
        assert "coverage" not in run.report
        assert not (project / ".coverage").exists()


def test_no_cov_on_fail(project: Path, run_images: Run) -> None:
    (project / "test_shop.py").write_text(TESTS + "    assert shop.price() == 2\n")
    run = run_images("--cov=shop", images=IMAGES)
    assert "TOTAL" in run.out
    assert "covered only on" in run.out
    for silent in ("--no-cov-on-fail", "--cov-report="):
        run = run_images("--cov=shop", silent, images=IMAGES)
        assert run.result.ret == 1
        assert "TOTAL" not in run.out
        assert "covered only on" not in run.out


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--cov-fail-under=1"], 1)])
def test_nothing_measured(project: Path, run_images: Run, options: list[str], status: int) -> None:
    """As a subset of the tests may; pytest-cov does not mind unless something is required."""
    (project / "test_other.py").write_text("def test_other(): pass\n")
    run = run_images("--cov=shop", "test_other.py", *options, images=IMAGES)
    assert run.result.ret == status
    assert "WARNING: Failed to generate report: No data to report." in run.out


def test_image_without_data_is_named(project: Path, run_images: Run) -> None:
    run = run_images("--cov=shop", images="3.11,3.12,2.7?")
    assert run.result.ret == 0
    assert " no coverage data of 2.7: it was not tested to its end" in run.out
    assert run.report["coverage"]["missing"] == {"2.7": "it was not tested to its end"}
    assert run.report["coverage"]["images"] == ["3.11", "3.12"]


def test_unreadable_data_is_named_and_the_rest_reported(project: Path, run_images: Run) -> None:
    (project / "conftest.py").write_text(
        "import os, pytest\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_sessionfinish():\n"
        "    if os.environ['FAKE_IMAGE'] == 'python:3.11':\n"
        "        with open(os.environ['COVERAGE_FILE'], 'w') as file:\n"
        "            file.write('no database')\n"
    )
    run = run_images("--cov=shop", images=IMAGES)
    run.result.stdout.fnmatch_lines([" no coverage data of 3.11: its data cannot be read (*)"])
    assert measured(project)["shop.py"] == [1, 4, 5, 9, 12]
    assert run.report["coverage"]["images"] == ["3.12"]


def test_incompatible_data_is_named(project: Path, run_images: Run) -> None:
    """Coverage itself would warn, and report less."""
    (project / ".coveragerc").write_text("[run]\nplugins = branchy\n")
    (project / "branchy.py").write_text(
        "import os\n"
        "class Branchy:\n"
        "    def configure(self, config):\n"
        "        config.set_option('run:branch', os.environ['FAKE_IMAGE'] == 'python:3.12')\n"
        "def coverage_init(reg, options):\n"
        "    reg.add_configurer(Branchy())\n"
    )
    run = run_images("--cov=shop", images=IMAGES)
    reason = "its data cannot be read (ValueError: branches were measured on this image only)"
    assert f" no coverage data of 3.12: {reason}" in run.out
    assert run.report["coverage"]["images"] == ["3.11"]


def test_failed_report_is_an_error(project: Path, run_images: Run) -> None:
    (project / ".coveragerc").write_text("[run]\nplugins = breaking\n")
    (project / "breaking.py").write_text(
        "import os, tempfile\n"
        "class Breaking:\n"
        "    def configure(self, config):\n"
        "        if 'COVERAGE_FILE' not in os.environ:\n"
        "            raise OSError('no way to report')\n"
        "def coverage_init(reg, options):\n"
        "    reg.add_configurer(Breaking())\n"
    )
    run = run_images("--cov=shop", images=IMAGES)
    assert run.result.ret == 1
    assert " coverage: the report could not be made on 3.11: " in run.out
    assert "OSError: no way to report" in run.out


def test_stopped_image_counts_with_a_note(project: Path, run_images: Run) -> None:
    (project / "test_shop.py").write_text(
        TESTS + "    assert shop.price() == 2\n\ndef test_never():\n    assert shop.never()\n"
    )
    run = run_images("--cov=shop", "--py-images-fail-fast=image", "--cov-report=term-missing", images=IMAGES)
    assert "TOTAL         8      0   100%" in run.out
    assert " coverage of 3.11 is incomplete: the suite was stopped" in run.out


def test_stopped_session_has_no_report(project: Path, run_images: Run) -> None:
    """So it is in pytest-cov."""
    (project / "test_shop.py").write_text(TESTS.replace("in (1, 2)", "== 0"))
    run = run_images("--cov=shop", "-x", images=IMAGES)
    assert run.result.ret == 1
    assert "TOTAL" not in run.out


def test_data_of_a_crashed_xdist_worker_is_reported_missing(project: Path, run_images: Run) -> None:
    (project / "test_died.py").write_text("import os\n\n\ndef test_died():\n    os._exit(3)\n")
    run = run_images("--cov=shop", "-n2", images="3.12")
    assert run.result.ret == 1
    assert " coverage of 3.12: what 1 of xdist's workers measured was lost with them\n" in run.out
    assert "no coverage data of" not in run.out


def test_workers_of_xdist(project: Path, run_images: Run) -> None:
    run = run_images("--cov=shop", "-n2", images=IMAGES)
    assert run.result.ret == 0
    assert "TOTAL         8      1    88%" in run.out
    assert "   shop.py  6-8" in run.out


def test_one_image(project: Path, run_images: Run) -> None:
    run = run_images("--cov=shop", images="3.12")
    assert "TOTAL         8      3    62%" in run.out
    assert "covered only" not in run.out


def test_container_cannot_choose_report_paths(project: Path, run_images: Run, tmp_path: Path) -> None:
    outside = tmp_path / "coverage.xml"
    (project / ".coveragerc").write_text(f"[xml]\noutput = {outside}\n")
    run = run_images("--cov=shop", "--cov-report=xml", images=IMAGES)
    assert run.result.ret == 1
    assert f"coverage: xml report {outside} is outside of the project" in run.out
    assert run_images("--cov=shop", f"--cov-report=xml:{outside}", images=IMAGES).result.ret == 0
