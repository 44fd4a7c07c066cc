"""Sessions of a noxfile.py are read without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.project.project import find_project
from tests.support.project_tree import setuptools_project, write_tree

GROUPS = """
    [dependency-groups]
    checks = ["pytest", "mock"]
    [project.optional-dependencies]
    x = ["pyyaml"]
    y = ["numpy"]
"""


def session(*lines: str, head: str = "@nox.session", name: str = "tests") -> str:
    return "\n".join(
        ["import nox", "MORE = ['faker']", head, f"def {name}(session):", *(f"    {line}" for line in lines)]
    )


@pytest.mark.parametrize(
    ("noxfile", "extras", "requirements"),
    [
        pytest.param(session('session.install("-e", ".[x]", "pytest")'), ("x",), ("pytest",), id="install"),
        pytest.param(session('session.install("pytest", *MORE)'), (), ("pytest", "faker"), id="constant"),
        pytest.param(session('session.install(f"django=={version}", "pytest")'), (), ("pytest",), id="not-a-literal"),
        pytest.param(session('session.install("-c", "c.txt", "pytest")'), (), ("pytest",), id="constraint"),
        pytest.param(
            session('session.run_install("uv", "sync", "--group=checks", "--extra", "y")'),
            ("y",),
            ("pytest", "mock"),
            id="uv-sync",
        ),
        pytest.param(
            session('session.run("uv", "run", "--all-extras", "--group", "checks", "pytest", "-r", "x")'),
            ("x", "y"),
            ("pytest", "mock"),
            id="uv-run",
        ),
        pytest.param(
            session('session.install(*nox.project.dependency_groups(PYPROJECT, "checks"), ".")'),
            (),
            ("pytest", "mock"),
            id="dependency-groups",
        ),
        pytest.param(
            session('session.run("poetry", "install", "--extras", "x y", external=True)'), ("x", "y"), (), id="poetry"
        ),
        pytest.param(
            session('session.run("pdm", "install", "-G", "checks", "-G", "x")'), ("x",), ("pytest", "mock"), id="pdm"
        ),
        pytest.param(
            session('session.install("pytest", ".[x]")', head='@session(name="test", python=["3.12"])', name="run_it"),
            ("x",),
            ("pytest",),
            id="named",
        ),
        pytest.param(
            session('session.install(".[x]")', 'session.run("pytest")', name="py"), ("x",), (), id="runs-pytest"
        ),
        pytest.param(session('session.install("pytest", ".[x]")', name="docs"), (), (), id="another-session"),
        pytest.param(session('session.install("pytest", ".[x]")', head="@decorated"), (), (), id="no-session"),
        pytest.param("def tests(session:", (), (), id="no-python"),
    ],
)
def test_sessions_are_read(
    tmp_path: Path, noxfile: str, extras: tuple[str, ...], requirements: tuple[str, ...]
) -> None:
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(GROUPS), "noxfile.py": noxfile})
    project = find_project(tmp_path)
    assert (project.extras, project.requirements) == (extras, requirements)


def test_files_of_a_session(tmp_path: Path) -> None:
    noxfile = session('session.install("-r", "some.txt", "-r", f"{x}.txt", "--requirement=none.txt")')
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(), "noxfile.py": noxfile, "some.txt": "pytest"})
    project = find_project(tmp_path)
    assert project.requirement_files == (tmp_path / "some.txt",)
    assert project.origin == "nox session tests (noxfile.py)"
