"""The wire from a container's worker to the controller: lines in, checked events out.

A line is ``TOKEN NUMBER JSON CRC``; CRC is the CRC-32 of ``NUMBER JSON``, as eight hexadecimal digits. The numbers of
one run start at 1 without gaps; heartbeats and a debugger's output have the number 0. In the order in which a healthy
run sends them, which ``order`` checks:

===========  ===========================================================================================================
``t``        content
===========  ===========================================================================================================
hello        protocol version; Python, pytest, rootdir and ini file in the container; number of xdist's processes; how
             many warnings may be there
seed         the seed of pytest-randomly, if the suite has it
collect      a collector that failed or was skipped
items        up to 500 collected tests: node id, path, line, domain
shard        what the items are a shard of: number of tests, digests of their node ids and of their known durations
compiled     files of bytecode in the source, see ``changed_records``
collected    how many tests there are in all, and how many were deselected
pass         a test whose three phases passed, by its index: start (seconds since 1970), durations (seconds)
report       any other phase of a test, in full, with the words of pytest_report_teststatus in the container
warning      a Python warning that pytest recorded
internal     pytest's INTERNALERROR, or why pytest did not start
interrupted  KeyboardInterrupt or pytest.exit: where, and in which test
gaveup       why xdist ended the session: too many of its processes died
failing      up to 500 node ids of the last-failed cache, after the session
kept         the end of those, and the cache of --stepwise
properties   what the suite itself adds to the properties of its junit file
summary      what plugins and conftests print as pytest's terminal summary
coverage     a part of a file: up to 256 KiB in base64; with ``--cov`` only
measured     the end of the parts of this image's coverage data: their size in bytes, or why there are none
end          pytest returned, with its exit status; how many of the collected tests have no result, and why
changed …    files of the source that the suite has changed, see ``changed_records``
exit         how the pytest process ended: exit status or signal, and which test was running
beat         a heartbeat, with the running test
debugger     a debugger starts to use the terminal, or has ended; only if a terminal was offered
shown        what a debugger prints, in base64
nosource     instead of all others: a file of the source that is missing or differs in the container
===========  ===========================================================================================================

The container that makes the coverage report sends these, and ``end`` and ``exit``:

===========  ===========================================================================================================
said         what pytest-cov prints to the terminal
file         kind, root, name and size (bytes) of a file of the report; its parts follow
lines        what images differ about in a file: the images that cover some lines, and those lines
covered      the end of the report: the total (percent), whether it is too low, and the data that could not be read
===========  ===========================================================================================================

A container's output is not trusted: sizes are limited, fields are checked one by one, control characters are removed.
Anything unexpected raises WireError, which ends that image's run and no other.
"""

from __future__ import annotations

import json
import re
from binascii import crc32
from collections.abc import Callable, Iterator, Mapping
from sys import intern
from typing import Any

from pytest_pyimages.runs import changed_records, events
from pytest_pyimages.runs.fields import MAX_LINE, MAX_NODEID, Record, WireError, clean_tree
from pytest_pyimages.runs.order import RecordOrder
from pytest_pyimages.text import clean_line, quote_bytes

PROTOCOL = 2
MAX_TOTAL = 2 * 1024 * 1024 * 1024  # bytes of one run
MAX_DEPTH = 64  # nested lists and objects
MAX_WORD = 64  # characters
MAX_PART = 256 * 1024  # bytes of a file in one record
MAX_FILE = 256 * 1024 * 1024  # bytes of one file
MAX_TESTS = 2_000_000  # deselected ones: pytest's terminal keeps an object for each
MAX_ROWS = 10_000  # sets of lines that the same images cover, in one file
MAX_SHOWN = 64 * 1024  # characters of base64


class Decoder:
    """Turns the worker's bytes, in pieces of any size, into events.

    :param token: the run's own; a line that does not start with it is an error.
    :param coverage: whether the container makes the coverage report instead of running the suite.
    """

    def __init__(self, token: str, *, coverage: bool = False) -> None:
        self._prefix = token.encode("ascii") + b" "
        self._order = RecordOrder(coverage=coverage)
        self._partial = b""
        self._total = 0
        self._next = 1

    def feed(self, data: bytes) -> Iterator[events.Event]:
        """Yield the events that are complete with these bytes; raise WireError for the first wrong record."""
        self._total += len(data)
        if self._total > MAX_TOTAL:
            raise WireError(f"the worker sent more than {MAX_TOTAL >> 20} MiB")
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        if len(self._partial) > MAX_LINE:
            raise WireError(f"the worker sent a record of more than {MAX_LINE >> 20} MiB")
        for line in lines:
            event = self._decode(line)
            self._order.check(event)
            yield event

    def finish(self) -> None:
        """Raise WireError if the stream ended inside a record."""
        if self._partial:
            raise WireError("the worker's stream ended in the middle of a record")

    def _decode(self, line: bytes) -> events.Event:
        if len(line) > MAX_LINE:
            raise WireError(f"the worker sent a record of more than {MAX_LINE >> 20} MiB")
        if not line.startswith(self._prefix):
            raise WireError(f"the worker sent a line that is not a record: {quote_bytes(line)}")
        content, _, checksum = line[len(self._prefix) :].rpartition(b" ")
        if checksum != b"%08x" % crc32(content):
            raise WireError(f"the worker sent a record that was damaged on the way: {quote_bytes(line)}")
        number, _, text = content.partition(b" ")
        if number != b"0":
            if number != b"%d" % self._next:
                raise WireError(f"record {self._next} of the worker is missing (the next one is {quote_bytes(number)})")
            self._next += 1
        # The most frequent record, decoded without a JSON parser.
        match = _PASS.fullmatch(text)
        if match is not None:
            index, start, setup, call, teardown = match.groups()
            # Suites stop the clock that pytest measures with, or turn it back.
            return events.Passed(
                int(index), float(start), (max(float(setup), 0.0), max(float(call), 0.0), max(float(teardown), 0.0))
            )
        event = decode_record(text)
        if isinstance(event, events.Beat | events.Shown) != (number == b"0"):
            raise WireError(f"the worker sent a record out of sequence: {quote_bytes(line)}")
        return event


_PASS = re.compile(
    rb'\{"t":"pass","i":(\d{1,9}),"s":(-?\d{1,15}\.\d{6}),'
    rb'"d":\[(-?\d{1,15}\.\d{6}),(-?\d{1,15}\.\d{6}),(-?\d{1,15}\.\d{6})\]\}'
)


def decode_record(text: bytes) -> events.Event:
    """Return the event of a record; raise WireError if the JSON is not exactly one record."""
    fields = Record(_parse(text))
    kind = fields.text("t")
    decode = _DECODERS.get(kind)
    if decode is None:
        raise WireError(f"the worker sent a record of an unknown kind: {quote_bytes(text)}")
    return decode(fields)


def _parse(text: bytes) -> Mapping[str, Any]:
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise WireError("the worker sent a record that is nested too deeply")

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the worker sent a record that is not JSON: {quote_bytes(text)}") from error
    if not isinstance(value, dict):
        raise WireError(f"the worker sent a record that is not an object: {quote_bytes(text)}")
    return value


def _depth(text: bytes) -> int:
    """Return how deeply brackets outside of strings are nested (json.loads recurses)."""
    depth = deepest = 0
    for match in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text, re.DOTALL):
        token = match.group()
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest


def _part(fields: Record) -> events.CoveragePart:
    data = fields.base64("data", MAX_PART * 2)
    if not 0 < len(data) <= MAX_PART:
        raise fields.wrong("data")
    return events.CoveragePart(data)


def _size(fields: Record) -> int:
    size = fields.integer("size")
    if size > MAX_FILE:
        raise WireError(f"the worker announces a file of {size >> 20} MiB, {MAX_FILE >> 20} are the limit")
    return size


def _file(fields: Record) -> events.CoverageFile:
    return events.CoverageFile(fields.line("kind", MAX_WORD), fields.line("root"), fields.line("name"), _size(fields))


def _lines(fields: Record) -> events.CoverageLines:
    rows = fields.rows("rows", 3)
    if len(rows) > MAX_ROWS:
        raise WireError(f"the worker sent {len(rows)} rows of lines for a file")
    return events.CoverageLines(
        fields.line("path"),
        tuple(
            (
                fields.check_integers("rows", images),
                fields.check_integers("rows", lines),
                fields.check_line("rows", text),
            )
            for images, lines, text in rows
        ),
    )


def _covered(fields: Record) -> events.Covered:
    unusable = tuple(
        (
            fields.check_line("unusable", label, MAX_NODEID),
            fields.check_line("unusable", reason),
        )
        for label, reason in fields.rows("unusable", 2)
    )
    total = None if fields.raw("total") is None else fields.number("total")
    return events.Covered(total, fields.flag("failed"), unusable)


def _hello(fields: Record) -> events.Hello:
    version = fields.integer("v")
    if version != PROTOCOL:
        raise WireError(f"the worker speaks protocol {version}, this host {PROTOCOL}", "rebuild the image")
    return events.Hello(
        python=fields.text("python", 64),
        pytest=fields.text("pytest", 64),
        rootdir=fields.text("rootdir"),
        inifile=fields.text("inifile"),
        processes=fields.integer("processes"),
        max_warnings=None if fields.raw("max_warnings") is None else fields.integer("max_warnings", lowest=-1),
    )


def _collected(fields: Record) -> events.Collected:
    deselected = fields.integer("deselected")
    if deselected > MAX_TESTS:
        raise WireError(f"the worker reported {deselected} deselected tests, {MAX_TESTS} are the limit")
    return events.Collected(fields.integer("count"), deselected)


def _items(fields: Record) -> events.Items:
    items = []
    for nodeid, *place in fields.rows("items", 4):
        path, line, domain = fields.check_location("items", place)
        # Images have the same tests, whose texts would otherwise be kept for each of them until it ends.
        name = intern(fields.check_line("items", nodeid, MAX_NODEID))
        items.append(events.Item(name, intern(path), line, intern(clean_line(domain))))
    return events.Items(tuple(items))


def _optional_line(fields: Record, name: str) -> str:
    return "" if fields.raw(name) is None else fields.line(name)


def _pairs(fields: Record, name: str) -> tuple[tuple[str, str], ...]:
    return tuple((fields.check_line(name, key), fields.check_text(name, value)) for key, value in fields.rows(name, 2))


def _report(fields: Record) -> events.Report:
    status = fields.raw("status")
    if not isinstance(status, list) or len(status) != 3:
        raise fields.wrong("status")
    category, letter, word = (fields.check_line("status", part, MAX_NODEID) for part in status)
    outcome = fields.line("outcome", MAX_WORD)  # plugins have some of their own, such as "rerun"
    if outcome == "passed" and category in ("failed", "error"):
        raise WireError(f"the worker reported a test as passed and as {category}: {fields.line('id')[:200]!r}")
    path, line, domain = fields.check_location("location", fields.raw("location"))
    wasxfail = fields.raw("wasxfail")
    properties = tuple(
        (fields.check_text("properties", key), clean_tree(value)) for key, value in fields.rows("properties", 2)
    )
    return events.Report(
        nodeid=fields.line("id"),
        location=(path, line, clean_line(domain)),
        when=fields.text("when", 16),
        outcome=outcome,
        status=(category, letter, word),
        start=fields.seconds("start"),
        duration=fields.seconds("duration"),
        wasxfail=None if wasxfail is None else fields.text("wasxfail"),
        properties=properties,
        sections=fields.sections("sections"),
        longrepr=fields.longrepr("longrepr"),
        subtest=fields.flag("subtest"),
        attributes=() if fields.raw("attributes") is None else _pairs(fields, "attributes"),
        shown=_optional_line(fields, "shown"),
    )


_DECODERS: dict[str, Callable[[Record], events.Event]] = {
    "hello": _hello,
    "seed": lambda fields: events.Seeded(fields.integer("seed", lowest=-(1 << 53))),
    "items": _items,
    "collected": _collected,
    "shard": lambda fields: events.Divided(
        fields.integer("collected"), fields.integer("tests"), fields.digest("digest"), fields.digest("durations")
    ),
    "report": _report,
    "collect": lambda fields: events.CollectReport(
        fields.line("id"), fields.outcome("outcome"), fields.longrepr("longrepr"), fields.sections("sections")
    ),
    "warning": lambda fields: events.Warned(
        fields.line("category", 256),
        fields.text("text"),
        fields.text("path"),
        fields.integer("line"),
        fields.text("when", 16),
        fields.line("id"),
    ),
    "failing": lambda fields: events.Failing(fields.lines("ids")),
    "kept": lambda fields: events.Kept(clean_tree(fields.raw("stepwise"))),
    "properties": lambda fields: events.SuiteProperties(_pairs(fields, "pairs")),
    "summary": lambda fields: events.Summary(fields.text("text")),
    "coverage": _part,
    "measured": lambda fields: events.Measured(_size(fields), clean_line(fields.text("problem"))),
    "said": lambda fields: events.CoverageSaid(fields.text("text"), fields.lines("markup"), fields.line("sep", 1)),
    "file": _file,
    "lines": _lines,
    "covered": _covered,
    **changed_records.DECODERS,
    "internal": lambda fields: events.Internal(fields.text("text")),
    "interrupted": lambda fields: events.Interrupted(
        fields.text("text"), _optional_line(fields, "place"), _optional_line(fields, "id")
    ),
    "gaveup": lambda fields: events.GaveUp(fields.text("text")),
    "end": lambda fields: events.End(fields.integer("status"), fields.integer("unrun"), fields.line("reason")),
    "exit": lambda fields: events.Exit(
        fields.optional_integer("status"),
        fields.optional_integer("signal"),
        fields.integer("running", lowest=-1),
        fields.flag("lingered"),
        _optional_line(fields, "exceeded"),
        *(fields.integer(name) if fields.has(name) else 0 for name in ("memory_kills", "memory_limit")),
    ),
    "beat": lambda fields: events.Beat(fields.integer("running", lowest=-1) if fields.has("running") else -1),
    "debugger": lambda fields: events.Debugger(fields.flag("on")),
    "shown": lambda fields: events.Shown(fields.base64("data", MAX_SHOWN)),
    "nosource": lambda fields: events.NoSource(fields.text("path")),
}
