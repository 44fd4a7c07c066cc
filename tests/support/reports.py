"""What report files say of a run, without what differs between two runs of the same suite."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

TIMES = ("started", "seconds", "build_seconds", "run_seconds", "cached")


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON report without times, its tests in the order of their node ids."""
    tests = [
        {**test, "seconds": sorted(test["seconds"]), "outcomes": dict(sorted(test["outcomes"].items()))}
        for test in sorted(report["tests"], key=lambda test: str(test["nodeid"]))
    ]
    images = [{key: value for key, value in image.items() if key not in TIMES} for image in report["images"]]
    return {**{key: value for key, value in report.items() if key not in TIMES}, "images": images, "tests": tests}


def read_junit(file: str | Path) -> dict[str, tuple[Any, ...]]:
    """Return by image what a junit file contains, without times and the order of its cases."""
    suites = {}
    for suite in ET.parse(file).getroot():
        attributes = {name: value for name, value in suite.attrib.items() if name not in ("time", "timestamp")}
        properties = sorted((each.get("name"), each.get("value")) for each in suite.iterfind("properties/property"))
        cases = sorted(re.sub(rb' time="[^"]*"', b"", ET.tostring(case)) for case in suite.iter("testcase"))
        suites[suite.get("name", "")] = attributes, properties, cases
    return suites
