"""Decode streams: golden, cut, damaged and hostile."""

from __future__ import annotations

import base64
import contextlib
import random
from pathlib import Path

import pytest

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
    End,
    Event,
    Exit,
    Failing,
    Hello,
    Item,
    Items,
    Kept,
    LongRepr,
    Measured,
    Passed,
    Report,
    Shown,
    Summary,
    Warned,
)
from pytest_pyimages.runs.fields import MAX_NODEID, WireError
from pytest_pyimages.runs.wire import MAX_FILE, MAX_PART, Decoder
from pytest_pyimages.text import clean
from tests.support.wire import TOKEN
from tests.support.wire import encode as line

GOLDEN = (Path(__file__).parents[1] / "golden" / "wire.ndjson").read_bytes()
EXPECTED: list[Event] = [
    Hello("3.12.1", "9.2.0", "/src/shop", "/src/shop/pyproject.toml", 0),
    Items(
        (
            Item("test_a.py::test_one", "test_a.py", 3, "test_one"),
            Item("test_a.py::test_two[x]", "test_a.py", None, "test_two[x]"),
        )
    ),
    Collected(2, 1),
    Passed(0, 1700000000.25, (0.0001, 0.002, 0.0003)),
    Beat(),
    Debugger(on=True),
    Shown(b"(Pdb) \r\n"),
    Debugger(on=False),
    Report(
        nodeid="test_a.py::test_two[x]",
        location=("test_a.py", None, "test_two[x]"),
        when="call",
        outcome="failed",
        status=("failed", "F", "FAILED"),
        start=1700000001.0,
        duration=0.5,
        wasxfail=None,
        properties=(("key", 1),),
        sections=(("Captured stdout call", "hello\n"),),
        longrepr=LongRepr("text", "E assert 0", ("/src/shop/test_a.py", 7, "assert 0")),
    ),
    CollectReport("test_b.py", "skipped", LongRepr("skip", skip=("/src/shop/test_b.py", 1, "no")), ()),
    Warned("DeprecationWarning", "old", "/src/shop/a.py", 5, "runtest", "test_a.py::test_one"),
    Failing(("test_a.py::test_two[x]",)),
    Kept({"last_failed": None}),
    Summary("= benchmarks =\n1 s\n"),
    CoveragePart(b"SQLite format 3\0"),
    Measured(16, ""),
    End(1),
    Exit(1, None, -1, False),
]


EXPECTED_REPORT: list[Event] = [
    CoverageSaid("tests coverage", (), "="),
    CoverageSaid("TOTAL  8  1  88%\n", ("bold", "red"), ""),
    CoverageFile("xml", "/src/shop/coverage.xml", "", 5),
    CoveragePart(b"<?xml"),
    CoverageFile("html", "/src/shop/htmlcov", "index.html", 0),
    CoverageLines("shop.py", (((0,), (6, 8), "6-8"), ((1, 2), (9,), "9"))),
    Covered(87.5, True, (("3.10", "DataError: no database"),)),
    End(0),
    Exit(0, None, -1, False),
]


def decode(data: bytes, *, coverage: bool = False) -> list[Event]:
    decoder = Decoder(TOKEN, coverage=coverage)
    events = list(decoder.feed(data))
    decoder.finish()
    return events


def test_golden_stream() -> None:
    assert decode(GOLDEN) == EXPECTED


def test_golden_report_of_coverage() -> None:
    golden = (Path(__file__).parents[1] / "golden" / "coverage.ndjson").read_bytes()
    assert decode(golden, coverage=True) == EXPECTED_REPORT


def test_a_stream_of_single_bytes_gives_the_same_events() -> None:
    decoder = Decoder(TOKEN)
    assert [event for byte in GOLDEN for event in decoder.feed(bytes([byte]))] == EXPECTED


@pytest.mark.parametrize("number", range(len(GOLDEN.splitlines())))
def test_a_missing_line_is_an_error_unless_it_was_a_heartbeat(number: int) -> None:
    lines = GOLDEN.splitlines(keepends=True)
    rest = b"".join(lines[:number] + lines[number + 1 :])
    if lines[number].split()[1] == b"0":
        assert len(decode(rest)) == len(lines) - 1
    elif number == len(lines) - 1:
        assert not any(isinstance(event, Exit) for event in decode(rest))
    else:
        with pytest.raises(WireError):
            decode(rest)


def test_a_repeated_line_is_an_error() -> None:
    lines = GOLDEN.splitlines(keepends=True)
    with pytest.raises(WireError, match="missing"):
        decode(b"".join([*lines[:4], lines[3], *lines[4:]]))


def test_a_partial_record_at_the_end_is_an_error() -> None:
    with pytest.raises(WireError, match="in the middle"):
        decode(GOLDEN[:-5])


UNNUMBERED = (Beat, Debugger, Shown)  # these may get lost, or come twice
SENT = [event for event in EXPECTED if not isinstance(event, UNNUMBERED)]


def decode_damaged(data: bytes) -> list[Event]:
    """Return the numbered events that are replayed before damage is noticed."""
    decoder, events = Decoder(TOKEN), list[Event]()
    with contextlib.suppress(WireError):
        for at in range(0, len(data), 50):
            events += decoder.feed(data[at : at + 50])
    return [event for event in events if not isinstance(event, UNNUMBERED)]


@pytest.mark.parametrize("seed", range(10))
def test_lines_that_get_lost_or_come_twice_end_the_stream(seed: int) -> None:
    """What came before is what was sent, and nothing comes after."""
    source, lengths = random.Random(seed), set()
    for _ in range(50):
        lines = GOLDEN.splitlines(keepends=True)
        for _ in range(source.randint(1, 3)):
            where = source.randrange(len(lines))
            if source.random() < 0.5:
                del lines[where]
            else:
                lines.insert(source.randrange(len(lines)), lines[where])
        events = decode_damaged(b"".join(lines))
        assert events == SENT[: len(events)]
        lengths.add(len(events))
    assert len(lengths) > 5, "the damage was at different places"


@pytest.mark.parametrize("seed", range(10))
def test_damaged_bytes_are_noticed(seed: int) -> None:
    """No event is another than the one that was sent, not even in a text."""
    source, complete = random.Random(seed), 0
    for _ in range(200):
        data = bytearray(GOLDEN)
        where, length = source.randrange(len(data)), source.randint(1, 80)
        kind = source.choice(("cut", "double", "flip"))
        if kind == "cut":
            del data[where : where + length]
        elif kind == "double":
            data[where:where] = data[where : where + length]
        else:
            data[where] = source.randrange(256)
        events = decode_damaged(bytes(data))
        assert events == SENT[: len(events)]
        complete += len(events) == len(SENT) and bytes(data) != GOLDEN
    assert complete < 20, "only a heartbeat may get lost"


END = {"t": "end", "status": 0, "unrun": 0, "reason": ""}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(line(END, token="deadbeef"), id="foreign token"),
        pytest.param(b'{"t": "end", "status": 0}\n', id="no token"),
        pytest.param(line({**END, "status": 0}, number=2), id="number 2 first"),
        pytest.param(line({"t": "surprise"}), id="unknown kind"),
        pytest.param(line([]), id="not an object"),
        pytest.param(line({"t": "failing", "ids": "a"}), id="text for a list"),
        pytest.param(line({"t": "failing", "ids": [1]}), id="number for a node id"),
        pytest.param(line({**END, "status": "0"}), id="text for a number"),
        pytest.param(line({**END, "status": True}), id="bool for a number"),
        pytest.param(line({**END, "status": -1}), id="negative"),
        pytest.param(line(b'{"t": "end", "status": ' + b"9" * 5000 + b"}"), id="huge integer"),
        pytest.param(line(b'{"t": "end", "status": NaN}'), id="NaN"),
        pytest.param(line(b"[" * 200_000), id="deep nesting"),
        pytest.param(line(b'{"t": ' + b"[" * 100 + b"]" * 100 + b"}"), id="valid but deep"),
        pytest.param(line(b"\xff\xfe"), id="not UTF-8"),
        pytest.param(
            line({"t": "hello", "v": 99, "python": "", "pytest": "", "rootdir": "", "inifile": ""}), id="protocol"
        ),
        pytest.param(line({"t": "items", "items": [["x" * (MAX_NODEID + 1), "p", 1, "d"]]}), id="node id too long"),
        pytest.param(line({"t": "items", "items": [["x", "p", 1]]}), id="row too short"),
        pytest.param(line(b'{"t":"pass","i":0,"s":1.000000,"d":[0.000000,0.000000,0.000000]}'), id="pass of nothing"),
        pytest.param(line({"t": "beat"}), id="numbered heartbeat"),
        pytest.param(line({**END, "status": 0}, number=0), id="unnumbered record"),
        pytest.param(line({"t": "shown", "data": ""}), id="numbered output of a debugger"),
        pytest.param(line({"t": "shown", "data": "no base64"}, number=0), id="output of a debugger in no base64"),
        pytest.param(line({"t": "shown", "data": "AAAA" * 16385}, number=0), id="much output of a debugger at once"),
        pytest.param(b"x" * (9 << 20), id="endless line"),
        pytest.param(line({"t": "coverage", "data": "no base64"}), id="no base64"),
        pytest.param(line({"t": "coverage", "data": "\u00e9"}), id="no base64 at all"),
        pytest.param(line({"t": "coverage", "data": ""}), id="empty part"),
        pytest.param(line({"t": "coverage", "data": base64.b64encode(bytes(MAX_PART + 1)).decode()}), id="large part"),
        pytest.param(line({"t": "measured", "size": MAX_FILE + 1, "problem": ""}), id="large data file"),
        pytest.param(line({"t": "file", "kind": "xml", "root": "/a", "name": "", "size": -1}), id="negative size"),
        pytest.param(line({"t": "compiled", "paths": "a.pyc"}), id="text for paths"),
        pytest.param(line({"t": "compiled", "paths": [b"x".hex() * 4097]}), id="long path of bytecode"),
        pytest.param(line({"t": "said", "text": "", "markup": [], "sep": "=="}), id="long separator"),
        pytest.param(line({"t": "lines", "path": "a", "rows": [[[-1], [1], "1"]]}), id="negative image"),
        pytest.param(line({"t": "lines", "path": "a", "rows": [[[True], [1], "1"]]}), id="bool for an image"),
        pytest.param(line({"t": "lines", "path": "a", "rows": [[[0], "1", "1"]]}), id="text for lines"),
        pytest.param(line({"t": "covered", "total": "87", "failed": False, "unusable": []}), id="text for a total"),
    ],
)
def test_an_invalid_record_is_an_error(data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        decode(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ✓ text", "plain ✓ text"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", "\ufffd]0;title\ufffd"),
        ("a\rb\r\nc\x00", "a\ufffdb\nc\ufffd"),
        ("\u202eevil", "\ufffdevil"),
        ("\ud800", "\ufffd"),
        ("tab\tnewline\n", "tab\tnewline\n"),
    ],
)
def test_control_characters_are_replaced(text: str, expected: str) -> None:
    assert clean(text) == expected
