"""What the worker sends of a report."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

RECORDS: Any = import_module("pytest_pyimages.inside.worker.records")  # without annotations, for Python 2.7


@pytest.mark.parametrize(
    ("chain", "expected"),
    [((), {"reprtraceback": {}, "chain": None}), (("cause", "error"), {"reprtraceback": {}})],
    ids=["one error", "with its cause"],
)
def test_failures_of_pytest_4_are_drawn_by_a_newer_one(chain: tuple[str, ...], expected: dict[str, Any]) -> None:
    """Its trees have no chain, which newer versions look for; those with causes are shown as text."""
    report = SimpleNamespace(
        longrepr=SimpleNamespace(reprtraceback=None, chain=chain),
        longreprtext="text",
        _to_json=lambda: {"longrepr": {"reprtraceback": {}}},
    )
    assert RECORDS.describe_longrepr(report) == {"kind": "tree", "text": "text", "tree": expected}
