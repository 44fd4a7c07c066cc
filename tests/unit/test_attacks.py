"""The list of attacks names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \| .+ \| .+ \| `(tests/[\w/]+\.py)::(test_\w+)` \|$", re.MULTILINE)


def test_each_attack_has_a_test() -> None:
    text = (FOLDER / "tests" / "attacks.md").read_text("utf-8")
    rows = ROW.findall(text)
    assert [int(number) for number, _, _ in rows] == list(range(1, 1 + len(rows)))
    assert len(rows) == text.count("\n| ") - 1, "all rows but the header have this form"
    for _, file, name in rows:
        assert f"def {name}(" in (FOLDER / file).read_text("utf-8"), name
