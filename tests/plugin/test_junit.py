"""What the suite adds to its junit file by fixtures, and by pytest's own object, is in the host's file."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

ADDS = """
import os
import pytest
from _pytest.junitxml import xml_key

def pytest_sessionstart(session):
    if session.config.getoption("xmlpath"):
        session.config.stash[xml_key].add_global_property("os", "x<y")

@pytest.fixture(scope="session", autouse=True)
def facts(record_testsuite_property):
    record_testsuite_property("IMAGE", os.environ.get("FAKE_IMAGE", ""))
"""
SUITE = """
def test_option(request, record_xml_attribute, record_property):
    assert request.config.getoption("xmlpath") == "sub/out.xml"
    assert request.config.getoption("durations") == 3
    record_xml_attribute("assertions", "2")
    record_xml_attribute("name", "its own name")
    record_property("key", "value")

def test_plain(): pass
"""
SUBTESTS = """
import unittest

def test_sub(subtests):
    for number in range(2):
        with subtests.test(number=number): pass

class TestIt(unittest.TestCase):
    def test_unit(self):
        for number in range(3):
            with self.subTest(number=number): pass
"""


def test_additions_of_the_suite_are_in_the_file(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(ADDS)
    pytester.makepyfile(test_it=SUITE)
    options = ("--junitxml=sub/out.xml", "--durations=3")
    by_hand = pytester.runpytest_subprocess("-p", "no:pyimages", *options)
    by_hand.assert_outcomes(passed=2)
    theirs = ET.parse(pytester.path / "sub" / "out.xml").getroot()
    run = run_images(*options, images="3.12,3.13")
    assert run.result.parseoutcomes()["passed"] == 4
    ours = ET.parse(pytester.path / "sub" / "out.xml").getroot()
    assert (ours.tag, ours.attrib) == (theirs.tag, theirs.attrib)
    wanted = list(theirs.iter("testcase"))
    for label, suite in zip(("3.12", "3.13"), ours, strict=True):
        properties = [(one.get("name"), one.get("value")) for one in suite.iterfind("properties/property")]
        assert properties[:2] == [("os", "x<y"), ("IMAGE", f"python:{label}")]
        for case, by_pytest in zip(suite.iter("testcase"), wanted, strict=True):
            assert case.attrib == by_pytest.attrib | {"time": case.get("time")}
        assert suite.find("testcase/properties/property").attrib == {"name": "key", "value": "value"}  # type: ignore[union-attr]
    assert run.out.count("generated xml file") == 1
    assert "summary of" not in run.out


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="subtests are in pytest since 9.0")
@pytest.mark.parametrize("options", [(), ("-v",), ("-q",), ("-o", "verbosity_subtests=1")])
def test_passed_subtests_are_counted_as_by_hand(
    pytester: pytest.Pytester, run_images: Run, options: tuple[str, ...]
) -> None:
    pytester.makepyfile(SUBTESTS)
    by_hand = pytester.runpytest_subprocess("-p", "no:pyimages", *options).parseoutcomes()
    assert run_images(*options).result.parseoutcomes() == by_hand
