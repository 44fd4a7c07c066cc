"""The source tree in the container."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

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
