"""The source tree in the container."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.golden import message
from tests.support.project_tree import write_tree

TREE: Any = import_module("pytest_pyimages.inside.worker.tree")  # without annotations, for Python 2.7


@pytest.mark.skipif(os.name != "posix", reason="containers are")
@pytest.mark.parametrize("is_owner", [True, False])
def test_git_is_told_to_trust_the_source_of_another_user_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_owner: bool
) -> None:
    """By the environment, where this user may not write git's own configuration; outside of a container, too."""
    (tmp_path / ".git").mkdir()
    environment: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", environment)
    TREE.trust_source(str(tmp_path), tmp_path.stat().st_uid + (not is_owner))
    assert environment.get("GIT_CONFIG_KEY_0") == (None if is_owner else "safe.directory")


@pytest.fixture
def _in_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the source may be changed, and users have the numbers of the host."""
    monkeypatch.setattr(TREE, "is_container", lambda: True)
    monkeypatch.setattr(TREE, "find_identifier", lambda number, path: number)
    monkeypatch.setattr(TREE, "GITCONFIG", str(tmp_path / "gitconfig"))


@pytest.mark.usefixtures("_in_a_container")
def test_git_s_own_configuration_trusts_the_source_in_a_container(tmp_path: Path) -> None:
    TREE.trust_source(str(tmp_path), os.getuid() + 1)
    TREE.trust_source(str(tmp_path / "absent"), os.getuid())
    assert (tmp_path / "gitconfig").read_text() == 2 * "[safe]\n\tdirectory = *\n"


def test_one_unchanged_file_proves_that_the_source_is_the_host_s(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("1")
    os.utime(path, (1, 7.5))
    gone = [str(tmp_path / "gone.py"), 1, 7]
    assert TREE.find_missing_file([gone, [str(path), 1, 7]]) is None
    for size, seconds in ((2, 7), (1, 8)):
        assert TREE.find_missing_file([[str(path), size, seconds], gone]) == str(path)
    assert TREE.find_missing_file([]) is None


@pytest.mark.usefixtures("_in_a_container")
def test_the_root_has_its_owner_and_mode_of_the_host(tmp_path: Path) -> None:
    """As far as the engine allows it."""
    root, other = tmp_path / "tree", tmp_path / "other"
    root.mkdir(0o700)
    other.mkdir(0o700)
    ours = [os.getuid(), os.getgid()]
    others = [[str(tmp_path / "absent"), [*ours, 0o777]], [str(other), [*ours, 0o755]]]
    TREE.restore_owner({"root": str(root), "owner": [*ours, 0o751], "others": others})
    assert [path.stat().st_mode & 0o777 for path in (root, other)] == [0o751, 0o755]


@pytest.mark.usefixtures("_in_a_container")
def test_what_containers_must_not_see_is_removed(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {".env": "", ".venv/bin/python": "", "kept/a": ""})
    (root / "link").symlink_to("kept")
    TREE.hide({"root": str(root), "hidden": [".env", ".venv", "link", "absent"]})
    assert [path.name for path in root.iterdir()] == ["kept"]
    assert (root / "kept" / "a").exists()


def test_numbers_are_the_host_s_where_no_namespace_can_be_read(tmp_path: Path) -> None:
    assert TREE.find_identifier(7, str(tmp_path / "absent")) == 7


@pytest.mark.parametrize(
    ("users", "is_writable", "is_explained"),
    [
        ("0 100000 65536", False, True),
        ("0 100000 65536", True, False),
        ("0 7 1", False, False),
        ("0 0 4294967295", False, False),
    ],
    ids=["userns-remap", "userns-remap with a copy", "rootless", "none"],
)
def test_source_of_a_user_that_the_container_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, users: str, is_writable: bool, is_explained: bool
) -> None:
    (tmp_path / "uid_map").write_text(f"{users}\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "setup.cfg").touch()
    monkeypatch.setattr(os, "access", lambda *_: is_writable)
    source = {"root": str(tmp_path / "tree"), "owner": (7, 7, 0o755)}
    text = TREE.explain_foreign_owner(source, str(tmp_path / "uid_map"))
    assert text == (message("engines", "foreign-owner", root=tmp_path / "tree") if is_explained else "")
