"""Make the document that all report files are rendered from (schema 1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest_pyimages
from pytest_pyimages.results.comparison import Column, Difference, find_differences
from pytest_pyimages.results.outcome import Failure, ImageResult
from pytest_pyimages.results.warning_places import WarningPlace

SCHEMA = 1


def make_document(
    results: Mapping[str, ImageResult], *, exit_status: int, started: float, ended: float
) -> dict[str, Any]:
    """Return the results of images and tests; see report.schema.json.

    :param started: seconds since the epoch, like ``ended``.
    """
    nodeids = dict.fromkeys(nodeid for result in results.values() for nodeid in result.outcomes)
    differing = {difference.nodeid for difference in find_differences(results)}
    return {
        "schema": SCHEMA,
        "version": pytest_pyimages.__version__,
        "started": round(started, 3),
        "seconds": round(ended - started, 3),
        "exit_status": exit_status,
        "images": [_image(result) for result in results.values()],
        "tests": [_test(nodeid, results, differs=nodeid in differing) for nodeid in nodeids],
    }


def read_comparison(document: Mapping[str, Any]) -> tuple[tuple[Column, ...], tuple[Difference, ...]]:
    """Return the images of a document that are compared, and the tests that differ between them."""
    known = {label for test in document["tests"] for label in test["outcomes"]}
    images = [image for image in document["images"] if image["label"] in known]
    columns = tuple(Column(image["label"] + "?" * image["allowed_to_fail"], image["python"]) for image in images)
    found = tuple(
        Difference(test["nodeid"], tuple(test["outcomes"].get(image["label"], "") for image in images))
        for test in document["tests"]
        if test["differs"]
    )
    return columns, found


def render_json(document: Mapping[str, Any]) -> str:
    """Return the document as JSON, with a line for each image and each test."""
    parts = (
        f" {json.dumps(name)}: {_render_lines(value) if isinstance(value, list) else json.dumps(value)}"
        for name, value in document.items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _render_lines(values: list[Any]) -> str:
    # json's own indent keeps every token in a list until the end, which takes ten times the size of the text.
    return "[" + ",".join(f"\n  {json.dumps(value)}" for value in values) + "\n ]"


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


def _test(nodeid: str, results: Mapping[str, ImageResult], *, differs: bool) -> dict[str, Any]:
    test: dict[str, Any] = {
        "nodeid": nodeid,
        "outcomes": {label: result.outcomes[nodeid] for label, result in results.items() if nodeid in result.outcomes},
        "differs": differs,
        "seconds": {
            label: round(result.durations[nodeid], 4) for label, result in results.items() if nodeid in result.durations
        },
    }
    failures = {
        label: _failure(result.failures[nodeid]) for label, result in results.items() if nodeid in result.failures
    }
    reasons = {label: result.reasons[nodeid] for label, result in results.items() if result.reasons.get(nodeid)}
    places = {
        label: result.reason_places[nodeid] for label, result in results.items() if nodeid in result.reason_places
    }
    optional = {"failures": failures, "reasons": reasons, "reason_places": places}
    return test | {name: values for name, values in optional.items() if values}


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "phase": failure.phase,
        "message": failure.message,
        "line": failure.line,
        "text": failure.text,
        "sections": [list(section) for section in failure.sections],
    }
