"""A small part of what ``tox -e attack`` does with suites, and what no random choice may leave out."""

from __future__ import annotations

from pathlib import Path

from tests.attack.cheats import run_cheats
from tests.attack.hosts import Host
from tests.attack.suites import list_cheats

# Each has passed before.
CHEATS = (
    "pytest.exit with 0 at pytest_sessionfinish",
    "exit status 0",
    "items replaced after the collection",
    "the protocol reports no call that failed",
    "os.write does nothing",
    "a forged end",
    "descriptors lead elsewhere",
    "a fork goes on, and is waited for",
    "KeyboardInterrupt at call",
    "os._exit(0) at pytest_runtest_logreport",
    "no plugin but pytest's",
)


def test_cheating_suites(tmp_path: Path) -> None:
    host = Host(tmp_path / "host", arguments=("--py-images-report=report.json",))
    assert list(run_cheats(host, CHEATS)) == []


def test_there_are_many() -> None:
    cheats = list_cheats()
    assert len(cheats) >= 85
    for name, code in cheats.items():
        compile(code, name, "exec")
