"""Unit tests stay in their process: none starts a program, and none contacts an engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.guard import Guard

GUARD = Guard()


@pytest.fixture(autouse=True)
def _nothing_outside() -> Iterator[None]:
    with GUARD.watching() as violations:
        yield
    assert violations == [], "a unit test stays in its process: see tests/programs, tests/plugin and tests/engine"
