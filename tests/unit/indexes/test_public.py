"""The indexes that an exported file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.indexes import host_settings, uv_settings
from pytest_pyimages.indexes.public import list_public_indexes
from tests.support.hosts import network


@pytest.fixture(autouse=True)
def _ignore_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_settings, "SYSTEM_FILE", tmp_path / "etc" / "pip.conf")
    monkeypatch.setattr(uv_settings, "SYSTEM_FILE", tmp_path / "etc" / "uv.toml")


def test_indexes_lose_their_credentials(tmp_path: Path) -> None:
    environ = {
        "PIP_INDEX_URL": "https://user:password1@index.example/simple?token=abcdefgh",
        "PIP_EXTRA_INDEX_URL": "https://other.example/simple",
    }
    found = list_public_indexes(network(tmp_path, environ))
    assert found.options == (
        "--index-url=https://index.example/simple",
        "--extra-index-url=https://other.example/simple",
    )
    assert found.private
    assert not found.left_out


def test_locations_of_this_machine_are_left_out(tmp_path: Path) -> None:
    environ = {"PIP_INDEX_URL": "http://localhost:3141/simple", "PIP_FIND_LINKS": "/srv/wheels file:///srv/more"}
    found = list_public_indexes(network(tmp_path, environ))
    assert found.options == ()
    assert not found.private
    assert found.left_out == ("http://localhost:3141/simple", "/srv/wheels", "file:///srv/more")
