"""The selected extras and groups decide which of a lock file's versions an image gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.utils import canonicalize_name as canonical

from pytest_pyimages.project.lockfiles.forks import Selection
from pytest_pyimages.project.project import find_project
from tests.support.project_tree import setuptools_project, write_tree

TABLES = """
    [project.optional-dependencies]
    a = ["six<1.16", "build"]
    b = ["six>=1.16"]
    [dependency-groups]
    test = ["pytest<9"]
    dev = ["pytest>=9"]
"""
HELD = 'source = { registry = "https://index.example/simple" }'
OLD, NEW = "python_full_version < '3.12'", "python_full_version >= '3.12'"
A, B = "extra == 'extra-4-shop-a'", "extra == 'extra-4-shop-b'"
BOTH = f"({A} and {B})"
# As uv writes it for extras and groups that are listed as conflicts: the markers of packages do not tell them apart.
UV_LOCK = f"""
version = 1
requires-python = ">=3.10"
[[package]]
name = "build"
version = "1.3.0"
{HELD}
resolution-markers = ["{OLD}"]
dependencies = [{{ name = "zipp", version = "3.0", marker = "{OLD} or {BOTH}" }}]
[[package]]
name = "build"
version = "1.6.1"
{HELD}
resolution-markers = ["{NEW}"]
dependencies = [{{ name = "zipp", version = "4.0", marker = "{BOTH}" }}]
[[package]]
name = "zipp"
version = "3.0"
{HELD}
[[package]]
name = "zipp"
version = "4.0"
{HELD}
[[package]]
name = "six"
version = "1.15.0"
{HELD}
[[package]]
name = "six"
version = "1.17.0"
{HELD}
[[package]]
name = "pluggy"
version = "1.0"
{HELD}
[[package]]
name = "pluggy"
version = "1.6"
{HELD}
[[package]]
name = "pytest"
version = "8.4.2"
{HELD}
dependencies = [{{ name = "pluggy", version = "1.0" }}]
[[package]]
name = "pytest"
version = "9.1.1"
{HELD}
dependencies = [{{ name = "pluggy", version = "1.0" }}]
[[package]]
name = "pytest"
version = "9.2.0"
{HELD}
dependencies = [{{ name = "pluggy", version = "1.6" }}]
[[package]]
name = "shop"
version = "1"
source = {{ editable = "." }}
[package.optional-dependencies]
a = [
    {{ name = "build", version = "1.3.0", marker = "({OLD} and {A}) or {BOTH}" }},
    {{ name = "build", version = "1.6.1", marker = "({NEW} and {A}) or {BOTH}" }},
    {{ name = "six", version = "1.15.0" }},
]
b = [{{ name = "six", version = "1.17.0" }}]
[package.dev-dependencies]
test = [{{ name = "pytest", version = "8.4.2" }}]
dev = [
    {{ name = "pytest", version = "9.1.1", marker = "{OLD} and extra == 'group-4-shop-dev'" }},
    {{ name = "pytest", version = "9.2.0", marker = "{NEW} and extra == 'group-4-shop-dev'" }},
]
"""
POETRY_LOCK = """
[[package]]
name = "six"
version = "1.15.0"
markers = "extra == \\"a\\""
[[package]]
name = "six"
version = "1.17.0"
markers = "extra == \\"b\\" and extra != \\"a\\""
[metadata]
lock-version = "2.1"
python-versions = ">=3.10"
"""
PYLOCK = """
lock-version = "1.0"
created-by = "test"
[[packages]]
name = "six"
version = "1.15.0"
marker = "'a' in extras and python_version < '4'"
sdist = { url = "https://files.example/six-1.15.0.tar.gz", hashes = { sha256 = "00" } }
[[packages]]
name = "six"
version = "1.17.0"
marker = "'a' not in extras or 'docs' in dependency_groups"
sdist = { url = "https://files.example/six-1.17.0.tar.gz", hashes = { sha256 = "00" } }
"""


@pytest.mark.parametrize(
    ("name", "lock", "install", "expected"),
    [
        pytest.param(
            "uv.lock", UV_LOCK, [".[b]", "--group test"], "pluggy==1.0, pytest==8.4.2, six==1.17.0", id="one-fork"
        ),
        pytest.param(
            "uv.lock",
            UV_LOCK,
            [".[a]", "--group test"],
            f"build==1.3.0 ; {OLD}, build==1.6.1 ; {NEW}, pluggy==1.0, pytest==8.4.2, six==1.15.0, zipp==3.0",
            id="a-fork-for-each-python",
        ),
        pytest.param(
            "uv.lock",
            UV_LOCK,
            ["--group dev"],
            f"pluggy==1.0 ; {OLD}, pluggy==1.6 ; {NEW}, pytest==9.1.1 ; {OLD}, pytest==9.2.0 ; {NEW}",
            id="environments-of-the-parent",
        ),
        pytest.param("poetry.lock", POETRY_LOCK, [".[a]"], "six==1.15.0", id="poetry-a"),
        pytest.param("poetry.lock", POETRY_LOCK, [".[b]"], "six==1.17.0", id="poetry-b"),
        pytest.param("pylock.toml", PYLOCK, [".[a]"], "six==1.15.0", id="pylock-a"),
        pytest.param("pylock.toml", PYLOCK, [".[b]"], "six==1.17.0", id="pylock-b"),
    ],
)
def test_selection_chooses_the_fork(tmp_path: Path, name: str, lock: str, install: list[str], expected: str) -> None:
    write_tree(tmp_path, {"pyproject.toml": setuptools_project(TABLES), name: lock})
    project = find_project(tmp_path, ini={"py_images_install": install})
    assert project.lock is not None
    assert project.lock.constraints == tuple(expected.split(", "))


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("python_version < '3'", "python_version < '3'"),
        (A, ""),
        (B, None),
        (f"{A} and {OLD}", OLD),
        (f"{B} or {OLD}", OLD),
        (f"({OLD} or {B}) and {A}", OLD),
        (f"({OLD} and {A}) or ({B} and {NEW})", OLD),
        (f"({OLD} or os_name == 'nt') and ({A} and ({B} or {A}))", f"({OLD} or os_name == 'nt')"),
        ("extra != 'a'", None),
        ('"test" in dependency_groups', ""),
        ('"test" not in dependency_groups', None),
        ("'B' in extras", None),
    ],
)
def test_markers_are_resolved(marker: str, expected: str | None) -> None:
    names = Selection(name=canonical("shop"), extras=frozenset({canonical("a")}), groups=frozenset({canonical("test")}))
    assert names.resolve(marker) == expected
