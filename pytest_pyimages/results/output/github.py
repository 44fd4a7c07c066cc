"""Report to GitHub Actions: the job summary, and an annotation for each of the first failures, with its images.

Source: "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.results.alike import Failures, group_failures
from pytest_pyimages.results.output.markdown_report import render_markdown

MOST_ANNOTATIONS = 10  # of each level in a step; GitHub shows no more
SUMMARY_BYTES = 1024 * 1024  # of a step; GitHub drops longer ones


def report_to_github(
    document: Mapping[str, Any], *, rootdir: Path, environ: Mapping[str, str]
) -> tuple[tuple[str, ...], str]:
    """Write the job summary; return the workflow commands to print, and an error message if there is no summary."""
    problem = ""
    try:
        write_summary_file(document, environ)
    except PyimagesError as error:
        problem = str(error)
    return tuple(make_workflow_commands(document, rootdir=rootdir, environ=environ)), problem


def write_summary_file(document: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Append the results to the job summary, if the environment names one.

    :raises PyimagesError: if the file cannot be written.
    """
    name = environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    data = f"## Tests across Python images\n\n{render_markdown(document)}\n".encode("utf-8", "replace")
    try:
        path = Path(name)
        left = SUMMARY_BYTES - (path.stat().st_size if path.exists() else 0)
        if len(data) > left:
            data = b"\n(the results of this run are too long for this summary)\n"
        with path.open("ab") as file:
            file.write(data)
    except OSError as error:
        raise PyimagesError(f"the job summary {name} cannot be written ({error.strerror})") from error


def make_workflow_commands(document: Mapping[str, Any], *, rootdir: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the workflow commands that annotate failures in the code, those of required images first."""
    allowed = {image["label"] for image in document["images"] if image["allowed_to_fail"]}
    annotations = [
        (f"{image['label']}: not tested to the end", image["problem"], "", 0, image["label"] in allowed)
        for image in document["images"]
        if image["problem"]
    ]
    for test in document["tests"]:
        for group in group_failures(test.get("failures", {})):
            failure = next(iter(group.values()))
            title = f"{test['nodeid'].partition('::')[2] or test['nodeid']} fails on {', '.join(group)}"
            place = _relative(rootdir / test["nodeid"].partition("::")[0], environ)
            annotations.append((title, _join_messages(group), place, failure["line"], allowed.issuperset(group)))
    for kind, is_allowed in (("error", False), ("warning", True)):
        for title, message, place, line, _ in [one for one in annotations if one[4] is is_allowed][:MOST_ANNOTATIONS]:
            where = [f"file={_property(place)}", f"line={line}"] if place and line else []
            yield f"::{kind} {','.join([*where, f'title={_property(title)}'])}::{_data(message)}"


def _join_messages(group: Failures) -> str:
    """Return the message of the same failure on several images; if it differs, each with its images."""
    messages: dict[str, list[str]] = {}
    for label, failure in group.items():
        messages.setdefault(failure["message"], []).append(label)
    if len(messages) == 1:
        return next(iter(messages))
    return "\n".join(f"{', '.join(labels)}: {message}" for message, labels in messages.items())


def _relative(path: Path, environ: Mapping[str, str]) -> str:
    """Return a path relative to the checkout, as annotations require."""
    return os.path.relpath(path, environ.get("GITHUB_WORKSPACE") or os.curdir)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
