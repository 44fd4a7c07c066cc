"""What a container can say about its run, once it is decoded and checked; ``wire`` lists the records they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Hello:
    python: str
    pytest: str
    rootdir: str
    inifile: str


@dataclass(frozen=True, slots=True)
class Item:
    nodeid: str
    path: str
    line: int | None
    domain: str


@dataclass(frozen=True, slots=True)
class Items:
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Collected:
    count: int
    deselected: int


@dataclass(frozen=True, slots=True)
class Passed:
    index: int
    start: float
    durations: tuple[float, float, float]  # setup, call, teardown; seconds


@dataclass(frozen=True, slots=True)
class LongRepr:
    """How a failure looks; ``tree`` is pytest's own serialised form where there is one."""

    kind: Literal["none", "text", "skip", "tree"]
    text: str = ""
    crash: tuple[str, int, str] | None = None  # path, line, message
    tree: Mapping[str, Any] | None = None
    skip: tuple[str, int | None, str] | None = None  # path, line, reason


@dataclass(frozen=True, slots=True)
class Report:
    nodeid: str
    location: tuple[str, int | None, str]
    when: str
    outcome: Outcome
    status: tuple[str, str, str]  # category, letter, word: pytest_report_teststatus inside
    start: float
    duration: float
    wasxfail: str | None
    properties: tuple[tuple[str, Any], ...]
    sections: tuple[tuple[str, str], ...]
    longrepr: LongRepr


@dataclass(frozen=True, slots=True)
class CollectReport:
    nodeid: str
    outcome: Outcome
    longrepr: LongRepr
    sections: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Warned:
    category: str
    text: str
    path: str
    line: int
    when: str
    nodeid: str


@dataclass(frozen=True, slots=True)
class Internal:
    text: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    text: str


@dataclass(frozen=True, slots=True)
class End:
    status: int


@dataclass(frozen=True, slots=True)
class Exit:
    status: int | None
    signal: int | None
    running: int  # index of the test under way, or -1
    lingered: bool  # threads or exit handlers outlived pytest for too long


@dataclass(frozen=True, slots=True)
class Beat:
    running: int


@dataclass(frozen=True, slots=True)
class NoSource:
    path: str


Event = (
    Hello
    | Items
    | Collected
    | Passed
    | Report
    | CollectReport
    | Warned
    | Internal
    | Interrupted
    | End
    | Exit
    | Beat
    | NoSource
)
