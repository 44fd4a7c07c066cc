"""Render the results as a self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from pytest_pyimages.results.alike import Failures, group_failures
from pytest_pyimages.results.comparison import group_by_pattern
from pytest_pyimages.results.output.json_report import read_comparison
from pytest_pyimages.results.output.rows import make_document_remark
from pytest_pyimages.results.regressions import announces_error, count_new_warnings
from pytest_pyimages.results.warning_places import WarningPlace

MOST_LOCATIONS = 3  # of a warning
_ENCODER = json.JSONEncoder(separators=(",", ":"))
# Characters that would end the element that contains the data (HTML Standard, 4.12.1.3).
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render_html(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the page. Its policy allows its own script only, and nothing that a suite has named or printed."""
    panels, script, style, page = (
        files("pytest_pyimages.results.output.page").joinpath(name).read_text("utf-8")
        for name in ("panels.js", "report.js", "report.css", "report.html")
    )
    script = panels + script
    policy = f"default-src 'none'; script-src '{_source(script)}'; style-src '{_source(style)}'; img-src data:"
    parts = {
        "POLICY": html.escape(policy, quote=False),
        "STYLE": style,
        "OUTCOMES": html.escape(_count_outcomes(document["images"])),
        "SUMMARY": _summary(document),
        "DATA": _data(_compact(document)),
        "SCRIPT": script,
    }
    for name, part in parts.items():
        before, mark, page = page.partition(f"<!--{name}-->")
        assert mark, name  # noqa: S101 - the page is ours
        yield before
        yield from [part] if isinstance(part, str) else part
    yield page


def _source(text: str) -> str:
    """Return the source expression of an inline script or style for a Content-Security-Policy (CSP Level 3, 8.2)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield an object as JSON; of those values that are iterators, one element after the other."""
    separator = "{"
    for name, part in value.items():
        yield f"{separator}{_dump(name)}:"
        separator = ","
        if isinstance(part, Iterator):
            yield "["
            for number, each in enumerate(part):
                yield f"{',' if number else ''}{_dump(each)}"
            yield "]"
        else:
            yield _dump(part)
    yield "}"


def _dump(value: Any) -> str:
    text = _ENCODER.encode(value)
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text


def _compact(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with lists instead of mappings per test, since labels and outcomes repeat."""
    labels = [image["label"] for image in document["images"]]
    indexes = {label: index for index, label in enumerate(labels)}
    names = list(dict.fromkeys(outcome for test in document["tests"] for outcome in test["outcomes"].values()))
    numbers = {name: number for number, name in enumerate(names)}
    columns, found = read_comparison(document)
    groups = list(group_by_pattern(columns, found))
    places = {difference.nodeid: place for place, (_, members) in enumerate(groups) for difference in members}
    locations = _list_locations(document["images"])
    return {
        "version": document["version"],
        "started": document["started"],
        "seconds": document["seconds"],
        "exit_status": document["exit_status"],
        "session": document.get("session", {}),
        "images": [
            {name: image[name] for name in ("label", "build_seconds", "run_seconds")} for image in document["images"]
        ],
        "outcomes": names,
        "patterns": [[pattern, len(members)] for pattern, members in groups],
        "tests": (
            [
                test["nodeid"],
                [numbers[test["outcomes"][label]] if label in test["outcomes"] else -1 for label in labels],
                places.get(test["nodeid"], -1),
                [test["seconds"].get(label, 0) for label in labels],
                [_pack(group, indexes) for group in group_failures(test.get("failures", {}))],
                _pack_reasons(test, indexes),
            ]
            for test in document["tests"]
        ),
        "warnings": [
            [
                text,
                [image.get("warnings", {}).get(text, 0) for image in document["images"]],
                announces_error(text),
                locations.get(text, []),
            ]
            for text in dict.fromkeys(text for image in document["images"] for text in image.get("warnings", ()))
        ],
        "new": count_new_warnings(document["images"]),
        "history": document.get("history"),
    }


def _list_locations(images: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the files and lines of each warning, of many only the first and the number of the others."""
    found: dict[str, dict[str, None]] = {}
    for image in images:
        for place in image.get("warning_places", ()):
            if place["path"]:
                message = WarningPlace(*(place[name] for name in WarningPlace._fields)).message
                found.setdefault(message, {})[f"{place['path']}:{place['line']}"] = None
    return {
        message: [*list(places)[:MOST_LOCATIONS], *_count_others(len(places) - MOST_LOCATIONS)]
        for message, places in found.items()
    }


def _count_others(number: int) -> list[str]:
    return [f"{number} more"] if number > 0 else []


def _pack(group: Failures, indexes: Mapping[str, int]) -> list[Any]:
    """Return the images and failures of a group; a failure is null if it has the same text as the first one."""
    first = next(iter(group.values()))
    return [
        [indexes[label], None if failure is not first and failure["text"] == first["text"] else failure]
        for label, failure in group.items()
    ]


def _pack_reasons(test: Mapping[str, Any], indexes: Mapping[str, int]) -> list[Any]:
    """Return the reasons of a test with their images, each once."""
    reasons: dict[str, list[int]] = {}
    for label, reason in test.get("reasons", {}).items():
        reasons.setdefault(reason, []).append(indexes[label])
    return list(reasons.items())


def _count_outcomes(images: Sequence[Mapping[str, Any]]) -> str:
    numbers = Counter(image["outcome"] for image in images)
    counts = ", ".join(f"{number} {outcome}" for outcome, number in numbers.items())
    return f"{len(images)} {'image' if len(images) == 1 else 'images'}: {counts}"


def _summary(document: Mapping[str, Any]) -> str:
    """Return the table of the images, which needs no script."""
    names = [
        name
        for name in dict.fromkeys(name for image in document["images"] for name in image["counts"])
        if name in ("passed", "failed", "skipped") or any(image["counts"].get(name) for image in document["images"])
    ]
    heads = ("image", "Python", *names, "build", "run", "")
    is_number = {*names, "build", "run"}
    head = "".join(
        f'<th scope="col"{" class=n" if name in is_number else ""}>{html.escape(name)}</th>' for name in heads
    )
    return f"<thead><tr>{head}</tr></thead><tbody>{''.join(_row(image, names) for image in document['images'])}</tbody>"


def _row(image: Mapping[str, Any], names: list[str]) -> str:
    build = "cached" if image["cached"] else f"{image['build_seconds']:.1f} s"
    remark = make_document_remark(image)
    counts = "".join(
        f'<td class="n {html.escape(name)}{" some" if image["counts"].get(name) else " none"}"'
        f' data-name="{html.escape(name)}">{image["counts"].get(name, 0)}</td>'
        for name in names
    )
    outcome = html.escape(image["outcome"])
    title = html.escape(f"{image['reference']}\n{image['digest']}")
    return (
        f'<tr><th scope="row" title="{title}">{html.escape(image["label"])}'
        f' <span class="state {outcome.replace(" ", "-")}">{outcome}</span></th>'
        f"<td>{html.escape(image['python'])}</td>{counts}<td class=n data-name=build>{build}</td>"
        f"<td class=n data-name=run>{image['run_seconds']:.1f} s</td><td>{html.escape(remark)}</td></tr>"
    )
