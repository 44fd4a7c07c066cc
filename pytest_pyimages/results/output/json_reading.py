"""Read JSON reports, the inverse of ``json_report``; a file may come from anywhere, so its fields are checked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pytest_pyimages.checked_fields import FieldError, Fields
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.results.outcome import COUNTED, Failure, ImageResult, Shard
from pytest_pyimages.results.output.json_report import SCHEMA
from pytest_pyimages.results.warning_places import WarningPlace, make_place
from pytest_pyimages.text import clean, clean_line

LARGEST = 512 * 1024 * 1024  # bytes of a file
MOST_WARNINGS = 10_000_000  # of one place: pytest's terminal keeps a list of them
# Lists that an image of a report may have, and the fields of their entries; the first field tells entries apart.
LISTS = {"changed_files": ("path", "change"), "services": ("name", "image", "digest")}
Lists = Mapping[str, tuple[Mapping[str, str], ...]]
_LABEL = re.compile(r"[A-Za-z0-9_.:/@~-]{1,1024}")  # as the list of images makes them


class JobCoverage(Immutable):
    """The coverage of a part of the tests."""

    root: str  # of the source where it was measured; empty if the file has no data
    data: Mapping[str, bytes]  # coverage's data file of each image, by label
    missing: Mapping[str, str]  # by label: why its data are not there
    failed: bool  # whether the total of this part is less than what is required


class JobReport(Immutable):
    """One file: the session of one job."""

    name: str  # as the file was named
    digest: str  # of all of it
    started: float  # seconds since the epoch
    seconds: float
    exit_status: int
    results: Mapping[str, ImageResult]  # by label
    session: Mapping[str, str]  # project, commit and others; empty if the file has none
    coverage: JobCoverage | None = None  # None if nothing was measured
    notes: tuple[str, ...] = ()
    lists: Mapping[str, Lists] = field(default_factory=dict)  # by label: changed files and services


def read_report(path: Path) -> JobReport:
    """Return what a file of --py-images-report=FILE.json says.

    :raises ConfigurationError: with the name of a file that is none, or says what no session does.
    """
    name = clean_line(str(path))
    data = _read(path, name)
    try:
        document = _Fields(json.loads(data, parse_constant=_refuse), "")
        schema = document.integer("schema")
        if schema != SCHEMA:
            raise ConfigurationError(
                f"{name} has schema {schema}, and this version reads {SCHEMA}", "use one version for all jobs"
            )
        results = {result.label: result for result in map(_read_image, document.objects("images"))}
        if len(results) < len(document.list("images")):
            raise FieldError("images: a label is used twice")
        tests = {label: _Tests() for label in results}
        known: set[str] = set()
        for test in document.objects("tests"):
            _read_test(test, tests, known)
        return JobReport(
            name=name,
            digest=hashlib.sha256(data).hexdigest(),
            started=document.number("started"),
            seconds=document.number("seconds"),
            exit_status=document.integer("exit_status"),
            results={label: tests[label].add_to(result) for label, result in results.items()},
            session=_read_session(document.object("session")) if document.has("session") else {},
            notes=tuple(clean_line(str(note)) for note in document.list("notes")) if document.has("notes") else (),
            lists={image.line("label"): _read_lists(image) for image in document.objects("images")},
            coverage=_read_coverage(document.object("coverage"), results) if document.has("coverage") else None,
        )
    except FieldError as error:
        raise ConfigurationError(f"{name} is not a JSON report of --py-images-report: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name} is not JSON", "name files of --py-images-report=FILE.json") from error


def _read(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # a NUL in the name is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{name} cannot be read ({reason})") from error
    if len(data) > LARGEST:
        raise ConfigurationError(f"{name} is larger than {LARGEST >> 20} MiB")
    return data


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


class _Fields(Fields):
    """A JSON object of a report."""

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if not isinstance(value, str):
            raise self.wrong(name)
        return clean(value)

    def line(self, name: str) -> str:
        return clean_line(self.text(name))

    def object(self, name: str) -> _Fields:
        return _Fields(self.raw(name), self.path(name))

    def objects(self, name: str) -> Iterator[_Fields]:
        for place, value in enumerate(self.list(name)):
            yield _Fields(value, self.path(f"{name}[{place}]"))

    def names(self, allowed: Collection[str] | None = None) -> Iterator[str]:
        for name in self._values:
            if clean_line(name) != name:
                raise FieldError(f"{self._where}: wrong or missing")
            if allowed is not None and name not in allowed:
                raise self.wrong(name)
            yield name

    def counts(self) -> dict[str, int]:
        return {name: self.integer(name) for name in self.names()}


@dataclass(slots=True)
class _Tests:
    """The tests of one image, by node id."""

    outcomes: dict[str, str] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    reason_places: dict[str, str] = field(default_factory=dict)

    def add_to(self, result: ImageResult) -> ImageResult:
        return replace(
            result,
            outcomes=self.outcomes,
            durations=self.durations,
            failures=self.failures,
            reasons=self.reasons,
            reason_places=self.reason_places,
            collected=len(self.outcomes),
        )


def _read_image(fields: _Fields) -> ImageResult:
    label = fields.text("label")
    if not _LABEL.fullmatch(label):
        raise fields.wrong("label")
    outcome = fields.text("outcome")
    exit_status, problem = fields.optional_integer("exit_status"), fields.line("problem")
    shard = fields.object("shard") if fields.has("shard") else None
    warnings = fields.object("warnings").counts() if fields.has("warnings") else {}
    result = ImageResult(
        label=label,
        reference=fields.line("reference"),
        allowed_to_fail=fields.flag("allowed_to_fail"),
        digest=fields.line("digest"),
        python=fields.line("python"),
        cached=fields.flag("cached"),
        build_seconds=fields.number("build_seconds"),
        run_seconds=fields.number("run_seconds"),
        exit_status=exit_status,
        problem=problem,
        stopped=fields.line("stopped") if fields.has("stopped") else "",
        hint=fields.line("hint") if fields.has("hint") else "",
        counts={**dict.fromkeys(COUNTED, 0), **fields.object("counts").counts()},
        warnings=warnings,
        warning_places=dict(map(_read_place, fields.objects("warning_places")))
        if fields.has("warning_places")
        else {make_place(message): {"": number} for message, number in warnings.items()},
        max_warnings=fields.integer("max_warnings", lowest=-1) if fields.has("max_warnings") else None,
        implementation=fields.line("implementation") if fields.has("implementation") else "",
        engine=fields.line("engine") if fields.has("engine") else "",
        same_as=fields.line("same_as") if fields.has("same_as") else "",
        smoke=fields.has("smoke") and fields.flag("smoke"),
        shard=None if shard is None else _read_shard(shard),
        not_tests={} if shard is None else shard.object("not_tests").counts(),
        deselected=fields.integer("deselected") if fields.has("deselected") else 0,
        collected=int(outcome != "nothing collected"),  # until its tests are read
        ended=outcome != "interrupted" or exit_status == pytest.ExitCode.INTERRUPTED,
        usage_error=exit_status == pytest.ExitCode.USAGE_ERROR and bool(problem),
    )
    if result.outcome != outcome:
        raise fields.wrong("outcome")
    return result


def _read_place(fields: _Fields) -> tuple[WarningPlace, Mapping[str, int]]:
    place = WarningPlace(
        category=fields.line("category"),
        text=fields.text("text"),
        when=fields.line("when"),
        path=fields.line("path"),
        line=fields.integer("line"),
    )
    tests, count = fields.object("tests").counts(), fields.integer("count")
    outside = count - sum(tests.values())
    if not 0 <= outside <= count <= MOST_WARNINGS:
        raise fields.wrong("count")
    return place, tests | ({"": outside} if outside else {})


def _read_coverage(fields: _Fields, labels: Collection[str]) -> JobCoverage:
    encoded = fields.object("data") if fields.has("data") else _Fields({}, "")
    missing = fields.object("missing")
    return JobCoverage(
        root=fields.line("root") if fields.has("data") else "",
        data={label: _decode(encoded, label) for label in encoded.names(labels)},
        missing={label: missing.line(label) for label in missing.names(labels)},
        failed=fields.flag("failed"),
    )


def _decode(fields: _Fields, name: str) -> bytes:
    """Return a file that the session has compressed, which must not be larger than a report."""
    decompressor = zlib.decompressobj()
    try:
        data = decompressor.decompress(base64.b64decode(fields.text(name), validate=True), LARGEST)
    except (binascii.Error, zlib.error) as error:
        raise fields.wrong(name) from error
    if not decompressor.eof:
        raise fields.wrong(name)
    return data


def _read_lists(fields: _Fields) -> Lists:
    return {
        name: tuple({key: entry.line(key) for key in keys} for entry in fields.objects(name))
        for name, keys in LISTS.items()
        if fields.has(name)
    }


def _read_session(fields: _Fields) -> dict[str, str]:
    return {name: fields.line(name) for name in fields.names()}


def _read_shard(fields: _Fields) -> Shard:
    shard = Shard(
        index=fields.integer("index"),
        of=fields.integer("of"),
        collected=fields.optional_integer("collected"),
        tests=fields.integer("tests"),
        digest=fields.line("digest"),
        durations=fields.line("durations"),
    )
    if not 1 <= shard.index <= shard.of:
        raise fields.wrong("index")
    return shard


def _read_test(fields: _Fields, tests: Mapping[str, _Tests], known: set[str]) -> None:
    """Add a test's outcomes, seconds and failures to its images."""
    nodeid = fields.line("nodeid")
    if fields.text("nodeid") != nodeid or nodeid in known:
        raise fields.wrong("nodeid")
    known.add(nodeid)
    outcomes, seconds = fields.object("outcomes"), fields.object("seconds")
    for label in outcomes.names(tests):
        tests[label].outcomes[nodeid] = outcomes.line(label)
    for label in seconds.names(tests):
        tests[label].durations[nodeid] = seconds.number(label)
    if fields.has("failures"):
        failures = fields.object("failures")
        for label in failures.names(tests):
            tests[label].failures[nodeid] = _read_failure(failures.object(label))
    for name in ("reasons", "reason_places"):
        if fields.has(name):
            texts = fields.object(name)
            for label in texts.names(tests):
                getattr(tests[label], name)[nodeid] = texts.line(label)


def _read_failure(fields: _Fields) -> Failure:
    sections = fields.list("sections")
    if not all(
        isinstance(part, list) and len(part) == 2 and all(isinstance(text, str) for text in part) for part in sections
    ):
        raise fields.wrong("sections")
    return Failure(
        phase=fields.line("phase"),
        message=fields.text("message"),
        text=fields.text("text"),
        line=fields.integer("line"),
        sections=tuple((clean_line(title), clean(text)) for title, text in sections),
    )
