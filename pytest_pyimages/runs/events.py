"""What a container reports about its run, decoded and checked; ``wire`` lists the records.

Named tuples, since there are many classes and very many values. Times are in seconds, sizes in bytes; texts contain no
control characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Outcome = Literal["passed", "failed", "skipped"]


class Hello(NamedTuple):
    """pytest is configured in the container."""

    python: str  # version
    pytest: str  # version
    rootdir: str  # absolute path
    inifile: str  # absolute path; empty if there is none
    processes: int  # of xdist, that run the tests; 0 if pytest itself does
    max_warnings: int | None = None  # limit of --max-warnings; -1 if none are allowed at all


class Seeded(NamedTuple):
    """The suite has pytest-randomly, which uses this seed."""

    seed: int


class Item(NamedTuple):
    """A collected test."""

    nodeid: str
    path: str  # relative to the rootdir
    line: int | None  # from 0
    domain: str  # as in the title of a failure: "TestIt.test_this[1]"


class Items(NamedTuple):
    """Up to 500 collected tests; later events name a test by its index in all of them, from 0."""

    items: tuple[Item, ...]


class Collected(NamedTuple):
    """The collection has ended."""

    total: int  # tests to run
    deselected: int  # tests


class Divided(NamedTuple):
    """What the collected tests are a shard of."""

    collected: int  # different node ids in all shards
    tests: int  # of them in this shard
    digest: str  # SHA-256 of the sorted node ids of all shards
    durations: str  # SHA-256 of their known durations


class Compiled(NamedTuple):
    """Bytecode that Python and pytest have left, or found, in a slow collection."""

    paths: tuple[str, ...]  # below the root of the source, not cleaned


class Passed(NamedTuple):
    """A test whose three phases passed without output, properties or subtests."""

    test: int  # index
    start: float  # seconds since the epoch
    durations: tuple[float, float, float]  # setup, call, teardown; seconds


class LongRepr(NamedTuple):
    """How a failure is shown; ``tree`` is pytest's own serialised form, if there is one."""

    kind: Literal["none", "text", "skip", "tree"]
    text: str = ""
    crash: tuple[str, int, str] | None = None  # path, line (from 1), message
    tree: Mapping[str, Any] | None = None
    skip: tuple[str, int | None, str] | None = None  # path, line (from 1), reason
    whole: str = ""  # the long traceback, for report files, if the text is a shorter one


class Report(NamedTuple):
    """A phase of a test, as pytest's TestReport."""

    nodeid: str  # of the collected test
    location: tuple[str, int | None, str]  # path, line (from 0), domain
    when: str
    outcome: str  # an Outcome, or a plugin's own, such as "rerun"
    status: tuple[str, str, str]  # category, letter, word: pytest_report_teststatus in the container
    start: float  # seconds since the epoch
    duration: float  # seconds
    wasxfail: str | None
    properties: tuple[tuple[str, Any], ...]
    sections: tuple[tuple[str, str], ...]  # title and captured output
    longrepr: LongRepr
    subtest: bool = False
    attributes: tuple[tuple[str, str], ...] = ()  # that the test adds to its element in a junit file
    shown: str = ""  # the node id that a hook of the suite gave the report; empty if it is the test's own


class CollectReport(NamedTuple):
    """A collector that failed or was skipped."""

    nodeid: str
    outcome: Outcome
    longrepr: LongRepr
    sections: tuple[tuple[str, str], ...]  # title and captured output


class Warned(NamedTuple):
    """A Python warning that pytest recorded."""

    category: str  # name of its class
    text: str
    path: str
    line: int  # from 1
    when: str  # "config", "collect" or "runtest"
    nodeid: str  # empty outside of tests


class Failing(NamedTuple):
    """Up to 500 node ids of the last-failed cache."""

    nodeids: tuple[str, ...]


class Kept(NamedTuple):
    """All node ids of the last-failed cache were sent; the value is the cache of --stepwise."""

    stepwise: Any


class SuiteProperties(NamedTuple):
    """What the suite itself adds to the properties of its junit file."""

    pairs: tuple[tuple[str, str], ...]  # name and value


class Summary(NamedTuple):
    """What plugins and conftests of the suite print at the end, after the failures."""

    text: str


class CoveragePart(NamedTuple):
    """A piece, of up to 256 KiB, of an image's coverage data or of a report's file."""

    data: bytes


class Measured(NamedTuple):
    """An image's coverage data were sent."""

    size: int  # bytes in all; 0 if there are none
    problem: str  # what the data lack, or why there are none


class CoverageSaid(NamedTuple):
    """What pytest-cov prints to the terminal: a text, or a line of ``sep`` with a title."""

    text: str
    markup: tuple[str, ...]  # names of pytest's terminal writer, such as "bold"
    sep: str


class CoverageFile(NamedTuple):
    """A file of a report follows, in parts."""

    kind: str  # as in --cov-report
    root: str  # absolute path of the report: a file, or a folder
    name: str  # path below the root; empty if the root is the file
    size: int  # bytes


class CoverageLines(NamedTuple):
    """The lines of one file that only some images cover."""

    path: str
    rows: tuple[tuple[tuple[int, ...], tuple[int, ...], str], ...]  # indexes of images, lines (from 1), "12-14, 20"


class Covered(NamedTuple):
    """The coverage report is complete."""

    total: float | None  # percent; None if it was not computed
    failed: bool  # whether the total is lower than required
    unusable: tuple[tuple[str, str], ...]  # label of an image whose data cannot be read, and why


class ChangedPath(NamedTuple):
    """An entry of the source tree that the suite has written or removed."""

    path: str  # relative to the source's root, with slashes; not cleaned
    kind: str  # "file", "link", "other" or "removed"
    size: int  # bytes
    executable: bool
    digest: str  # SHA-256 of a file; empty for large ones


class ChangedPaths(NamedTuple):
    """Up to 200 changes of the source tree."""

    changes: tuple[ChangedPath, ...]


class ListedFolder(NamedTuple):
    """All entries of a changed folder; those that only the host has were removed in the container."""

    path: str  # as in ChangedPath; empty for the root
    names: frozenset[str]


class ChangedContent(NamedTuple):
    """The content of a changed file follows, in parts."""

    path: str
    size: int  # bytes


class ContentPart(NamedTuple):
    """A piece, of up to 256 KiB, of a changed file."""

    data: bytes


class Scanned(NamedTuple):
    """All changes were sent."""

    more: int  # how many were not named
    problem: str  # what could not be read; empty if all could


class Internal(NamedTuple):
    """pytest's INTERNALERROR, or why pytest did not start."""

    text: str


class Interrupted(NamedTuple):
    """KeyboardInterrupt or pytest.exit, with the reason."""

    text: str
    place: str = ""  # "tests/test_a.py:12"
    nodeid: str = ""  # of the test that was running


class GaveUp(NamedTuple):
    """xdist ended the session, since too many of its processes died."""

    text: str


class End(NamedTuple):
    """pytest returned."""

    status: int  # its exit status
    unrun: int = 0  # collected tests that have no result
    reason: str = ""  # why they have none; empty if the worker knows no reason


class Exit(NamedTuple):
    """The process of pytest has ended, by itself or by a signal."""

    status: int | None  # exit status
    signal: int | None
    running: int  # index of the test that was running, or -1
    lingered: bool  # whether threads or exit handlers outlived pytest for too long, so that it was killed
    exceeded: str = ""  # the limit for which it was stopped: "timeout", "silence", or empty
    memory_kills: int = 0  # processes that the kernel has killed for lack of memory
    memory_limit: int = 0  # bytes; 0 if the container has none


class Beat(NamedTuple):
    """A heartbeat: the worker lives, even if the suite hangs."""

    running: int = -1  # index of the test that is running, or -1


class NoSource(NamedTuple):
    """A file of the source is missing, or differs from the host's; nothing was run."""

    path: str


class Debugger(NamedTuple):
    """A debugger starts to use the terminal, or has ended."""

    on: bool


class Shown(NamedTuple):
    """What a debugger writes to its terminal."""

    data: bytes


Event = (
    Hello
    | Seeded
    | Items
    | Collected
    | Divided
    | Compiled
    | Passed
    | Report
    | CollectReport
    | Warned
    | Failing
    | Kept
    | SuiteProperties
    | Summary
    | CoveragePart
    | Measured
    | CoverageSaid
    | CoverageFile
    | CoverageLines
    | Covered
    | ChangedPaths
    | ListedFolder
    | ChangedContent
    | ContentPart
    | Scanned
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
