"""How pytest was called: the rootdir and the ini file are those of the project, whatever plugins' values look like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_pyimages.host import Invocation
from pytest_pyimages.project import find_project


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a project, beside it one with another ini file, a file and a folder without any."""
    for name in ("project/tests", "other/tests", "data"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("vars.json", "other/report.html"):
        (tmp_path / name).touch()
    (tmp_path / "project/pytest.ini").write_text("[pytest]\naddopts = -q\n")
    (tmp_path / "other/tox.ini").write_text("[pytest]\n")
    (tmp_path / "other/tests/conftest.py").write_text("def f(parser): parser.addoption('--flag', action='store_true')")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def found(folder: Path, *args: str) -> tuple[str, str, tuple[str, ...]]:
    invocation = Invocation.from_arguments(args, Path.cwd())
    inipath = "" if invocation.inipath is None else os.path.relpath(invocation.inipath, folder)
    return os.path.relpath(invocation.rootdir, folder), inipath, invocation.container_options


@pytest.mark.parametrize(
    "args",
    [
        ["--variables", "../vars.json"],
        ["--variables", "../other"],
        ["--variables", "../other/tests", "tests"],
        ["-E", "../data"],
        ["--cov", "../other"],
        ["--html", "../other/report.html"],
        ["-x", "--its=1", "--variables", "../vars.json"],
    ],
)
def test_values_do_not_decide_the_rootdir(folder: Path, args: list[str]) -> None:
    """Containers are told, since their pytest takes the value for a path, too."""
    rootdir, inipath, options = found(folder, *args)
    assert (rootdir, inipath) == ("project", "project/pytest.ini")
    assert options == (f"--rootdir={folder / 'project'}", "-c", str(folder / "project/pytest.ini"))


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], ("project", "project/pytest.ini")),
        (["../other/tests"], ("other", "other/tox.ini")),
        (["-x", "../other/tests"], ("other", "other/tox.ini")),
        (["--pyargs", "../other/tests"], ("other", "other/tox.ini")),
        (["--flag", "../other/tests"], ("other", "other/tox.ini")),
        (["--variables", "tests"], ("project", "project/pytest.ini")),
        (["--log-file", "../other/log"], ("project", "project/pytest.ini")),
        (["--ignore", "../other", "--deselect", "../other/tests"], ("project", "project/pytest.ini")),
        (["-c", "../other/tox.ini"], ("other", "other/tox.ini")),
        (["-xqc../other/tox.ini"], ("other", "other/tox.ini")),
        (["-c", "../other/tox.ini", "--variables", "../vars.json"], ("other", "other/tox.ini")),
        (["--rootdir", ".."], (".", "project/pytest.ini")),
        (["--rootdir=..", "--variables", "../project"], (".", "project/pytest.ini")),
        (["--py-images", "../other"], ("project", "project/pytest.ini")),
        (["--variables", "x", "--", "../other/tests"], ("other", "other/tox.ini")),
    ],
)
def test_paths_decide_the_rootdir(folder: Path, args: list[str], expected: tuple[str, str]) -> None:
    assert found(folder, *args) == (*expected, ())


def test_a_project_without_an_ini_file(folder: Path) -> None:
    (folder / "project/pytest.ini").unlink()
    (folder / "project/setup.py").touch()
    rootdir, inipath, options = found(folder, "--variables", "../other/tox.ini")
    assert (rootdir, inipath) == ("project", "")
    assert options == (f"--rootdir={folder / 'project'}", "-c", os.devnull)


@pytest.mark.parametrize(
    ("cwd", "args", "files", "expected"),
    [
        ("one", [], {"pytest.ini": "[pytest]"}, "one"),
        ("", ["one/tests/test_a.py::test_x"], {"pytest.ini": "[pytest]"}, "one"),
        ("", ["one", "two"], {"pytest.ini": "[pytest]"}, ""),
        ("", [], {"pytest.ini": "[pytest]"}, ""),
        ("one/tests", [], {"pytest.ini": "[pytest]"}, "one"),
        ("one", ["-c", "../cfg/pytest.ini"], {"cfg/pytest.ini": "[pytest]"}, "one"),
        ("one", ["-c", "../two/pytest.ini"], {"two/pytest.ini": "[pytest]"}, "one"),
        ("one", ["--rootdir", ".."], {}, "one"),
        ("one", ["../two/tests"], {}, "two"),
        ("one", [], {"pytest.ini": "[pytest]\npy_images_install = ./one"}, ""),
        ("one", [], {"pytest.ini": "[pytest]", "requirements.txt": ""}, ""),
        ("one", [], {"pyproject.toml": "[project]\nname = 'all'\n[tool.pytest.ini_options]"}, ""),
    ],
)
def test_the_project_is_that_of_the_folder_or_of_the_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cwd: str, args: list[str], files: dict[str, str], expected: str
) -> None:
    """Where an ini file above or elsewhere makes a folder the rootdir that has no project."""
    for name in ("one", "two"):
        (tmp_path / name / "tests").mkdir(parents=True)
        (tmp_path / name / "tests/test_a.py").touch()
        (tmp_path / name / "setup.py").touch()
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path / cwd)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    invocation = Invocation.from_arguments(args, Path.cwd())
    assert find_project(invocation.project_folder).root == tmp_path / expected
