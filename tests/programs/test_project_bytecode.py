"""The program that compiles a project's modules: Python and pytest take what it writes, and it runs nothing of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.containers import read_program

TAG = sys.implementation.cache_tag
IS_TIMED = pytest.version_tuple < (9, 2)
LONG_AGO = 1_500_000_000  # seconds
SUITE = "import helper\n\ndef test_it():\n    value = helper.double(2)\n    assert value == 5\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "tests" / "sub").mkdir(parents=True)
    (root / "tests" / "test_it.py").write_text(SUITE)
    (root / "tests" / "conftest.py").write_text("assert 1\n")
    (root / "tests" / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    return root


def age(root: Path) -> None:
    for path in root.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def compile_tree(root: Path, target: Path, **changes: Any) -> dict[str, Any]:
    job = {"root": str(root), "target": str(target), "old": "", "names": list_names(root), "skip": ["venv"]}
    command = [sys.executable, "-I", "-S", "-c", read_program("bytecode")]
    if any(name.startswith("COVERAGE_PROCESS") for name in os.environ):  # it begins in site, and measures files
        command[2:] = [str(resources.files("pytest_pyimages.inside").joinpath("bytecode.py"))]
    line = json.dumps({**job, "hidden": [], **changes}) + "\n"
    done = subprocess.run(command, input=line, capture_output=True, text=True, cwd=root, timeout=60, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def list_names(root: Path) -> list[str]:
    """Return what a run would leave: bytecode of the modules that pytest rewrites, and of the others."""
    found = []
    for path in root.rglob("*.py"):
        is_rewritten = path.name.startswith("test_") or path.name == "conftest.py"
        tail = f"{TAG}-pytest-{pytest.__version__}" if is_rewritten else TAG
        found.append(str((path.parent / "__pycache__" / f"{path.stem}.{tail}.pyc").relative_to(root)))
    return found


def names(target: Path) -> set[str]:
    """Return the modules that have bytecode, with "*" for pytest's own."""
    found = (path.relative_to(target) for path in target.rglob("*.pyc"))
    return {
        f"{path.parent.parent / path.name.partition('.')[0]}{'*' * ('-pytest-' in path.name)}".removeprefix("./")
        for path in found
    }


def test_pytest_and_python_take_the_bytecode(root: Path, tmp_path: Path) -> None:
    age(root)
    target = tmp_path / "target"
    assert compile_tree(root, target) == {"folders": ["tests", ""], "compiled": 3, "is_timed": IS_TIMED}
    assert names(target) == {"tests/test_it*", "tests/conftest*", "tests/helper"}
    shutil.copytree(target, root, dirs_exist_ok=True)
    before = {path: path.stat().st_ino for path in root.rglob("*.pyc")}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:pyimages", "tests")
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60)
    assert "assert 4 == 5" in done.stdout, done.stdout + done.stderr
    assert {path: path.stat().st_ino for path in root.rglob("*.pyc")} == before, "what it would write anew"


def test_nothing_of_the_project_is_run(root: Path, tmp_path: Path) -> None:
    """Not even if it is in the current folder, and has the names of what the program imports."""
    for name in ("json", "pathlib", "_pytest", "site", "sitecustomize", "conftest"):
        (root / f"{name}.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    age(root)
    compile_tree(root, tmp_path / "target")
    assert not (tmp_path / "run").exists()
    assert "conftest*" in names(tmp_path / "target")


def test_modules_that_get_none(root: Path, tmp_path: Path) -> None:
    """What warns when it is compiled does so in each run; what has just changed may change again unnoticed."""
    (root / "tests" / "test_warns.py").write_text("def test_it():\n    assert (1, 'x')\n")
    (root / "tests" / "warns.py").write_text("x = 1 is 1\n")
    (root / "tests" / "broken.py").write_text("x = (\n")
    (root / "private.py").write_text("x = 'a secret'\n")
    for folder in ("venv", "private", "env"):
        (root / folder).mkdir()
        (root / folder / "module.py").write_text("x = 1\n")
    (root / "env" / "pyvenv.cfg").touch()
    (root / "link").symlink_to(root / "tests")
    (root / "tests" / "sub" / "mod.py").write_text("x = 1\n")
    (root / "tests" / "sub" / "__pycache__").write_text("a file")
    age(root)
    (root / "tests" / "new.py").write_text("x = 1\n")
    (root / "tests" / "epoch.py").write_text("x = 1\n")
    os.utime(root / "tests" / "epoch.py", (0, 0))
    found = compile_tree(root, tmp_path / "target", hidden=["private", "private.py"])
    assert names(tmp_path / "target") == {"tests/test_it*", "tests/conftest*", "tests/helper"}
    assert set(found["folders"]) == {"", "tests"}


def test_only_what_a_run_has_left_is_written(root: Path, tmp_path: Path) -> None:
    """Not in folders of data, and nothing outside of the tree."""
    (root / "data").mkdir()
    (root / "data" / "test_template.py").write_text("x = 1\n")
    (tmp_path / "outside.py").write_text("x = 1\n")
    age(tmp_path)
    kept = [name for name in list_names(root) if "helper" not in name and "template" not in name]
    plain = f"tests/__pycache__/test_it.{TAG}.pyc"  # with --assert=plain
    forged = [f"../__pycache__/outside.{TAG}.pyc", f"/{tmp_path}/__pycache__/outside.{TAG}.pyc", "", "tests/test_it.py"]
    found = compile_tree(root, tmp_path / "target", names=[*kept, plain, *forged])
    assert found["folders"] == ["tests", ""]
    written = {str(path.relative_to(tmp_path / "target")) for path in (tmp_path / "target").rglob("*.pyc")}
    assert written == {*kept, plain}


def test_folders_are_as_in_the_source(root: Path, tmp_path: Path) -> None:
    (root / "tests" / "sub" / "mod.py").write_text("x = 1\n")
    age(root)
    (root / "tests" / "sub" / "mod.py").chmod(0o640)
    (root / "tests").chmod(0o750)
    target = tmp_path / "target"
    compile_tree(root, target)
    for path in ("tests", "tests/sub"):
        source, copy = (root / path).stat(), (target / path).stat()
        assert (copy.st_mode, copy.st_uid, int(copy.st_mtime)) == (source.st_mode, source.st_uid, LONG_AGO)
    (bytecode,) = (target / "tests" / "sub").rglob("*.pyc")
    assert bytecode.stat().st_mode & 0o777 == 0o640


def test_unchanged_modules_are_not_compiled_again(root: Path, tmp_path: Path) -> None:
    age(root)
    compile_tree(root, tmp_path / "first")
    (root / "tests" / "test_it.py").write_text(SUITE + "x = 1\n")
    (root / "tests" / "helper.py").unlink()
    os.utime(root / "tests" / "test_it.py", (LONG_AGO + 5, LONG_AGO + 5))
    assert compile_tree(root, tmp_path / "second", old=str(tmp_path / "first"))["compiled"] == 1
    assert names(tmp_path / "second") == {"tests/test_it*", "tests/conftest*"}
    name = f"tests/__pycache__/conftest.{TAG}-pytest-{pytest.__version__}.pyc"
    first, second = ((tmp_path / folder / name).read_bytes() for folder in ("first", "second"))
    assert first == second


def test_a_module_with_the_time_and_size_of_another_is_compiled_again(root: Path, tmp_path: Path) -> None:
    age(root)
    compile_tree(root, tmp_path / "first")
    (root / "tests" / "test_it.py").write_text(SUITE.replace("== 5", "== 6"))
    age(root)
    compile_tree(root, tmp_path / "second", old=str(tmp_path / "first"))
    name = f"tests/__pycache__/test_it.{TAG}-pytest-{pytest.__version__}.pyc"
    first, second = ((tmp_path / folder / name).read_bytes() for folder in ("first", "second"))
    assert first != second
