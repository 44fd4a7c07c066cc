"""The wire between a container's worker and the controller: lines in, checked events out.

A line is ``TOKEN NUMBER JSON``. The numbers of one run start at 1 without gaps; heartbeats carry 0. In the order in
which a healthy run sends them:

========== ===========================================================================================
t          says
========== ===========================================================================================
hello      protocol version, Python, pytest, rootdir and ini file inside, how many processes of xdist there will be
seed       that pytest-randomly is there, and the seed that it uses
collect    a collector that failed or was skipped
items      up to 500 collected tests: node id, path, line, domain
shard      of what the items are a shard: how many tests, digests of their node ids and of their known durations
collected  how many there are in all, and how many were deselected
pass       a test whose three phases passed, by its index: start (seconds since 1970), durations (seconds)
report     any other phase of a test, in full, with the words that pytest has for it in there
warning    a Python warning that pytest recorded
internal   pytest's INTERNALERROR, or why pytest did not even start
interrupted  KeyboardInterrupt or pytest.exit
gaveup     that xdist ended the session, since too many of its processes died
failing    up to 500 node ids of what pytest's cache has as failing, after the session
kept       that these were all, and what pytest's cache has of --stepwise
summary    what plugins and conftests write as pytest's terminal summary
coverage   a part of a file: up to 256 KiB in base64; where ``--cov`` is asked for
measured   that the parts so far were this image's coverage data, their size, or why there are none
end        pytest returned, with its exit status
exit       how the pytest process ended: status or signal, and which test was running
beat       a heartbeat
debugger   that a debugger wants the terminal, or has ended; only where a terminal was offered
shown      what a debugger writes, in base64; without a number, too
nosource   instead of all others: the source is not what the host sees
========== ===========================================================================================

The container that makes the report of coverage sends these, and ``end`` and ``exit``:

========== ===========================================================================================
said       what pytest-cov writes to the terminal
file       kind, root, name and size of a file of the report; its parts follow
lines      what images differ about in a file: the images that cover some lines, and those lines
covered    that this was all: the total, whether it is too little, and the data that could not be read
========== ===========================================================================================

What comes from a container is not trusted: sizes are capped, fields are checked one by one, control characters are
taken out. Whatever does not fit raises WireError, which ends that image's run and no other.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_pyimages.runs.events import (
    Beat,
    Collected,
    CollectReport,
    CoverageFile,
    CoverageLines,
    CoveragePart,
    CoverageSaid,
    Covered,
    Debugger,
    Divided,
    End,
    Event,
    Exit,
    Failing,
    GaveUp,
    Hello,
    Internal,
    Interrupted,
    Item,
    Items,
    Kept,
    Measured,
    NoSource,
    Passed,
    Report,
    Seeded,
    Shown,
    Summary,
    Warned,
)
from pytest_pyimages.runs.fields import MAX_LINE, MAX_NODEID, Fields, WireError, clean_tree
from pytest_pyimages.text import clean_line, shown

PROTOCOL = 1
MAX_TOTAL = 2 * 1024 * 1024 * 1024
MAX_DEPTH = 64
MAX_WORD = 64
MAX_PART = 256 * 1024  # bytes of a file in one record
MAX_FILE = 256 * 1024 * 1024  # bytes of one file
MAX_ROWS = 10_000  # of lines that the same images cover, in one file
MAX_SHOWN = 64 * 1024  # characters of base64


class Decoder:
    """Turns the worker's bytes, cut anywhere, into events.

    :param token: the run's own; a line that does not start with it is an error.
    """

    def __init__(self, token: str) -> None:
        self._prefix = token.encode("ascii") + b" "
        self._partial = b""
        self._total = 0
        self._next = 1
        self._items = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that are complete with these bytes; raise WireError on the first that is wrong."""
        self._total += len(data)
        if self._total > MAX_TOTAL:
            raise WireError(f"the worker sent more than {MAX_TOTAL >> 20} MiB")
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        if len(self._partial) > MAX_LINE:
            raise WireError(f"the worker sent a record of more than {MAX_LINE >> 20} MiB")
        for line in lines:
            yield self._decode(line)

    def finish(self) -> None:
        """Raise WireError if the stream ended inside a record."""
        if self._partial:
            raise WireError("the worker's stream ended in the middle of a record")

    def _decode(self, line: bytes) -> Event:
        if len(line) > MAX_LINE:
            raise WireError(f"the worker sent a record of more than {MAX_LINE >> 20} MiB")
        if not line.startswith(self._prefix):
            raise WireError(f"the worker sent a line that is not a record: {shown(line)}")
        number, _, text = line[len(self._prefix) :].partition(b" ")
        if number != b"0":
            if number != b"%d" % self._next:
                raise WireError(f"record {self._next} of the worker is missing (the next one is {shown(number)})")
            self._next += 1
        # The frequent record, decoded without a detour.
        match = _PASS.fullmatch(text)
        if match is not None:
            index, start, setup, call, teardown = match.groups()
            if not int(index) < self._items:
                raise WireError(f"the worker reports test {int(index)} of {self._items}")
            # Suites stop and turn back the clock that pytest measures with.
            return Passed(
                int(index), float(start), (max(float(setup), 0.0), max(float(call), 0.0), max(float(teardown), 0.0))
            )
        event = decode_record(text)
        if isinstance(event, Beat | Shown) != (number == b"0"):
            raise WireError(f"the worker sent a record out of number: {shown(line)}")
        if isinstance(event, Items):
            self._items += len(event.items)
        return event


_PASS = re.compile(
    rb'\{"t":"pass","i":(\d{1,9}),"s":(-?\d{1,15}\.\d{6}),'
    rb'"d":\[(-?\d{1,15}\.\d{6}),(-?\d{1,15}\.\d{6}),(-?\d{1,15}\.\d{6})\]\}'
)


def decode_record(text: bytes) -> Event:
    """Return the event in one record's JSON; raise WireError if it is not exactly one."""
    fields = Fields(_parse(text))
    kind = fields.text("t")
    decode = _DECODERS.get(kind)
    if decode is None:
        raise WireError(f"the worker sent a record of an unknown kind: {shown(text)}")
    return decode(fields)


def _parse(text: bytes) -> Mapping[str, Any]:
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise WireError("the worker sent a record that is nested too deeply")

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    try:
        value = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the worker sent a record that is not JSON: {shown(text)}") from error
    if not isinstance(value, dict):
        raise WireError(f"the worker sent a record that is not an object: {shown(text)}")
    return value


def _depth(text: bytes) -> int:
    """Return how deeply the brackets outside of strings are nested (json.loads recurses)."""
    depth = deepest = 0
    for match in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text, re.DOTALL):
        token = match.group()
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest


def _part(fields: Fields) -> CoveragePart:
    text = fields.raw("data")
    if not isinstance(text, str) or len(text) > MAX_PART * 2:
        raise WireError("the worker sent a part of a file that is too long, or none")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise WireError(f"the worker sent a part of a file that is not base64: {shown(text[:60].encode())}") from error
    if not 0 < len(data) <= MAX_PART:
        raise WireError(f"the worker sent a part of a file of {len(data)} bytes")
    return CoveragePart(data)


def _size(fields: Fields) -> int:
    size = fields.integer("size")
    if size > MAX_FILE:
        raise WireError(f"the worker announces a file of {size >> 20} MiB, {MAX_FILE >> 20} are the limit")
    return size


def _file(fields: Fields) -> CoverageFile:
    return CoverageFile(fields.name("kind", MAX_WORD), fields.name("root"), fields.name("name"), _size(fields))


def _lines(fields: Fields) -> CoverageLines:
    rows = fields.rows("rows", 3)
    if len(rows) > MAX_ROWS:
        raise WireError(f"the worker sent {len(rows)} rows of lines for a file")
    return CoverageLines(
        fields.name("path"),
        tuple(
            (fields.integers("rows", images), fields.integers("rows", lines), clean_line(fields.as_text("rows", text)))
            for images, lines, text in rows
        ),
    )


def _covered(fields: Fields) -> Covered:
    unusable = tuple(
        (clean_line(fields.as_text("unusable", label, MAX_NODEID)), clean_line(fields.as_text("unusable", reason)))
        for label, reason in fields.rows("unusable", 2)
    )
    total = None if fields.raw("total") is None else fields.number("total")
    return Covered(total, fields.raw("failed") is True, unusable)


def _hello(fields: Fields) -> Hello:
    version = fields.integer("v")
    if version != PROTOCOL:
        raise WireError(f"the worker speaks protocol {version}, this host {PROTOCOL}", "rebuild the image")
    return Hello(
        python=fields.text("python", 64),
        pytest=fields.text("pytest", 64),
        rootdir=fields.text("rootdir"),
        inifile=fields.text("inifile"),
        processes=fields.optional_integer("processes") or 0,
    )


def _items(fields: Fields) -> Items:
    items = []
    for nodeid, *place in fields.rows("items", 4):
        path, line, domain = fields.location("items", place)
        items.append(Item(clean_line(fields.as_text("items", nodeid, MAX_NODEID)), path, line, clean_line(domain)))
    return Items(tuple(items))


def _report(fields: Fields) -> Report:
    status = fields.raw("status")
    if not isinstance(status, list) or len(status) != 3:
        raise WireError("the worker sent a report without a status")
    category, letter, word = (clean_line(fields.as_text("status", part, MAX_NODEID)) for part in status)
    path, line, domain = fields.location("location", fields.raw("location"))
    wasxfail = fields.raw("wasxfail")
    properties = tuple(
        (fields.as_text("properties", key), clean_tree(value)) for key, value in fields.rows("properties", 2)
    )
    return Report(
        nodeid=fields.name("id"),
        location=(path, line, clean_line(domain)),
        when=fields.text("when", 16),
        outcome=fields.name("outcome", MAX_WORD),  # plugins have some of their own, such as "rerun"
        status=(category, letter, word),
        start=fields.number("start"),
        duration=fields.number("duration"),
        wasxfail=None if wasxfail is None else fields.text("wasxfail"),
        properties=properties,
        sections=fields.sections("sections"),
        longrepr=fields.longrepr("longrepr"),
        subtest=fields.raw("subtest") is True,
    )


_DECODERS: dict[str, Callable[[Fields], Event]] = {
    "hello": _hello,
    "seed": lambda fields: Seeded(fields.integer("seed", lowest=-(1 << 53))),
    "items": _items,
    "collected": lambda fields: Collected(fields.integer("count"), fields.integer("deselected")),
    "shard": lambda fields: Divided(
        fields.integer("collected"), fields.integer("tests"), fields.digest("digest"), fields.digest("durations")
    ),
    "report": _report,
    "collect": lambda fields: CollectReport(
        fields.name("id"), fields.outcome("outcome"), fields.longrepr("longrepr"), fields.sections("sections")
    ),
    "warning": lambda fields: Warned(
        fields.name("category", 256),
        fields.text("text"),
        fields.text("path"),
        fields.integer("line"),
        fields.text("when", 16),
        fields.name("id"),
    ),
    "failing": lambda fields: Failing(fields.names("ids")),
    "kept": lambda fields: Kept(clean_tree(fields.raw("stepwise"))),
    "summary": lambda fields: Summary(fields.text("text")),
    "coverage": _part,
    "measured": lambda fields: Measured(_size(fields), clean_line(fields.text("problem"))),
    "said": lambda fields: CoverageSaid(fields.text("text"), fields.names("markup"), fields.name("sep", 1)),
    "file": _file,
    "lines": _lines,
    "covered": _covered,
    "internal": lambda fields: Internal(fields.text("text")),
    "interrupted": lambda fields: Interrupted(fields.text("text")),
    "gaveup": lambda fields: GaveUp(fields.text("text")),
    "end": lambda fields: End(fields.integer("status")),
    "exit": lambda fields: Exit(
        fields.optional_integer("status"),
        fields.optional_integer("signal"),
        fields.integer("running", lowest=-1),
        fields.raw("lingered") is True,
    ),
    "beat": lambda _: Beat(),
    "debugger": lambda fields: Debugger(fields.raw("on") is True),
    "shown": lambda fields: Shown(fields.base64("data", MAX_SHOWN)),
    "nosource": lambda fields: NoSource(fields.text("path")),
}
