"""Write report files, in the format of their suffix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.results.output.atomic_file import write_atomically


def write_reports(paths: Iterable[Path], document: Mapping[str, Any]) -> list[str]:
    """Write each file atomically; return an error message for each that could not be written."""
    problems = []
    for path in paths:
        try:
            _write(path, _render(path.suffix, document))
        except PyimagesError as error:
            problems.append(str(error))
    return problems


def _render(suffix: str, document: Mapping[str, Any]) -> str:
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
        # Lone surrogates, which Python decodes undecodable bytes to, cannot be encoded.
        write_atomically(path, [text.encode("utf-8", errors="backslashreplace")])
    except OSError as error:
        raise PyimagesError(
            f"--py-images-report: {path} cannot be written ({error.strerror})", "choose another file"
        ) from error
