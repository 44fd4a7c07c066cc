"""Which modules a smoke test imports, and what of the suite it can do without."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.project_tree import write_tree
from tests.unit.inside.conftest import RunSuite

SMOKE: Any = import_module("pytest_pyimages.inside.smoke")  # without annotations, for Python 2.7


def find_modules(root: Path, distribution: str = "") -> dict[str, str]:
    """Return the names of the modules by their paths below the root."""
    _, found = SMOKE.find_modules(str(root), distribution)
    return {Path(path).relative_to(root).as_posix(): name for path, name in found}


def test_modules_of_a_flat_layout(tmp_path: Path) -> None:
    """Those of packages are imported, and the module of the project's name; other files may be programs."""
    files = ("shop/__init__.py", "shop/__main__.py", "shop/deep/__init__.py", "shop/data/a.py", "my_shop.py", "run.py")
    skipped = ("setup.py", "tests/__init__.py", "shop/tests/__init__.py", "test_a.py", "no-name.py", "docs/__init__.py")
    write_tree(tmp_path, dict.fromkeys((*files, *skipped), ""))
    assert find_modules(tmp_path, "my-shop") == {
        "my_shop.py": "my_shop",
        "run.py": "",
        "shop/__init__.py": "shop",
        "shop/__main__.py": "",
        "shop/deep/__init__.py": "shop.deep",
    }


def test_namespace_packages_below_src(tmp_path: Path) -> None:
    """PEP 420: a folder without a package in it is none."""
    files = ("src/space/ware/__init__.py", "src/space/ware/a.py", "src/space/alone.py", "src/data/a.py", "other.py")
    write_tree(tmp_path, dict.fromkeys(files, ""))
    (tmp_path / "src" / "link").symlink_to("space")
    assert find_modules(tmp_path) == {"src/space/ware/__init__.py": "space.ware", "src/space/ware/a.py": "space.ware.a"}


def test_a_src_folder_without_modules_is_no_layout(tmp_path: Path) -> None:
    write_tree(tmp_path, {"src/README": "", "shop/__init__.py": ""})
    assert find_modules(tmp_path) == {"shop/__init__.py": "shop"}


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (ModuleNotFoundError("", name="numpy.linalg"), "numpy"),
        (ModuleNotFoundError("", name="shop.gone"), None),
        (ModuleNotFoundError("", name="distutils.core"), None),
        (ModuleNotFoundError("", name="json.gone"), None),
        (ModuleNotFoundError("", name=""), None),
        (ImportError("", name="numpy"), None),
    ],
    ids=["distribution", "own", "removed", "standard", "unnamed", "name"],
)
def test_only_a_missing_distribution_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, error: ImportError, missing: str | None
) -> None:
    monkeypatch.setattr(SMOKE, "STATE", {"own": {"shop"}, "standard": ["json"]})
    assert SMOKE.find_missing(error) == missing


@pytest.fixture
def smoke(suite: Path, run_suite: RunSuite) -> Callable[..., dict[str, str]]:
    """Return what checks a project as the worker would, and returns outcomes by node id."""

    def run(files: dict[str, str], *arguments: str) -> dict[str, str]:
        write_tree(suite, files)
        record = run_suite("smoke", {"root": str(suite), "distribution": "", "standard": []}, *arguments)
        reports = [*record.getreports("pytest_runtest_logreport"), *record.getreports("pytest_collectreport")]
        return {report.nodeid: report.outcome for report in reports if not report.passed or report.when == "call"}

    return run


def test_tests_that_are_not_marked_need_not_be_collected(smoke: Callable[..., dict[str, str]]) -> None:
    """The conftest of a folder may need what could not be installed, a marked test may not."""
    marked = "import pytest\n@pytest.mark.smoke\ndef test_a(): pass\ndef test_b(): assert 0\n"
    outcomes = smoke(
        {
            "test_top.py": marked,
            "deep/conftest.py": "import no_such_distribution\n",
            "deep/test_deep.py": marked,
            "other/test_lacks.py": "import no_such_distribution\n",
            "other/test_marked.py": "import no_such_distribution\n# smoke\n",
        },
        "--continue-on-collection-errors",
    )
    assert outcomes == {
        "test_top.py::test_a": "passed",
        "deep/test_deep.py::test_a": "passed",
        "other/test_lacks.py": "skipped",
        "other/test_marked.py": "failed",
    }


def test_the_first_conftest_may_need_what_is_missing(
    smoke: Callable[..., dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"conftest.py": "import no_such_distribution\n", "shop/__init__.py": "", "shop/bad.py": "def f(:\n"}
    outcomes = smoke(files, "-rN")  # where CI is set, the short summary has whole messages
    assert outcomes == {
        "shop/__init__.py::compile": "passed",
        "shop/__init__.py::import": "passed",
        "shop/bad.py::compile": "failed",
        "shop/bad.py::import": "failed",
    }
    out, err = capsys.readouterr()
    assert "no conftest.py is used: " in err
    assert out.count("bad.py:1: SyntaxError: ") == 2
