"""Streams of workers that are damaged, or whose records lie: no image may pass by one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_pyimages.containers import Lease, Source, SourceJob
from pytest_pyimages.results.outcome import ImageResult, fold_exit_statuses
from pytest_pyimages.results.replay.replay import Replay
from pytest_pyimages.results.verdict import Judge
from pytest_pyimages.runs import Job, Run
from tests.attack.hosts import Host
from tests.attack.trials import Battery, Clock
from tests.support.fake_engine import KNOWN
from tests.support.forged_engine import ForgedEngine
from tests.support.forgeries import EXIT, FORGERIES, GREEN, HELLO, ITEMS, NODEIDS, START, TWO, phase
from tests.support.hooks import Hooks, make_session
from tests.support.results import make_result
from tests.support.wire import TOKEN, encode_all

RED = (
    *START,
    *TWO,
    phase(outcome="failed"),
    {"t": "end", "status": 1, "unrun": 0, "reason": ""},
    {**EXIT, "status": 1},
)
VERBOSE = (*START, *(phase(nodeid, when) for nodeid in NODEIDS for when in ("setup", "call", "teardown")), *GREEN[-2:])


LABELS = tuple(reference.partition(":")[2] for reference in KNOWN)


class NoHints:
    """Stands for MissingModules."""

    def record_error(self, label: str, error: str) -> None:
        """Give no hint."""

    def record_skip(self, label: str, kind: str, reason: str) -> None:
        """Give no hint."""

    def make_hint(self, label: str, *, python: str) -> str:
        return ""


JOB = Job(
    image="python:3.12",
    python="python",
    token=TOKEN,
    args=(),
    project="/src",
    cwd="/src",
    cwd_on_path=False,
    environment={},
    witness=(),
    source=SourceJob(root="/src", owner=(0, 0, 0o755)),
    passed_output=False,
    own_options=(),
    own_ini=(),
    memory=None,
    seed=0,
    host_plugins=(),
    shard=None,
    coverage=False,
    changes=None,
    terminal=None,
)


def run_stream(folder: Path, stream: tuple[object, ...] | bytes) -> tuple[ImageResult, int, Hooks]:
    """Return an image's result, the exit status of its session, and the calls of pytest's hooks."""
    hooks: Any = Hooks()
    results = {"3.12": make_result("3.12")}
    hints: Any = NoHints()
    judge = Judge(hints, labels=["3.12"], other_images=[], rootdir="/src")
    replay = Replay(make_session(hooks), results, collect_only=False, judge=judge, details=True)
    engine = ForgedEngine({"3.12": stream})
    run = Run(engine, Lease(folder), Source(folder), JOB)
    run.execute(
        lambda events: replay.play("3.12", events), lambda end: replay.end_run("3.12", end, None, run_seconds=1.0)
    )
    replay.flush()
    assert not engine.containers
    return results["3.12"], fold_exit_statuses(results), hooks


@dataclass(frozen=True, slots=True)
class Damage:
    """Damages of a stream; it differs from the undamaged one."""

    names: str
    data: bytes


def damage(source: random.Random, data: bytes, count: int = 1) -> Damage:
    """Return a stream with so many damages, one after the other."""
    names: list[str] = []
    damaged = data
    while damaged == data:
        names.clear()
        for _ in range(count):
            name = source.choice(list(DAMAGES))
            names.append(name)
            if damaged:
                damaged = DAMAGES[name](source, damaged)
    return Damage(" + ".join(names), damaged)


def _choose_range(source: random.Random, data: bytes) -> tuple[int, int]:
    start = source.randrange(len(data))
    return start, start + source.randint(1, 80)


def _flip(source: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    changed[source.randrange(len(data))] ^= 1 << source.randrange(8)
    return bytes(changed)


def _cut(source: random.Random, data: bytes) -> bytes:
    start, end = _choose_range(source, data)
    return data[:start] + data[end:]


def _double(source: random.Random, data: bytes) -> bytes:
    start, end = _choose_range(source, data)
    return data[:end] + data[start:]


def _insert(source: random.Random, data: bytes) -> bytes:
    start, _ = _choose_range(source, data)
    return data[:start] + source.randbytes(source.randint(1, 80)) + data[start:]


def _move(source: random.Random, data: bytes) -> bytes:
    start, end = _choose_range(source, data)
    rest = data[:start] + data[end:]
    target = source.randint(0, len(rest))
    return rest[:target] + data[start:end] + rest[target:]


def _blank(source: random.Random, data: bytes) -> bytes:
    start, end = _choose_range(source, data)
    return data[:start] + bytes([source.choice(b"\0 \n0")]) * len(data[start:end]) + data[end:]


def _end(source: random.Random, data: bytes) -> bytes:
    return data[: source.randrange(len(data))]


def _change_lines(change: Callable[[list[bytes], int], None]) -> Callable[[random.Random, bytes], bytes]:
    def changed(source: random.Random, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        change(lines, source.randrange(len(lines)))
        return b"".join(lines)

    return changed


DAMAGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "a bit flipped": _flip,
    "bytes lost": _cut,
    "bytes twice": _double,
    "bytes inserted": _insert,
    "bytes moved": _move,
    "bytes blanked": _blank,
    "the end lost": _end,
    "a line lost": _change_lines(lambda lines, at: lines.__delitem__(at)),
    "a line twice": _change_lines(lambda lines, at: lines.insert(at, lines[at])),
    "a line again at the end": _change_lines(lambda lines, at: lines.append(lines[at])),
    "a line at the start": _change_lines(lambda lines, at: lines.insert(0, lines.pop(at))),
    "lines swapped": _change_lines(
        lambda lines, at: lines.__setitem__(slice(at - 1, at + 1), lines[at - 1 : at + 1][::-1])
    ),
}


def damage_streams(battery: Battery, source: random.Random, clock: Clock, folder: Path) -> None:
    """Damage streams once to four times, and play them through the decoder and the replay."""
    folder.mkdir()
    wholes = {"green": encode_all(GREEN), "verbose": encode_all(VERBOSE), "red": encode_all(RED)}
    while battery.trials < battery.planned and not clock.is_up:
        name = source.choice(list(wholes))
        damaged = damage(source, wholes[name], source.choice((1, 1, 1, 2, 3, 4)))
        battery.count(f"{name}: {damaged.names} {damaged.data!r}", find_faults(folder, damaged.data))


def find_faults(folder: Path, stream: tuple[object, ...] | bytes) -> Iterator[str]:
    """Play a stream that must be an error of its image; yield what is wrong with the result."""
    try:
        result, status, _ = run_stream(folder, stream)
    except Exception as error:  # noqa: BLE001 - that none is raised is what is tried
        yield f"{type(error).__name__}: {error}"
        return
    if (result.outcome, status) != ("error", 1):
        yield f"outcome {result.outcome}, exit status {status}"
    if len(result.problem.splitlines()) != 1:
        yield f"no line with the problem: {result.problem!r}"
    if not set(result.outcomes) <= set(NODEIDS):
        yield f"tests that do not exist: {sorted(set(result.outcomes) - set(NODEIDS))}"


# A record's key, and values that contradict the other records of a green stream, or that no worker sends.
_NUMBERS: tuple[object, ...] = (-1, 2**31, 10**30, 0.5, True, None, "1", [], {})
_TEXTS: tuple[object, ...] = (None, 7, [], {}, True)
LIES: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    ("hello", "v", (*_NUMBERS, 1, 3)),
    ("hello", "python", _TEXTS),
    ("hello", "processes", tuple(number for number in _NUMBERS if number != 2**31)),  # nothing contradicts a number
    ("items", "items", (None, {}, "x", [], [[]], [["a"]], ITEMS["items"][:2], [*ITEMS["items"], ITEMS["items"][0]])),
    ("collected", "count", (*_NUMBERS, 0, 2, 4)),
    ("collected", "deselected", _NUMBERS),
    ("report", "id", (*_TEXTS, "", "test_a.py", "test_a.py::test_9", NODEIDS[0] + "\n", "x" * 70_000)),
    ("report", "when", (*_TEXTS, "", "dream", "collect", "CALL")),
    ("report", "outcome", (*_TEXTS, "", "PASSED", "ok", "green", "rerun", "passed ")),
    (
        "report",
        "status",
        (None, "passed", [], ["failed", "F", "FAILED"], ["error", "E", "ERROR"], [1, 2, 3], ["passed"]),
    ),
    ("report", "duration", (None, "1", [], float("nan"), float("inf"))),
    ("report", "longrepr", (None, "x", [], {}, {"kind": "x"}, {"kind": "tree"}, {"kind": "text"})),
    ("report", "sections", (None, "x", {}, [1], [["a"]], [[1, 2]])),
    ("report", "location", (None, "x", {}, [], ["a"], [1, 2, 3])),
    ("end", "status", (-1, 1, 2, 3, 4, 5, 6, 256, 10**30, 0.5, "0", [], {})),
    ("end", "unrun", (*_NUMBERS, 1, 3)),
    ("exit", "status", (1, 2, 5, -1, 256, "0", [], 0.5)),
    ("exit", "signal", (0, 1, 9, 11, 64, -1, "9", [])),
    ("exit", "running", (3, 2**31, "0", None, [], 0.5)),
    ("exit", "lingered", (True, None, 1, "x")),
)


def list_lies() -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield streams of valid lines that lie, with their names: those of FORGERIES, and changes of single records."""
    yield from FORGERIES.items()
    for kind, key, values in LIES:
        for value in values:
            yield f"{kind}: {key} = {str(value)[:40]!r}", tuple(_lie(record, kind, key, value) for record in VERBOSE)
    for kind in ("hello", "items", "collected", "report", "end", "exit"):
        for key in next(record for record in VERBOSE if isinstance(record, dict) and record["t"] == kind):
            if (kind, key) not in OPTIONAL:
                yield f"{kind}: no {key}", tuple(_omit(record, kind, key) for record in VERBOSE)


def show_streams(battery: Battery, source: random.Random, clock: Clock, folder: Path) -> None:
    """Play damaged streams and lies on a terminal, several images in a session, one of which is whole."""
    lies = [(name, encode_all(stream)) for name, stream in list_lies()]
    wholes = (encode_all(GREEN), encode_all(VERBOSE))
    file = folder.with_suffix(".json")
    host = Host(folder, str(file), ",".join(LABELS), ("--py-images-report=report.json", "--junitxml=junit.xml"))
    while battery.trials < battery.planned and not clock.is_up:
        chosen = [source.choice(lies) for _ in LABELS[1:6]]
        for _ in LABELS[6:]:
            damaged = damage(source, source.choice(wholes), source.choice((1, 2)))
            chosen.append((f"{damaged.names} {damaged.data!r}", damaged.data))
        streams = dict(zip(LABELS, (encode_all(GREEN), *(data for _, data in chosen)), strict=True))
        file.write_text(json.dumps({label: data.decode("latin-1") for label, data in streams.items()}))
        ended = host.run()
        report = json.loads((folder / "project" / "report.json").read_text())
        outcomes = {image["label"]: image["outcome"] for image in report["images"]}
        battery.count("the whole stream", [] if outcomes[LABELS[0]] == "passed" else [f"{outcomes}\n{ended.out}"])
        for label, (name, _) in zip(LABELS[1:], chosen, strict=True):
            is_shown = f"ERROR [{label}]" in ended.out
            battery.count(name, [] if (outcomes[label], is_shown) == ("error", True) else [f"{outcomes}\n{ended.out}"])
        is_well = ended.status == 1 and "Traceback" not in ended.out and "INTERNALERROR" not in ended.out
        battery.count("a session", [] if is_well else [f"exit status {ended.status}\n{ended.out}"])
        battery.figures["sessions"] += 1


OPTIONAL = {("report", "wasxfail")}  # null means the same


def _lie(record: object, kind: str, key: str, value: object) -> object:
    return {**record, key: value} if isinstance(record, dict) and record["t"] == kind else record


def _omit(record: object, kind: str, key: str) -> object:
    if not isinstance(record, dict) or record["t"] != kind:
        return record
    return {name: value for name, value in record.items() if name != key}


def forge_records(battery: Battery, source: random.Random, clock: Clock, folder: Path) -> None:
    """Play records that lie through the decoder and the replay; then streams without some records, and mixed ones."""
    folder.mkdir()
    for name, stream in list_lies():
        battery.count(name, find_faults(folder, stream))
    while battery.trials < battery.planned and not clock.is_up:
        name, stream = forge(source)
        battery.count(f"{name}: {json.dumps(stream, default=repr)}", find_faults(folder, stream))


def forge(source: random.Random) -> tuple[str, tuple[object, ...]]:
    """Return a stream with records that are lost, moved, or from another kind of run."""
    records: list[object] = list(source.choice((GREEN, VERBOSE)))
    name = source.choice(("lost", "lost", "moved", "cut", "foreign"))
    at = source.randrange(len(records))
    if name == "lost":
        record = records[at]
        is_free = isinstance(record, dict) and record.get("when") in {"setup", "teardown"}  # only the call is a result
        del records[-1 if is_free else at]
    elif name == "moved":  # the order of the tests' own records is free
        at = source.choice((0, 1, 2, len(records) - 2, len(records) - 1))
        record = records.pop(at)
        records.insert(source.choice([place for place in range(len(records) + 1) if place != at]), record)
    elif name == "cut":
        del records[at:]
    else:
        records.insert(at, source.choice(([], 7, None, "x", {}, {"t": None}, {"t": "other"}, {"t": "covered"}, HELLO)))
    return name, tuple(records)
