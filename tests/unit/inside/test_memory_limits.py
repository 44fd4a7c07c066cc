"""What the kernel's counters say of processes that were killed for lack of memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.inside.worker import limits


@pytest.mark.parametrize(
    ("events", "limit", "expected"),
    [
        ("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n", "67108864\n", (2, 1 << 26)),
        ("low 0\noom_kill 0\n", "max\n", (0, 0)),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "9223372036854771712\n", (1, 0)),
        ("oom_kill_disable 0\nunder_oom 0\n", "67108864\n", (0, 1 << 26)),  # Linux before 4.13
        ("", "", (0, 0)),
    ],
    ids=["version 2", "no limit", "version 1", "no counter", "empty"],
)
def test_counters_are_read(tmp_path: Path, events: str, limit: str, expected: tuple[int, int]) -> None:
    (tmp_path / "events").write_text(events)
    (tmp_path / "limit").write_text(limit)
    missing = (str(tmp_path / "missing"), str(tmp_path / "missing"))
    read_memory: Any = limits.read_memory
    assert read_memory([missing, (str(tmp_path / "events"), str(tmp_path / "limit"))]) == expected
    assert read_memory([missing]) == (0, 0)
