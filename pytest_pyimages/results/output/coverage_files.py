"""Write the files of a coverage report that a container sends, only to places where a report may be."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pytest_pyimages.containers import VERSION_CONTROL
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.results.output.report_files import write_atomically
from pytest_pyimages.runs.events import CoverageFile

# Suffixes of report files whose destination coverage's own settings name.
SUFFIXES = {
    "html": (".html", ".js", ".css", ".png", ".svg", ".json", ".gitignore"),
    "xml": (".xml",),
    "json": (".json",),
    "lcov": (".lcov", ".info"),
    "markdown": (".md",),
    "markdown-append": (".md",),
    "annotate": (",cover",),
}
DATA = "data"
DATA_BEGINS = b"SQLite format 3\0"
MOST_FILES = 50_000
_CHUNK = 1 << 20  # bytes


class Destinations:
    """The places where reports may be written: destinations of the command line, and report files below the project.

    Paths from a container are not trusted: it has run the code of every installed distribution.
    """

    def __init__(self, folders: Iterable[Path], named: Iterable[Path]) -> None:
        """Allow some places.

        :param folders: of the project.
        :param named: absolute paths from the command line or the ini file.
        """
        self._folders = tuple(dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders))
        self._named = frozenset(Path(os.path.normpath(path)) for path in named)

    def resolve(self, file: CoverageFile) -> Path:
        """Return the path of a file.

        :raises PyimagesError: if it is not in one of the places.
        """
        name = PurePosixPath(file.name)
        root = Path(file.root)
        path = Path(os.path.realpath((root / name).parent)) / (root / name).name
        report = f"coverage: {file.kind} report {root / name}"
        if not root.is_absolute() or name.is_absolute() or ".." in name.parts:
            raise PyimagesError(f"{report} has an invalid path")
        if Path(os.path.normpath(root)) in self._named and (
            not file.name or path.is_relative_to(os.path.realpath(root))
        ):
            return path
        folder = next((folder for folder in self._folders if path.is_relative_to(folder)), None)
        if folder is None:
            hint = (
                "set data_file to a path in the project"
                if file.kind == DATA
                else "choose its path with --cov-report=TYPE:DEST"
            )
            raise PyimagesError(f"{report} is outside of the project", hint)
        if VERSION_CONTROL & set(path.relative_to(folder).parts) or not self._is_report(file.kind, path):
            raise PyimagesError(f"{report} would replace another file", "choose another path")
        return path

    @staticmethod
    def _is_report(kind: str, path: Path) -> bool:
        if kind != DATA:
            return path.name.endswith(SUFFIXES.get(kind, ()))
        if not path.exists():
            return True
        with path.open("rb") as file:
            return file.read(len(DATA_BEGINS)) == DATA_BEGINS


class ReportFiles:
    """Receives one file after the other, and writes each atomically."""

    def __init__(self, destinations: Destinations) -> None:
        self.problems: list[str] = []
        self._destinations = destinations
        self._current: CoverageFile | None = None
        self._content: BinaryIO | None = None
        self._count = 0

    def begin(self, file: CoverageFile) -> None:
        self.end()
        self._count += 1
        if self._count > MOST_FILES:
            raise PyimagesError(f"coverage: the report has more than {MOST_FILES} files")
        self._current = file
        self._content = tempfile.TemporaryFile()  # noqa: SIM115 - closed in ``end`` or ``close``

    def add(self, data: bytes) -> None:
        if self._content is None or self._current is None:
            return
        if self._content.tell() + len(data) > self._current.size:
            file = self._current
            self.close()
            raise PyimagesError(f"coverage: received more than {file.size} bytes of {file.root}")
        self._content.write(data)

    def end(self) -> None:
        """Write the file that was begun last; an error is added to ``problems``."""
        file, content = self._current, self._content
        self._current = self._content = None
        if file is None or content is None:
            return
        with content:
            try:
                if content.tell() != file.size:
                    raise PyimagesError(f"coverage: received only {content.tell()} of {file.size} bytes of {file.root}")
                content.seek(0)
                _write(self._destinations.resolve(file), content)
            except PyimagesError as error:
                if str(error) not in self.problems:
                    self.problems.append(str(error))

    def close(self) -> None:
        """Drop an incomplete file."""
        if self._content is not None:
            self._content.close()
        self._current = self._content = None


def _write(path: Path, content: BinaryIO) -> None:
    try:
        write_atomically(path, iter(lambda: content.read(_CHUNK), b""))
    except OSError as error:
        raise PyimagesError(f"coverage: {path} cannot be written ({error.strerror})") from error
