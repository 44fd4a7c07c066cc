"""What a container can say about its run, once it is decoded and checked; ``wire`` lists the records they come from.

Named tuples: there are many classes, and very many values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Outcome = Literal["passed", "failed", "skipped"]


class Hello(NamedTuple):
    python: str
    pytest: str
    rootdir: str
    inifile: str
    processes: int = 0  # of xdist, that run the tests; 0 where it is pytest itself


class Seeded(NamedTuple):
    """The suite has pytest-randomly, which uses this seed."""

    seed: int


class Item(NamedTuple):
    nodeid: str
    path: str
    line: int | None
    domain: str


class Items(NamedTuple):
    items: tuple[Item, ...]


class Collected(NamedTuple):
    total: int
    deselected: int


class Divided(NamedTuple):
    """What the collected tests are a shard of."""

    collected: int  # different node ids in all shards
    tests: int  # of them in this one
    digest: str  # of the sorted node ids of all shards
    durations: str  # of what was known of their durations


class Passed(NamedTuple):
    test: int
    start: float
    durations: tuple[float, float, float]  # setup, call, teardown; seconds


class LongRepr(NamedTuple):
    """How a failure looks; ``tree`` is pytest's own serialised form where there is one."""

    kind: Literal["none", "text", "skip", "tree"]
    text: str = ""
    crash: tuple[str, int, str] | None = None  # path, line, message
    tree: Mapping[str, Any] | None = None
    skip: tuple[str, int | None, str] | None = None  # path, line, reason


class Report(NamedTuple):
    nodeid: str
    location: tuple[str, int | None, str]
    when: str
    outcome: str  # an Outcome, or a plugin's own, such as "rerun"
    status: tuple[str, str, str]  # category, letter, word: pytest_report_teststatus inside
    start: float
    duration: float
    wasxfail: str | None
    properties: tuple[tuple[str, Any], ...]
    sections: tuple[tuple[str, str], ...]
    longrepr: LongRepr
    subtest: bool = False


class CollectReport(NamedTuple):
    nodeid: str
    outcome: Outcome
    longrepr: LongRepr
    sections: tuple[tuple[str, str], ...]


class Warned(NamedTuple):
    category: str
    text: str
    path: str
    line: int
    when: str
    nodeid: str


class Failing(NamedTuple):
    nodeids: tuple[str, ...]


class Kept(NamedTuple):
    stepwise: Any


class Summary(NamedTuple):
    """What plugins and conftests of the suite write at the end, below the failures."""

    text: str


class CoveragePart(NamedTuple):
    """A piece of the file that is being sent: of an image's data, or of a report."""

    data: bytes


class Measured(NamedTuple):
    """An image's coverage data are sent; ``size`` bytes in all, 0 if there are none; ``problem`` is what they lack."""

    size: int
    problem: str


class CoverageSaid(NamedTuple):
    """What pytest-cov writes to the terminal: a text, or a line of ``sep`` with a title."""

    text: str
    markup: tuple[str, ...]
    sep: str


class CoverageFile(NamedTuple):
    """A file that a report consists of is about to be sent, in parts."""

    kind: str
    root: str  # absolute path of the report: a file, or a folder
    name: str  # below the root; empty if that is the file
    size: int


class CoverageLines(NamedTuple):
    """What images differ about in one file."""

    path: str
    rows: tuple[tuple[tuple[int, ...], tuple[int, ...], str], ...]  # images that cover, lines, the same as a text


class Covered(NamedTuple):
    """The report is complete."""

    total: float | None  # percent; None if nobody wanted to know
    failed: bool  # it is less than what is required
    unusable: tuple[tuple[str, str], ...]  # label of an image whose data cannot be read, and why


class Internal(NamedTuple):
    text: str


class Interrupted(NamedTuple):
    text: str


class GaveUp(NamedTuple):
    text: str


class End(NamedTuple):
    status: int


class Exit(NamedTuple):
    status: int | None
    signal: int | None
    running: int  # index of the test under way, or -1
    lingered: bool  # threads or exit handlers outlived pytest for too long


class Beat(NamedTuple):
    """A heartbeat: the worker lives, whatever the suite does."""


class NoSource(NamedTuple):
    path: str


class Debugger(NamedTuple):
    """A debugger begins, and wants the terminal; or it has ended."""

    on: bool


class Shown(NamedTuple):
    """What a debugger writes to its terminal, as it is."""

    data: bytes


Event = (
    Hello
    | Seeded
    | Items
    | Collected
    | Divided
    | Passed
    | Report
    | CollectReport
    | Warned
    | Failing
    | Kept
    | Summary
    | CoveragePart
    | Measured
    | CoverageSaid
    | CoverageFile
    | CoverageLines
    | Covered
    | Internal
    | Interrupted
    | GaveUp
    | End
    | Exit
    | Beat
    | NoSource
    | Debugger
    | Shown
)
