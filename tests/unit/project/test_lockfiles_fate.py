"""The note for an image whose lock file was not fully held to."""

from __future__ import annotations

import pytest

from pytest_pyimages.project.lockfiles.locks import Lock, describe_fate
from tests.support.golden import message

LOCK = Lock(origin="uv.lock", constraints=("idna==3.4",), requires_python=">=3.9")


@pytest.mark.parametrize("fate", ["", "held"])
def test_there_is_no_note_for_a_lock_file_that_was_held_to(fate: str) -> None:
    assert describe_fate(LOCK, fate, label="3.15-rc", python="3.15.0rc1") == ""


@pytest.mark.parametrize(
    ("fate", "name", "fields"),
    [
        ("unmet", "lock-unmet", {}),
        ("unmet numpy==1.26.4 idna==3.4", "lock-unmet-pins", {"pins": "numpy 1.26.4, idna 3.4"}),
        ("partly numpy==1.26.4 idna==3.4", "lock-partly", {"pins": "numpy 1.26.4, idna 3.4"}),
        ("excluded", "lock-excluded", {"python": "3.15.0rc1", "required": ">=3.9"}),
    ],
)
def test_the_note_describes_the_lock_files_fate(fate: str, name: str, fields: dict[str, str]) -> None:
    note = message("project", name, label="3.15-rc", file="uv.lock", **fields)
    assert describe_fate(LOCK, fate, label="3.15-rc", python="3.15.0rc1") == note
    assert describe_fate(None, fate, label="3.15-rc", python="3.15.0rc1") == ""
