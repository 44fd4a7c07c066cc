"""The source tree in the container."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.golden import message

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
