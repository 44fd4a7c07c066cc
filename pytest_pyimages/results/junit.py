"""pytest's junit file with a suite per image, instead of one for all.

The form is the one that pytest has written for one suite (``junit_family`` and all): its test cases are only moved.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.reports import PROPERTY

IMAGE_CASE = "image"  # the name of the test case that stands for an image which could not be tested


class JunitSuites:
    """The plugin object that does it once pytest has written the file."""

    def __init__(self, config: pytest.Config, results: Mapping[str, ImageResult]) -> None:
        self._path = Path(os.path.expandvars(config.getoption("xmlpath"))).expanduser()
        if not self._path.is_absolute():
            self._path = config.invocation_params.dir / self._path
        self._results = results

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, None, None]:
        """Divide the file; with what the session's own finish has put into the results."""
        yield
        if self._path.is_file():
            tree = ET.parse(self._path)  # noqa: S314 - pytest has written it a moment ago
            divide(tree.getroot(), self._results)
            text = ET.tostring(tree.getroot(), encoding="unicode")
            self._path.write_text(f'<?xml version="1.0" encoding="utf-8"?>{text}', encoding="utf-8")


def divide(root: ET.Element, results: Mapping[str, ImageResult]) -> None:
    """Replace the one suite of a junit file by one for each image, in the order of the images."""
    suite = root.find("testsuite")
    if suite is None:
        return
    root.set("name", suite.get("name", ""))
    cases: dict[str, list[ET.Element]] = {label: [] for label in results}
    for case in suite.findall("testcase"):
        label = _take_label(case, cases)
        cases.setdefault(label, []).append(case)
    place = list(root).index(suite)
    root.remove(suite)
    for label, ones in cases.items():
        root.insert(place, _suite(suite, label, ones, results.get(label)))
        place += 1


def _take_label(case: ET.Element, labels: Mapping[str, object]) -> str:
    """Return the image of a test case, and take it out of its name and its properties."""
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


def _suite(whole: ET.Element, label: str, cases: list[ET.Element], result: ImageResult | None) -> ET.Element:
    """Return an image's suite, with pytest's own attributes."""
    counted = {
        "errors": len([case for case in cases if case.find("error") is not None]),
        "failures": len([case for case in cases if case.find("failure") is not None]),
        "skipped": len([case for case in cases if case.find("skipped") is not None]),
        "tests": len(cases),
    }
    suite = ET.Element(whole.tag, {**whole.attrib, **{name: str(number) for name, number in counted.items()}})
    suite.set("name", label or whole.get("name", ""))
    suite.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")
    properties = ET.SubElement(suite, "properties")
    properties.extend(whole.findall("properties/property"))
    if result is not None:
        told = {"image": result.reference, "digest": result.digest, "python": result.python, "problem": result.problem}
        for name, value in told.items():
            if value:
                ET.SubElement(properties, "property", name=name, value=_valid(value))
    suite.extend(cases)
    return suite


def _valid(text: str) -> str:
    """Return text without what XML cannot say (XML 1.0, 2.2)."""
    return "".join(
        letter for letter in text if letter in "\t\n" or (letter >= " " and not "\ud800" <= letter <= "\udfff")
    )
