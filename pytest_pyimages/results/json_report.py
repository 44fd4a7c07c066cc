"""The results of all images as one JSON file, schema 1."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.results.outcome import ImageResult

SCHEMA = 1


def as_document(results: Mapping[str, ImageResult]) -> dict[str, Any]:
    """Return what is written: a row per image, and per test its outcome on every image that knows it."""
    nodeids = dict.fromkeys(nodeid for result in results.values() for nodeid in result.outcomes)
    return {
        "schema": SCHEMA,
        "images": [_image(result) for result in results.values()],
        "tests": [
            {
                "nodeid": nodeid,
                "outcomes": {
                    label: result.outcomes[nodeid] for label, result in results.items() if nodeid in result.outcomes
                },
            }
            for nodeid in nodeids
        ],
    }


def _image(result: ImageResult) -> dict[str, Any]:
    return {
        "label": result.label,
        "reference": result.reference,
        "digest": result.digest,
        "python": result.python,
        "allowed_to_fail": result.allowed_to_fail,
        "outcome": result.outcome,
        "exit_status": result.exit_status,
        "counts": result.counts,
        "cached": result.cached,
        "build_seconds": round(result.build_seconds, 3),
        "run_seconds": round(result.run_seconds, 3),
        "problem": result.problem,
    }


def write_report(path: Path, results: Mapping[str, ImageResult]) -> None:
    """Write the file whole or not at all, with its folders.

    :raises PyimagesError: if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(as_document(results), file, indent=1, ensure_ascii=True)
                file.write("\n")
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PyimagesError(
            f"--py-images-report: {path} cannot be written ({error.strerror})", "name another file"
        ) from error
