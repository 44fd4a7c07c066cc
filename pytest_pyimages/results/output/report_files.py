"""Write report files, in the format of their suffix."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_pyimages.atomic_write import write_atomically
from pytest_pyimages.errors import ConfigurationError, PyimagesError


def write_reports(paths: Iterable[Path], document: Mapping[str, Any]) -> list[str]:
    """Write each file atomically; return an error message for each that could not be written."""
    problems = []
    for path in paths:
        try:
            _write(path, _render(path.suffix, document))
        except PyimagesError as error:
            problems.append(str(error))
    return problems


def check_writable(origin: str, path: Path) -> None:
    """Refuse a file that could not be written at the end of the session.

    :raises ConfigurationError: with the reason.
    """
    try:
        existing = next(place for place in (path, *path.parents) if place.exists())
    except OSError as error:  # the name is too long, or this user may not enter the folder
        reason = error.strerror or str(error)
        raise ConfigurationError(f"{origin}: {path} cannot be written: {reason}", "name another file") from error
    reason = ""
    if existing != path and not existing.is_dir():
        reason = f"{existing} is not a directory"
    elif not os.access(existing, os.W_OK):
        reason = f"no permission to write {'it' if existing == path else f'to {existing}'}"
    elif existing.is_dir():
        try:
            tempfile.TemporaryFile(dir=existing).close()  # file systems such as /proc admit no new files
        except OSError as error:
            reason = f"{existing}: {error.strerror}"
    if reason:
        raise ConfigurationError(f"{origin}: {path} cannot be written: {reason}", "name another file")


def _render(suffix: str, document: Mapping[str, Any]) -> Iterable[str]:
    if suffix == ".md":
        from pytest_pyimages.results.output.markdown_report import render_markdown

        return [render_markdown(document)]
    if suffix == ".html":
        from pytest_pyimages.results.output.html_report import render_html

        return render_html(document)
    from pytest_pyimages.results.output.json_report import render_json

    return render_json(document)


def _write(path: Path, pieces: Iterable[str]) -> None:
    try:
        # Lone surrogates, which Python decodes undecodable bytes to, cannot be encoded.
        write_atomically(path, (piece.encode("utf-8", errors="backslashreplace") for piece in pieces))
    except OSError as error:
        raise PyimagesError(
            f"--py-images-report: {path} cannot be written ({error.strerror})", "choose another file"
        ) from error
