"""Make the document that all report files are rendered from (schema 1)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pytest_pyimages
from pytest_pyimages.results.comparison import Column, Difference, find_differences
from pytest_pyimages.results.outcome import Failure, ImageResult
from pytest_pyimages.results.warning_places import WarningPlace

SCHEMA = 1


def make_document(
    results: Mapping[str, ImageResult], *, exit_status: int, started: float, ended: float, is_changed: bool = True
) -> dict[str, Any]:
    """Return the results of images and tests; see report.schema.json.

    :param started: seconds since the epoch, like ``ended``.
    :param is_changed: whether the caller may change the tests; else each is made whenever it is read.
    """
    tests = Tests(results)
    return {
        "schema": SCHEMA,
        "version": pytest_pyimages.__version__,
        "started": round(started, 3),
        "seconds": round(ended - started, 3),
        "exit_status": exit_status,
        "images": [_image(result) for result in results.values()],
        "tests": list(tests) if is_changed else tests,
    }


class Tests:
    """The tests of a document; all at once would take a third of the memory of a large session."""

    def __init__(self, results: Mapping[str, ImageResult]) -> None:
        self._nodeids = dict.fromkeys(nodeid for result in results.values() for nodeid in result.outcomes)
        self._differing = {difference.nodeid for difference in find_differences(results)}
        self._results = list(results.items())
        self._failures = [(label, result.failures) for label, result in self._results if result.failures]
        self._reasons = [(label, result.reasons) for label, result in self._results if result.reasons]
        self._places = [(label, result.reason_places) for label, result in self._results if result.reason_places]

    def __len__(self) -> int:
        return len(self._nodeids)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self._make, self._nodeids)

    def _make(self, nodeid: str) -> dict[str, Any]:
        test: dict[str, Any] = {
            "nodeid": nodeid,
            "outcomes": {label: each.outcomes[nodeid] for label, each in self._results if nodeid in each.outcomes},
            "differs": nodeid in self._differing,
            "seconds": {
                label: round(each.durations[nodeid], 4) for label, each in self._results if nodeid in each.durations
            },
        }
        optional = {
            "failures": {label: _failure(each[nodeid]) for label, each in self._failures if nodeid in each},
            "reasons": {label: each[nodeid] for label, each in self._reasons if each.get(nodeid)},
            "reason_places": {label: each[nodeid] for label, each in self._places if nodeid in each},
        }
        return test | {name: values for name, values in optional.items() if values}


def read_comparison(document: Mapping[str, Any]) -> tuple[tuple[Column, ...], tuple[Difference, ...]]:
    """Return the images of a document that are compared, and the tests that differ between them."""
    known: set[str] = set()
    differing = []
    for test in document["tests"]:
        known.update(test["outcomes"])
        if test["differs"]:
            differing.append(test)
    images = [image for image in document["images"] if image["label"] in known]
    columns = tuple(Column(image["label"] + "?" * image["allowed_to_fail"], image["python"]) for image in images)
    found = tuple(
        Difference(test["nodeid"], tuple(test["outcomes"].get(image["label"], "") for image in images))
        for test in differing
    )
    return columns, found


def render_json(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the document as JSON, with a line for each image and each test."""
    separator = "{"
    for name, value in document.items():
        yield f"{separator}\n {json.dumps(name)}: "
        separator = ","
        if isinstance(value, list | Tests):
            yield "["
            for number, each in enumerate(value):
                yield f"{',' if number else ''}\n  {json.dumps(each)}"
            yield "\n ]"
        else:
            yield json.dumps(value)
    yield "\n}\n"


def _image(result: ImageResult) -> dict[str, Any]:
    image: dict[str, Any] = {
        "label": result.label,
        "reference": result.reference,
        "digest": result.digest,
        "python": result.python,
        "allowed_to_fail": result.allowed_to_fail,
        "outcome": result.outcome,
        "exit_status": result.exit_status,
        "counts": dict(result.counts),
        "cached": result.cached,
        "build_seconds": round(result.build_seconds, 3),
        "run_seconds": round(result.run_seconds, 3),
        "problem": result.problem,
    }
    optional = {
        "stopped": result.stopped,
        "hint": result.hint,
        "deselected": result.deselected,
        "warnings": dict(result.warnings),
        "warning_places": [_place(place, locations) for place, locations in result.warning_places.items()],
        "implementation": result.implementation,
        "engine": result.engine,
        "same_as": result.same_as,
        "smoke": result.smoke,
    }
    image |= {name: value for name, value in optional.items() if value}
    if result.max_warnings is not None:
        image["max_warnings"] = result.max_warnings
    if result.shard is not None:
        # not_tests are the same in every shard.
        image["shard"] = {**asdict(result.shard), "not_tests": dict(result.not_tests)}
    return image


def _place(place: WarningPlace, locations: Mapping[str, int]) -> dict[str, Any]:
    tests = {nodeid: number for nodeid, number in locations.items() if nodeid}
    return {**place._asdict(), "count": sum(locations.values()), "tests": tests}


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "phase": failure.phase,
        "message": failure.message,
        "line": failure.line,
        "text": failure.text,
        "sections": [list(section) for section in failure.sections],
    }
