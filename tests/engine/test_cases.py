"""Example projects for which similar tools have failed: each folder of ``../shared/cases`` beside the checkout.

``case.json`` has the arguments of pytest; what is right is a function here. The folder is copied before its
``setup.sh`` prepares it, and compared afterwards: nothing but the expected files may have changed on the host.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.support.jobs import Job, counts

CASES = Path(__file__).parents[3] / "shared" / "cases"
TIMEOUT = 200  # seconds
BOTH = ("3.12", "3.14-slim")
OF_PYTEST = frozenset((".git", ".pytest_cache", "__pycache__"))  # folders that a run on the host may write, too


@dataclass(frozen=True, kw_only=True)
class CaseRun:
    """A run of pytest in a case's folder that has ended."""

    folder: Path
    status: int
    output: str
    images: dict[str, Any]  # the report's, by label; empty if no image was run
    tests: dict[str, dict[str, str]]  # outcomes by node id and label
    changed: frozenset[str]  # files that the run has written, changed or removed, relative to the folder

    def passed(self, count: int, *labels: str) -> None:
        """Assert that so many tests have passed on each of the images, and nothing else."""
        names = ("passed", "failed", "skipped", "error")
        assert self.images.keys() == set(labels)
        assert {counts(image, *names) for image in self.images.values()} == {(count, 0, 0, 0)}
        assert self.status == 0

    def properties(self, file: str) -> set[tuple[str | None, str | None]]:
        """Return names and values of the test suites' properties in a file of junit's."""
        found = ET.parse(self.folder / file).iterfind("testsuite/properties/property")
        return {(entry.get("name"), entry.get("value")) for entry in found}

    def junit_tests(self, file: str) -> int:
        return len(list(ET.parse(self.folder / file).iter("testcase")))


def images_of_a_file_are_run(run: CaseRun) -> None:
    run.passed(1, *BOTH)


def host_options_of_a_file_count(run: CaseRun) -> None:
    run.passed(2, "3.12")
    assert run.junit_tests("out.xml") == 2


def renamed_reports_belong_to_their_tests(run: CaseRun) -> None:
    run.passed(2, *BOTH)
    assert run.junit_tests("out.xml") == 4
    assert "not run" not in run.output


def summary_is_that_of_pytest(run: CaseRun) -> None:
    line = "MYSUM collected=4 passed=2 skipped=1 deselected=1 warnings=1 error=0 duration_ok=True"
    assert line in run.output
    assert run.status == 0


def parameter_is_selected_on_both_images(run: CaseRun) -> None:
    run.passed(1, *BOTH)
    assert run.tests == {"tests/test_v.py::test_v[3.12]": dict.fromkeys(BOTH, "passed")}


def installed_tests_are_compared(run: CaseRun) -> None:
    assert run.status == 1
    assert sorted(tuple(outcomes.items()) for outcomes in run.tests.values()) == [
        tuple((label, outcome) for label in BOTH) for outcome in ("failed", "passed")
    ]


def suite_property_is_in_the_file(run: CaseRun) -> None:
    run.passed(1, "3.12")
    assert ("ARCH", "PPC") in run.properties("out.xml")


def snapshot_is_on_the_host(run: CaseRun) -> None:
    run.passed(1, "3.12")
    assert "test_one" in (run.folder / "__snapshots__" / "test_a.ambr").read_text()


def passes(count: int, *labels: str) -> Callable[[CaseRun], None]:
    return lambda run: run.passed(count, *labels)


def rootdir_is_the_project(run: CaseRun) -> None:
    run.passed(1, "3.12")
    assert f"rootdir: {run.folder}\n" in run.output


def odd_folder_is_measured(run: CaseRun) -> None:
    run.passed(2, *BOTH)
    assert run.junit_tests("out.xml") == 4
    assert any(line.split()[:1] == ["pkg.py"] and line.split()[-1] == "100%" for line in run.output.splitlines())


def report_is_named_or_kept(run: CaseRun) -> None:
    run.passed(1, "3.12")
    assert "reports/run.xml" in run.output or run.changed == {"reports/run.xml"}


def global_property_is_in_the_file(run: CaseRun) -> None:
    run.passed(1, "3.12")
    assert ("os", "x") in run.properties("out.xml")


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is right for a case."""

    check: Callable[[CaseRun], None]
    writes: frozenset[str] = field(default=frozenset())  # files that may change on the host, relative to its folder


def case(check: Callable[[CaseRun], None], *writes: str) -> Case:
    return Case(check=check, writes=frozenset(writes))


EXPECTED = {
    "01-argsfile-has-images": case(images_of_a_file_are_run),
    "02-argsfile-has-host-options": case(host_options_of_a_file_count, "out.xml"),
    "03-hook-renames-report": case(renamed_reports_belong_to_their_tests, "out.xml"),
    "04-summary-counts": case(summary_is_that_of_pytest),
    "07-parameter-is-a-tag": case(parameter_is_selected_on_both_images),
    "08-pyargs-installed": case(installed_tests_are_compared),
    "09-testsuite-property": case(suite_property_is_in_the_file, "out.xml"),
    "13-snapshot-update": case(snapshot_is_on_the_host, "__snapshots__/test_a.ambr"),
    "14-uv-workspace-root": case(passes(1, "3.12")),
    "15-uv-source-in-group": case(passes(1, "3.12")),
    "16-scm-foreign-owner": case(passes(1, *BOTH)),
    "20-multiprocessing": case(passes(3, *BOTH)),
    "22-option-value-is-a-path": case(rootdir_is_the_project),
    "24-requirement-options": case(passes(1, "3.12")),
    "25-jenkins-folder": case(odd_folder_is_measured, "out.xml", ".coverage"),
    "34-closes-descriptors": case(passes(5, *BOTH)),
    "35-conftest-names-report": case(report_is_named_or_kept, "reports/run.xml"),
    "37-nested-editables": case(passes(1, *BOTH)),
    "39b-value-with-an-image-in-brackets": case(passes(1, *BOTH)),
    "44-pdm-editable-dev": case(passes(1, "3.12")),
    "48-odd-folder": case(passes(1, *BOTH)),
    "51-uv-index-in-pyproject": case(passes(1, "3.12")),
    "52-uv-source-of-dependency": case(passes(1, "3.12-slim")),
    "53-uv-index-of-dependency": case(passes(1, "3.12-slim")),
    "54-junit-by-stash": case(global_property_is_in_the_file, "out.xml"),
}


pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason=f"{CASES} is missing: the cases are not beside this checkout"
)


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items(), ids=EXPECTED.keys())
def test_case(name: str, expected: Case, tmp_path: Path, host: str) -> None:
    folder = prepare(CASES / name, tmp_path / name)
    run = run_case(folder, tmp_path / "report.json")
    expected.check(run)
    assert run.changed <= expected.writes


def test_every_case_has_an_expectation() -> None:
    assert {folder.name for folder in CASES.iterdir() if (folder / "case.json").exists()} == EXPECTED.keys()


def prepare(original: Path, folder: Path) -> Path:
    """Copy a case, run its script, and return the copy."""
    shutil.copytree(original, folder, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
    script = folder / "setup.sh"
    if script.exists():
        if "chown" in script.read_text() and os.getuid() != 0:
            pytest.skip("only root can give a folder to another user")
        subprocess.run(["sh", "setup.sh"], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


def run_case(folder: Path, report: Path) -> CaseRun:
    """Run pytest as ``case.json`` says."""
    description = json.loads((folder / "case.json").read_text())
    cwd = folder / description.get("cwd", ".")
    Job(folder), Job(cwd.resolve())  # their images are removed at the end
    before = contents(folder)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *shlex.split(description["command"])],
        cwd=cwd,
        env={**os.environ, "PWD": str(cwd), "PY_IMAGES_REPORT": str(report)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    after = contents(folder)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    document = json.loads(report.read_text()) if report.exists() else {"images": [], "tests": []}
    prefix = f"{cwd.relative_to(folder)}/" if cwd != folder else ""
    return CaseRun(
        folder=cwd,
        status=done.returncode,
        output=done.stdout + done.stderr,
        images={image["label"]: image for image in document["images"]},
        tests={test["nodeid"]: test["outcomes"] for test in document["tests"]},
        changed=frozenset(
            name.removeprefix(prefix) for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        ),
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files, and the targets of links, by relative path."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if OF_PYTEST.isdisjoint(name.parts) and (path.is_symlink() or path.is_file()):
            found[str(name)] = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
    return found
