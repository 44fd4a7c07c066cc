"""Links that lead out of the source are found, however they get there, or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_pyimages.containers import links
from pytest_pyimages.containers.links import find_linked_paths
from pytest_pyimages.errors import ConfigurationError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="paths of POSIX")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project beside a folder with a test and data."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("home", "other/data", "proj/tests"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "other" / "test_o.py").touch()
    (tmp_path / "other" / "data" / "a.csv").touch()
    return tmp_path / "proj"


def found(root: Path) -> dict[str, str]:
    """Return the paths in containers, and what they are on this host, both relative to the folder above."""
    above = root.parent
    return {
        os.path.relpath(path.target, above): os.path.relpath(path.source, above)
        for path in find_linked_paths(root).paths
    }


def test_links_within_the_project_need_nothing(root: Path) -> None:
    (root / "conftest.py").touch()
    (root / "tests" / "up").symlink_to("..")
    (root / "tests" / "conftest.py").symlink_to("../conftest.py")
    (root / "absolute").symlink_to(root / "tests")
    (root / "around").symlink_to("../proj/tests")
    assert found(root) == {}


@pytest.mark.parametrize("form", ["relative", "absolute"])
@pytest.mark.parametrize("name", ["test_o.py", "data"])
def test_file_or_folder(root: Path, name: str, form: str) -> None:
    (root / "tests" / name).symlink_to(root.parent / "other" / name if form == "absolute" else f"../../other/{name}")
    assert found(root) == {f"other/{name}": f"other/{name}"}


def test_link_into_a_folder_of_the_source(root: Path) -> None:
    """Both an overlay and a copy have it, whatever is in the folder."""
    (root / ".tox" / "pkg").mkdir(parents=True)
    (root / "data").symlink_to(".tox/pkg")
    assert find_linked_paths(root).paths == []


def test_link_to_a_link(root: Path) -> None:
    """A container needs the content at the place that the first link names."""
    (root.parent / "current").symlink_to("other")
    (root / "test_o.py").symlink_to("../current/test_o.py")
    (root / "data").symlink_to("../hop")
    (root.parent / "hop").symlink_to("current/data")
    assert found(root) == {"current/test_o.py": "other/test_o.py", "hop": "other/data"}


def test_link_by_a_link_of_the_project(root: Path) -> None:
    (root / "out").symlink_to("../other")
    (root / "tests" / "test_o.py").symlink_to("../out/test_o.py")
    assert found(root) == {"other": "other"}


def test_link_in_a_linked_folder(root: Path) -> None:
    (root.parent / "far").mkdir()
    (root.parent / "other" / "data" / "more").symlink_to("../../far")
    (root.parent / "other" / "data" / "back").symlink_to("../../proj/tests")
    (root.parent / "other" / "data" / "self").symlink_to(".")
    (root / "data").symlink_to("../other/data")
    assert found(root) == {"other/data": "other/data", "far": "far"}


def test_link_in_a_folder_that_is_linked_by_another_name(root: Path) -> None:
    """There a relative link starts from the path in the container, here from the real one."""
    (root.parent / "a" / "b").mkdir(parents=True)
    (root.parent / "a" / "near.txt").touch()
    (root.parent / "a" / "b" / "near").symlink_to("../near.txt")
    (root.parent / "hop").symlink_to("a/b")
    (root / "b").symlink_to("../hop")
    assert found(root) == {"hop": "a/b", "near.txt": "a/near.txt"}


def test_dangling_links_and_loops_are_left_alone(root: Path) -> None:
    (root / "dangling").symlink_to("../nowhere")
    (root / "lock").symlink_to("user@host.123:456")
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert found(root) == {}


@pytest.mark.parametrize("name", [".venv", "node_modules", ".git", ".tox", "env"])
def test_environments_are_not_searched(root: Path, name: str) -> None:
    (root / name / "bin").mkdir(parents=True)
    (root / "env").mkdir(exist_ok=True)
    (root / "env" / "pyvenv.cfg").touch()
    (root / name / "bin" / "python").symlink_to("/usr/bin/env")
    assert found(root) == {}


@pytest.mark.parametrize("target", ["/dev/null", "/proc/self/status"])
def test_what_each_container_has_is_left_alone(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    assert (find_linked_paths(root).paths, find_linked_paths(root).notes) == ([], [])


def test_programs_are_those_of_the_image(root: Path) -> None:
    (root / "shell").symlink_to("/bin/sh")
    result = find_linked_paths(root)
    assert result.paths == []
    assert result.notes == ["links to files of the system lead to the image's own: shell -> /bin/sh"]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        *(("..", "contains the project"), ("../..", "contains the project"), ("/", "contains the project")),
        *(("/etc", "the image has its own"), ("/usr", "every container needs"), ("/usr/bin", "the image has its own")),
        *(("../home", "your home folder"), ("../home/.ssh", "settings and keys")),
        ("../home/.ssh/id_rsa", "settings and keys"),
    ],
)
def test_unsuitable_targets_are_refused(root: Path, target: str, reason: str) -> None:
    (root.parent / "home" / ".ssh").mkdir()
    (root.parent / "home" / ".ssh" / "id_rsa").touch()
    (root / "tests" / "link").symlink_to(root / target if target.startswith("..") else target)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        find_linked_paths(root)
    assert caught.value.message.startswith("--py-images: the symbolic link tests/link leads to ")
    assert "--rootdir" in caught.value.hint


def test_folder_of_the_home_folder_may_be_linked(root: Path) -> None:
    (root.parent / "home" / "data").mkdir()
    (root / "data").symlink_to("../home/data")
    assert found(root) == {"home/data": "home/data"}


def test_large_folders_are_not_searched_to_the_end(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MOST_ENTRIES", 0)
    (root / "data").symlink_to("../other/data")
    result = find_linked_paths(root)
    assert [path.link for path in result.paths] == ["data"]
    assert "not all checked" in result.notes[0]


def test_project_that_is_entered_by_a_link(root: Path) -> None:
    (root.parent / "entrance").symlink_to("proj")
    (root / "absolute").symlink_to(root / "tests")
    (root / "tests" / "test_o.py").symlink_to("../../other/test_o.py")
    assert found(root.parent / "entrance") == {"proj/tests": "proj/tests", "other/test_o.py": "other/test_o.py"}
