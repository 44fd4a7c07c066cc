"""Test cases that are kept for the junit file."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from pytest_pyimages.results.output.junit import CaseFile, Cases, divide_suites, render_case
from tests.support.results import make_result


def case(name: str) -> ET.Element:
    return ET.Element("testcase", name=name, time="0.5")


def test_the_cases_of_all_images_share_a_file() -> None:
    file = CaseFile()
    images = {label: Cases(file) for label in ("3.12", "3.14")}
    for number in range(100):
        for label in images if number % 10 == 0 else ["3.12"]:
            images[label].add(case(f"tést {number}"))
    root = ET.fromstring("<testsuites><testsuite name='pytest'/></testsuites>")
    results = {label: make_result(label) for label in images}
    text = "".join(divide_suites(root, results, images))
    first, second = ET.fromstring(text).findall("testsuite")
    assert [each.get("name") for each in first.findall("testcase")] == [f"tést {number}" for number in range(100)]
    assert [each.get("name") for each in second.findall("testcase")] == [
        f"tést {number}" for number in range(0, 100, 10)
    ]
    assert (first.get("tests"), second.get("tests")) == ("100", "10")
    assert len(images["3.14"].spans) == 10, "neighbours are one span"
    file.close()


def test_a_file_that_cannot_be_written_is_not_read() -> None:
    file = CaseFile()
    file._file = open("/dev/full", "w+b", buffering=0)  # noqa: SIM115, PTH123 - a full disk
    cases = Cases(file)
    cases.add(case("a"))
    cases.add(case("b"))
    with pytest.raises(OSError, match="No space left"):
        list(file.read(*cases.spans[0]))
    file.close()


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"classname": "tests.test_a", "name": "test_tést[ -1]", "file": "tests/test_a.py", "line": "3"}, ""),
        ({"name": 'test_it[<"&\n>]'}, ""),
        ({"{urn:suite}owner": "somebody"}, ""),
        ({"name": "test_it"}, "text"),
    ],
)
def test_cases_are_written_as_by_element_tree(attributes: dict[str, str], text: str) -> None:
    element = ET.Element("testcase", attributes, time="0.500")
    element.text = text
    assert render_case(element) == ET.tostring(element, encoding="unicode")
    ET.SubElement(element, "failure")
    assert render_case(element) == ET.tostring(element, encoding="unicode")
