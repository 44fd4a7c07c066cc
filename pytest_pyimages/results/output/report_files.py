"""Report files: their form is what their suffix says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.results.output.atomic_file import write_atomically


def write_reports(paths: Iterable[Path], document: Mapping[str, Any]) -> list[str]:
    """Write each file, whole or not at all, with its folders; return a line for each that could not be written."""
    problems = []
    for path in paths:
        try:
            _write(path, _text(path.suffix, document))
        except PyimagesError as error:
            problems.append(str(error))
    return problems


def _text(suffix: str, document: Mapping[str, Any]) -> str:
    if suffix == ".md":
        from pytest_pyimages.results.output.markdown_report import render_markdown

        return render_markdown(document)
    if suffix == ".html":
        from pytest_pyimages.results.output.html_report import render_html

        return render_html(document)
    from pytest_pyimages.results.output.json_report import render_json

    return render_json(document)


def _write(path: Path, text: str) -> None:
    try:
        # A lone surrogate, such as Python makes of bytes that are no UTF-8, has no UTF-8 of its own.
        write_atomically(path, [text.encode("utf-8", errors="backslashreplace")])
    except OSError as error:
        raise PyimagesError(
            f"--py-images-report: {path} cannot be written ({error.strerror})", "name another file"
        ) from error
