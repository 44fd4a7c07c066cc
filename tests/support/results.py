"""Results of images as replay builds them."""

from __future__ import annotations

from typing import Any

from pytest_pyimages.results.outcome import NOT_RUN, ImageResult
from pytest_pyimages.results.replay.image_run import ImageRun


def make_run(label: str = "3.12", **fields: Any) -> ImageRun:
    """Return the run of an image, to count outcomes in; its ``result`` has the other fields."""
    fields = {"reference": f"python:{label}", "allowed_to_fail": False, **fields}
    return ImageRun({label: ImageResult(label=label, **fields)}, label)


def make_result(label: str = "3.12", outcomes: dict[str, str] | None = None, **fields: Any) -> ImageResult:
    """Return the result of an image whose tests had these outcomes, by node id."""
    run = make_run(label, **fields)
    for nodeid, outcome in (outcomes or {}).items():
        if outcome == NOT_RUN:
            run.outcomes[nodeid] = outcome
        else:
            run.count(nodeid, outcome)
    return run.result
