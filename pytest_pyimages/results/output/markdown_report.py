"""Render the results as Markdown, short enough for a job summary or a comment."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_pyimages.results.alike import group_failures, list_differences
from pytest_pyimages.results.comparison import group_by_pattern
from pytest_pyimages.results.output.json_report import read_comparison
from pytest_pyimages.results.output.rows import LETTERS, make_document_remark

MOST_DIFFERENCES = 50
MOST_FAILURES = 20
LONGEST_TEXT = 3_000  # characters of a traceback: the end says most
# Characters that are markup, also within HTML elements; as entities they are plain text
# (GitHub Flavored Markdown Spec, 2.4 and 6.2).
_SPECIAL = re.compile(r"[\\`*_\[\]()|~#!]")


def render_markdown(document: Mapping[str, Any]) -> str:
    """Return a table of the images, the comparison and the failures."""
    return "\n".join((*_images(document["images"]), *_differences(document), *_failures(document["tests"]))) + "\n"


def escape(text: str) -> str:
    """Return text on one line, without any markup."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", html.escape(" ".join(text.split()), quote=False))


def _code(text: str) -> str:
    """Return text as code on one line, in HTML since the text may contain backticks."""
    return f"<code>{escape(text)}</code>"


def _images(images: list[Mapping[str, Any]]) -> Iterator[str]:
    names = _counted(images)
    yield f"| image | python | {' | '.join(names)} | build | run | |"
    yield f"|---|---|{'--:|' * (len(names) + 2)}---|"
    for image in images:
        counts = " | ".join(str(image["counts"].get(name, 0)) for name in names)
        build = "cached" if image["cached"] else f"{image['build_seconds']:.1f}s"
        mark = {"passed": "✅", "nothing collected": "⚪"}.get(
            image["outcome"], "⚠️" if image["allowed_to_fail"] else "❌"
        )
        yield (
            f"| {mark} {escape(image['label'])} | {escape(image['python'])} | {counts} | {build}"
            f" | {image['run_seconds']:.1f}s | {escape(make_document_remark(image))} |"
        )


def _counted(images: list[Mapping[str, Any]]) -> list[str]:
    always = ("passed", "failed", "skipped")
    others = dict.fromkeys(name for image in images for name, number in image["counts"].items() if number)
    return [*always, *(escape(name) for name in others if name not in always)]


def _differences(document: Mapping[str, Any]) -> Iterator[str]:
    columns, found = read_comparison(document)
    if len(columns) < 2:
        return
    if not found:
        total = len(document["tests"])
        yield f"\n{'1 test agrees' if total == 1 else f'All {total} tests agree'} on {len(columns)} images."
        return
    yield f"\n| differs between images | {' | '.join(escape(column.label) for column in columns)} |"
    yield f"|---|{':-:|' * len(columns)}"
    for pattern, members in group_by_pattern(columns, found[:MOST_DIFFERENCES]):
        yield f"| **{escape(pattern)}** |{' |' * len(columns)}"
        for difference in members:
            letters = " | ".join(escape(LETTERS.get(outcome, "?")) for outcome in difference.outcomes)
            yield f"| {_code(difference.nodeid)} | {letters} |"
    if len(found) > MOST_DIFFERENCES:
        yield f"\n… and {len(found) - MOST_DIFFERENCES} more"


def _failures(tests: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield each failure with its images; lines that are not the same on all of them are marked and listed."""
    failed = [(test["nodeid"], group) for test in tests for group in group_failures(test.get("failures", {}))]
    for nodeid, group in failed[:MOST_FAILURES]:
        failure, names = next(iter(group.values())), ", ".join(map(escape, group))
        differing = list(list_differences(group))
        marked = {line for _, line in differing}
        yield f"\n<details><summary>{_code(nodeid)} on {names}: {escape(failure['message'])}</summary>\n"
        lines = (_pre(line, is_marked=line in marked) for line in failure["text"][-LONGEST_TEXT:].split("\n"))
        yield f"<pre>{'&#10;'.join(lines)}</pre>"
        if differing:
            yield f"<pre>{'&#10;'.join(_pre(f'{labels}  {line}') for labels, line in differing)}</pre>"
        yield "</details>"
    if len(failed) > MOST_FAILURES:
        yield f"\n… and {len(failed) - MOST_FAILURES} more failures"


def _pre(line: str, *, is_marked: bool = False) -> str:
    """Return a line of an element in which only HTML is markup."""
    text = html.escape(line)
    return f"<b>{text}</b>" if is_marked else text
