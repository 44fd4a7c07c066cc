"""Merge the junit files of several jobs into the file that one session would have written: a suite for each image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from pytest_pyimages.atomic_write import write_atomically
from pytest_pyimages.errors import ConfigurationError, PyimagesError
from pytest_pyimages.results.outcome import ImageResult
from pytest_pyimages.results.output.json_reading import JobReport
from pytest_pyimages.results.output.junit import IMAGE_CASE, SHARD, render_suite
from pytest_pyimages.text import clean_line

_OURS = ("image", "digest", "python", "same_as", SHARD, "problem")  # properties that are written for the whole image
_Part = tuple[str, str]  # label and shard ("1/2", or empty) of a suite


def write_junit(
    path: Path, files: Sequence[Path], results: Mapping[str, ImageResult], jobs: Iterable[JobReport]
) -> list[str]:
    """Write the merged file atomically; return an error message for each problem.

    :param files: of --junitxml, one for each job.
    :param results: the merged ones.
    :param jobs: the parts that must be in the files.
    :raises ConfigurationError: for a file that is not a junit file of a run over images.
    """
    root = ET.Element("testsuites", name="pytest tests")
    suites: dict[str, list[ET.Element]] = {label: [] for label in results}
    parts: Counter[_Part] = Counter()
    for file in dict.fromkeys(files):
        read, suites_of_file = _read(file, results)
        root.attrib.update(read.attrib)
        for suite in suites_of_file:
            label = suite.get("name", "")
            suites[label].append(suite)
            parts[label, _find_shard(suite)] += 1
    root.extend(ET.fromstring("".join(_merge(found, results[label]))) for label, found in suites.items())  # noqa: S314 - written here
    problems = [f"{path.name} is incomplete: {text}" for text in _list_missing(parts, jobs)]
    try:
        write_atomically(path, [b'<?xml version="1.0" encoding="utf-8"?>', ET.tostring(root, encoding="utf-8")])
    except OSError as error:
        hint = "choose another file"
        problems.append(str(PyimagesError(f"-o: {path} cannot be written ({error.strerror})", hint)))
    return problems


def _read(file: Path, labels: Collection[str]) -> tuple[ET.Element, list[ET.Element]]:
    name = clean_line(str(file))
    try:
        root = ET.parse(file).getroot()  # noqa: S314 - expat limits the expansion of entities
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be read ({error.strerror})") from error
    except ET.ParseError as error:
        raise ConfigurationError(f"{name} is not XML", "name files of --junitxml=FILE") from error
    suites = root.findall("testsuite")
    others = [suite for suite in suites if suite.get("name") not in labels]
    if root.tag != "testsuites" or others:
        found = clean_line(others[0].get("name", "")) if others else root.tag
        raise ConfigurationError(f'{name} has a suite "{found}", which is no image of the reports')
    return root, suites


def _find_shard(suite: ET.Element) -> str:
    found = suite.find(f"properties/property[@name='{SHARD}']")
    return "" if found is None else found.get("value", "")


def _list_missing(found: Counter[_Part], jobs: Iterable[JobReport]) -> Iterator[str]:
    needed: Counter[_Part] = Counter()
    for job in {job.digest: job for job in jobs}.values():
        for label, result in job.results.items():
            needed[label, "" if result.shard is None else str(result.shard)] += 1
    for label, shard in needed - found:
        yield f"no junit file has {label}{f' shard {shard}' if shard else ''}"


def _merge(suites: list[ET.Element], result: ImageResult) -> Iterator[str]:
    """Yield the text of one image's suite.

    Entries that are not tests, such as files that could not be collected, are in every shard; they are written once.
    """
    suites.sort(key=lambda suite: int(_find_shard(suite).partition("/")[0] or 0))
    cases: list[ET.Element] = []
    seen: set[tuple[str, str]] = set()
    for suite in suites:
        own = [(_get_key(case), case) for case in suite.findall("testcase")]
        cases += [case for key, case in own if key not in seen]
        seen.update(key for key, _ in own)
    is_error = result.problem and (result.incomplete or not result.allowed_to_fail)
    if is_error and ("", IMAGE_CASE) not in seen:
        case = ET.Element("testcase", classname="", name=IMAGE_CASE, time="0.000")
        ET.SubElement(case, "error", message="collection failure").text = f"{result.label}: {result.problem}"
        cases.append(case)
    whole = ET.Element("testsuite", suites[0].attrib if suites else {"name": result.label})
    times = [time for suite in suites if (time := suite.get("timestamp"))]
    if times:
        whole.set("timestamp", min(times))
    whole.extend(_list_properties(suites))
    return render_suite(whole, result.label, cases, result, None)


def _list_properties(suites: Iterable[ET.Element]) -> Iterator[ET.Element]:
    """Yield an element with the properties that the suites themselves have recorded, each once."""
    properties, seen = ET.Element("properties"), set[tuple[str, str]]()
    for suite in suites:
        for each in suite.findall("properties/property"):
            key = each.get("name", ""), each.get("value", "")
            if key not in seen and key[0] not in _OURS:
                seen.add(key)
                properties.append(each)
    yield properties


def _get_key(case: ET.Element) -> tuple[str, str]:
    return case.get("classname", ""), case.get("name", "")
