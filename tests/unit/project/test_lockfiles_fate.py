"""The note for an image whose lock file was not fully held to."""

from __future__ import annotations

import pytest

from pytest_pyimages.project.lockfiles.locks import Lock, describe_fate

LOCK = Lock(origin="uv.lock", constraints=("idna==3.4",), requires_python=">=3.9")


@pytest.mark.parametrize(
    ("fate", "note"),
    [
        ("", ""),
        ("held", ""),
        ("unmet", "3.15-rc: uv.lock does not work here; versions were chosen without it"),
        (
            "unmet numpy==1.26.4 idna==3.4",
            "3.15-rc: uv.lock does not work here (numpy 1.26.4, idna 3.4); versions were chosen without it",
        ),
        (
            "partly numpy==1.26.4 idna==3.4",
            "3.15-rc: not as in uv.lock, since it does not work here: numpy 1.26.4, idna 3.4",
        ),
        ("excluded", "3.15-rc: uv.lock is not for Python 3.15.0rc1 (>=3.9); versions were chosen without it"),
    ],
)
def test_the_note_describes_the_lock_files_fate(fate: str, note: str) -> None:
    assert describe_fate(LOCK, fate, label="3.15-rc", python="3.15.0rc1") == note
    assert describe_fate(None, fate, label="3.15-rc", python="3.15.0rc1") == ""
