"""Divide pytest's junit file into a suite per image.

Test cases are moved as pytest has written them, in any ``junit_family``.
"""

from __future__ import annotations

import codecs
import contextlib
import inspect
import itertools
import os
import re
import tempfile
from collections.abc import Collection, Generator, Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET

import pytest
from _pytest.junitxml import LogXML, xml_key

from pytest_pyimages.atomic_write import write_atomically
from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.reports import ATTRIBUTES, PROPERTY

_PIECE = 1 << 16
IMAGE_CASE = "image"  # the name of the test case that stands for an image which could not be tested
SHARD = "shard"  # property of a suite: "1/2"; only there if a part of the tests was to be run
_PYTESTS = frozenset(("classname", "name", "file", "line", "time"))  # attributes of a test case
_ESCAPED = re.compile('[&<>"\r\n\t]')  # in the value of an attribute
_KINDS = {"error": "errors", "failure": "failures", "skipped": "skipped"}  # element of a test case, count of a suite


class CaseFile:
    """The finished test cases of all images, in one temporary file: there may be many."""

    def __init__(self) -> None:
        self.problem: OSError | None = None  # the first that writing had; the cases are then incomplete
        self._file: IO[bytes] | None = None
        self._end = 0

    def append(self, data: bytes) -> tuple[int, int]:
        """Write bytes; return where they begin and end."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lasts as long as this
            self._file.write(data)
        except OSError as error:
            self.problem = self.problem or error
        self._end += len(data)
        return self._end - len(data), self._end

    def read(self, start: int, end: int) -> Iterator[str]:
        """Yield the text of a span that begins and ends with a whole test case.

        :raises OSError: also if writing has failed.
        """
        if self.problem is not None or self._file is None:
            raise self.problem or OSError("nothing was written")
        self._file.seek(start)
        decoder = codecs.getincrementaldecoder("utf-8")()
        while start < end:
            data = self._file.read(min(_PIECE, end - start))
            start += len(data) or end
            yield decoder.decode(data)

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # what was not written stays so
                self._file.close()


class Cases:
    """The finished test cases of one image."""

    def __init__(self, file: CaseFile) -> None:
        self.counts = dict.fromkeys(("tests", *_KINDS.values()), 0)
        self.seconds = 0.0
        self.file = file
        self.spans: list[tuple[int, int]] = []

    def add(self, case: ET.Element) -> None:
        self.count(case)
        start, end = self.file.append(render_case(case).encode())
        if self.spans and self.spans[-1][1] == start:
            start, _ = self.spans.pop()
        self.spans.append((start, end))

    def count(self, case: ET.Element) -> None:
        self.counts["tests"] += 1
        self.seconds += float(case.get("time", 0))
        if len(case):
            for element, name in _KINDS.items():
                self.counts[name] += case.find(element) is not None


def render_case(case: ET.Element) -> str:
    """Return the text of a test case. Most have attributes only, which ElementTree takes long for."""
    has_others = len(case) or case.text or not case.attrib.keys() <= _PYTESTS
    if has_others or _ESCAPED.search("".join(case.attrib.values())):
        return ET.tostring(case, encoding="unicode")
    attributes = "".join(f' {name}="{value}"' for name, value in case.attrib.items())
    return f"<{case.tag}{attributes} />"


class _DividedXML(LogXML):
    """pytest's own plugin; a file that cannot be written costs nothing but that file."""

    suites: JunitSuites
    problem = ""

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session) -> None:  # type: ignore[override]  # pluggy allows it
        path = Path(os.path.realpath(self.logfile))
        try:
            super().pytest_sessionfinish()
            self.suites.divide(path)
        except OSError as error:
            with contextlib.suppress(OSError):  # it may lack failures
                if path.is_file():
                    path.unlink()
            self.problem = f"--junitxml: {self.logfile} cannot be written ({error.strerror or error})"
            self.suites.notes.append(self.problem)
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        if not self.problem:
            summarize: Any = super().pytest_terminal_summary
            takes_config = "config" in inspect.signature(summarize).parameters  # not in pytest 8.0
            summarize(terminalreporter, *([config] if takes_config else []))


class JunitSuites:
    """The plugin object that takes each finished test case from pytest, and divides the file that pytest has written.

    pytest would keep the element trees of all tests until the end: a gigabyte for a large suite on many images.

    :param notes: receives a message if the file cannot be written.
    """

    def __init__(self, config: pytest.Config, results: Mapping[str, ImageResult], notes: list[str]) -> None:
        self.notes = notes
        self._config = config
        self._results = results
        self._file = CaseFile()
        self._cases = {label: Cases(self._file) for label in results}

    def register(self) -> None:
        """Register the hooks, and remove the temporary file at the end."""
        self._config.pluginmanager.register(self, "pyimages-junit")
        self._config.add_cleanup(self._file.close)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Replace the hooks of pytest's own plugin, which other plugins look up and add to."""
        xml: Any = self._config.stash.get(xml_key, None)
        if type(xml) is LogXML:
            self._config.pluginmanager.unregister(xml)
            xml.__class__ = _DividedXML
            setattr(xml, "suites", self)  # noqa: B010 - mypy sees the former class
            self._config.pluginmanager.register(xml)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        xml: Any = self._config.stash.get(xml_key, None)
        for name, value in getattr(report, ATTRIBUTES, ()) if xml is not None else ():
            xml.node_reporter(report).add_attribute(_remove_invalid(name), value)
        yield
        if report.when == "teardown":
            self._take_ended(xml)

    @property
    def is_in_use(self) -> bool:
        """Whether pytest's own plugin writes the file, and not one that another plugin has made of it."""
        return type(self._config.stash.get(xml_key, None)) is _DividedXML

    def end_passed(self, report: pytest.TestReport, seconds: float) -> None:
        """Conclude a test that passed, as the report of its teardown would.

        :param report: of its call, which pytest's own plugin has got.
        :param seconds: that its setup and its teardown took.
        """
        xml: Any = self._config.stash[xml_key]
        if xml.report_duration == "total":
            xml.node_reporter(report).duration += seconds
        xml.finalize(report)
        self._take_ended(xml)

    def _take_ended(self, xml: Any) -> None:
        # Private: without these attributes all test cases are divided at the end.
        reporters: list[Any] = getattr(xml, "node_reporters_ordered", [])
        open_ones = {id(reporter) for reporter in getattr(xml, "node_reporters", {}).values()}
        for reporter in [one for one in reporters if id(one) not in open_ones]:
            case = reporter.to_xml()
            label = _take_label(case, self._results)
            if label in self._cases:
                self._cases[label].add(case)
                reporters.remove(reporter)

    def divide(self, path: Path) -> None:
        """Divide the file that pytest has just written.

        :raises OSError: the file then lacks the test cases that were taken.
        """
        if self._file.problem is not None:
            raise self._file.problem
        if path.is_file():
            tree = ET.parse(path)  # noqa: S314 - pytest has written it a moment ago
            pieces = divide_suites(tree.getroot(), self._results, self._cases)
            declaration = '<?xml version="1.0" encoding="utf-8"?>'
            write_atomically(path, (piece.encode() for piece in itertools.chain([declaration], pieces)))


def divide_suites(
    root: ET.Element, results: Mapping[str, ImageResult], ended: Mapping[str, Cases] | None = None
) -> Iterator[str]:
    """Yield the text of a junit file with a suite for each image, in the order of the images.

    :param ended: test cases that were removed from the file before, by label.
    """
    suite = root.find("testsuite")
    if suite is None:
        yield ET.tostring(root, encoding="unicode")
        return
    all_cases: dict[str, list[ET.Element]] = {label: [] for label in results}
    for case in suite.findall("testcase"):
        all_cases.setdefault(_take_label(case, results), []).append(case)
    root.remove(suite)
    start, end = _split_element(root)
    yield start
    for label, cases in all_cases.items():
        yield from render_suite(suite, label, cases, results.get(label), (ended or {}).get(label))
    yield end


def _split_element(element: ET.Element) -> tuple[str, str]:
    """Return the text of an element before and after the place where children can be added."""
    text = ET.tostring(element, encoding="unicode", short_empty_elements=False)
    end = f"</{element.tag}>"
    return text.removesuffix(end), end


def _take_label(case: ET.Element, labels: Collection[str]) -> str:
    """Remove the image from the name and properties of a test case; return its label."""
    label = ""
    properties = case.find("properties")
    for found in [] if properties is None else properties.findall(f"property[@name='{PROPERTY}']"):
        label = found.get("value", "")
        if properties is not None:
            properties.remove(found)
            if not len(properties):
                case.remove(properties)
    name = case.get("name", "")
    label = label or next((one for one in labels if name.endswith(f"[{one}]")), "")
    if label and name.endswith(f"[{label}]"):
        case.set("name", name.removesuffix(f"[{label}]") or IMAGE_CASE)
    return label


def render_suite(
    whole: ET.Element, label: str, cases: list[ET.Element], result: ImageResult | None, ended: Cases | None
) -> Iterator[str]:
    """Yield the text of an image's suite, with the attributes of pytest's."""
    ended = ended or Cases(CaseFile())
    for case in cases:
        ended.count(case)
    counted = {name: str(number) for name, number in ended.counts.items()}
    suite = ET.Element(whole.tag, {**whole.attrib, **counted})
    suite.set("name", label or whole.get("name", ""))
    suite.set("time", f"{ended.seconds:.3f}")
    properties = ET.SubElement(suite, "properties")
    properties.extend(whole.findall("properties/property"))
    if result is not None:
        for name, value in result.properties:
            ET.SubElement(properties, "property", name=_remove_invalid(name), value=_remove_invalid(value))
        values = {
            "image": result.reference,
            "digest": result.digest,
            "python": result.python,
            "engine": result.engine,
            "same_as": result.same_as,
            SHARD: "" if result.shard is None else str(result.shard),
            "problem": result.problem,
        }
        for name, value in values.items():
            if value:
                ET.SubElement(properties, "property", name=name, value=_remove_invalid(value))
    suite.extend(cases)
    start, end = _split_element(suite)
    yield start
    for span in ended.spans:
        yield from ended.file.read(*span)
    yield end


def _remove_invalid(text: str) -> str:
    """Return text without characters that XML does not allow (XML 1.0, 2.2)."""
    return "".join(
        letter for letter in text if letter in "\t\n" or (letter >= " " and not "\ud800" <= letter <= "\udfff")
    )
