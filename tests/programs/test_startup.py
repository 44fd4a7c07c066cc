"""What every Python of an environment does when it starts, and how little that is."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import pytest

from pytest_pyimages.startup import EARLY_PLUGIN, INI_FILES

MODULES = "import sys; print(sorted(m for m in sys.modules if m.startswith('pytest_pyimages')), sys.meta_path)"
EARLY = "import _pytest.config as pytest_config; print(pytest_config.default_plugins[-1])"
# Loaded by no run before pytest_configure.
LOADER = """
import gc
import pytest

class Probe:
    def pytest_configure(self):
        from pytest_pyimages.cli.reports import merge
        print("loaded by", type(merge.__loader__).__name__)

pytest.main(["--py-images=3.12", "--py-images-engine=unix:///absent"], plugins=[Probe()])
print("frozen objects:", gc.get_freeze_count())
"""
NOTHING = ["pytest_pyimages", "pytest_pyimages.startup"]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PY_IMAGES", "PYTEST_ADDOPTS", "PYIMAGES_INSIDE"):
        monkeypatch.delenv(name, raising=False)


def run_python(*args: str) -> str:
    done = subprocess.run([sys.executable, *args], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("args", [[], ["pytest"], ["pytest", "test_a.py"]], ids=["python", "pytest", "with a path"])
def test_nothing_happens_where_nothing_mentions_images(tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "tox.ini").write_text("[pytest]\naddopts = -v\n")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["pytest-pyimages"]\n')
    loaded, finders = run_python("-c", MODULES, *args).split("]", 1)
    assert loaded == str(NOTHING)[:-1]
    assert "pyimages" not in finders.replace("_editable_impl_pytest_pyimages", "")
    assert run_python("-c", EARLY, *args) != EARLY_PLUGIN


def test_other_programs_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tox.ini").write_text("[pytest]\npy_images = 3.12\n")
    script = tmp_path / "tool.py"
    script.write_text(MODULES)
    assert "PytestFinder" not in run_python("tool.py", "--py-images=3.12")


@pytest.mark.parametrize("name", INI_FILES)
@pytest.mark.parametrize(
    "text", ["py_images = 3.12", "addopts = --py-images=3.12", '[tool.pyimages]\nimages = ["3.12"]']
)
def test_a_configuration_file_mentions_images(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert run_python("-c", EARLY) == EARLY_PLUGIN


@pytest.mark.parametrize(
    "args",
    [
        ["--py-images=3.12"],
        ["--py-images", "3.12"],
        ["@arguments"],
        ["-c", "other.cfg"],
        ["-cother.cfg"],
        ["--config-file=other.cfg"],
        ["below/tests/test_a.py::test_a"],
    ],
    ids=" ".join,
)
def test_the_command_line_mentions_images(tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "other.cfg").write_text("[tool:pytest]\npy_images = 3.12\n")
    (tmp_path / "below" / "tests").mkdir(parents=True)
    (tmp_path / "below" / "tests" / "test_a.py").touch()
    (tmp_path / "below" / "tox.ini").write_text("[pytest]\npy_images = 3.12\n")
    assert run_python("-c", EARLY, *args) == EARLY_PLUGIN


@pytest.mark.parametrize(("name", "value"), [("PY_IMAGES", "3.12"), ("PYTEST_ADDOPTS", "-v --py-images=3.12")])
def test_a_variable_mentions_images(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert run_python("-c", EARLY) == EARLY_PLUGIN


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    script = f"import os, subprocess, sys; os.rmdir({str(tmp_path / 'gone')!r}); "
    (tmp_path / "gone").mkdir()
    nested = [sys.executable, "-c", "pass", "pytest"]
    out = run_python("-c", f"import os; os.chdir('gone'); {script}subprocess.run({nested}, check=True); print('ok')")
    assert out == "ok"


def test_the_installer_removes_what_python_reads() -> None:
    """Wheels and editable installs list both files, so that nothing is left when the distribution is uninstalled."""
    listed = {str(file) for file in files("pytest-pyimages") or ()}
    assert {"pytest_pyimages.pth", "pytest_pyimages.start"} <= listed


def test_our_modules_are_not_rewritten() -> None:
    done = subprocess.run([sys.executable, "-c", LOADER, "pytest"], capture_output=True, text=True, timeout=60)
    assert "loaded by SourceFileLoader" in done.stdout


def test_garbage_of_a_session_is_collected_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", LOADER, "pytest"], capture_output=True, text=True, timeout=60)
    assert "frozen objects: 0" in done.stdout
