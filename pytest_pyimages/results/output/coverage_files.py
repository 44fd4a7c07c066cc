"""Write the files of a coverage report that a container sends, only to places where a report may be."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pytest_pyimages.atomic_write import write_atomically
from pytest_pyimages.containers import VERSION_CONTROL
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.runs.events import CoverageFile

DATA = "data"
MOST_FILES = 50_000
_CHUNK = 1 << 20  # bytes
_HEAD = 1 << 16  # bytes by which a file can be told to be a report
# coverage's default places (docs: "Configuration reference"); None for reports that have none.
_DEFAULTS = {
    "html": "htmlcov",
    "xml": "coverage.xml",
    "json": "coverage.json",
    "lcov": "coverage.lcov",
    "annotate": None,
    "markdown": None,
    "markdown-append": None,
    DATA: ".coverage",
}
_CONFIGURED = re.compile(r"""^\s*(?:directory|output|data_file)\s*=\s*["']?([^"'#\n]+)""", re.MULTILINE)
# What an existing file of each kind contains.
_CONTENT = {
    "xml": re.compile(rb"<coverage\b"),
    "json": re.compile(rb'\A\s*\{\s*"meta"'),
    "lcov": re.compile(rb"\A(?:TN:|SF:|\s*\Z)"),
    "markdown": re.compile(rb"\A\s*(?:\||\Z)"),
    "markdown-append": re.compile(rb""),
    "annotate": re.compile(rb"\A(?:[ >!-] |\n)"),
    DATA: re.compile(rb"\ASQLite format 3\0(?s:.)*coverage_schema"),
}
_PAGE = re.compile(rb"coverage\.py")  # in the index of an HTML report


class Destinations:
    """The places where reports may be written: those that the user has named, and coverage's own.

    Paths from a container are not trusted: it has run the code of every installed distribution. Only requested kinds of
    reports are written, and never over a file that is not such a report.
    """

    def __init__(
        self, folders: Iterable[Path], reports: Iterable[str], cwd: Path, settings: Iterable[str] = ()
    ) -> None:
        """Allow some places.

        :param folders: of the project.
        :param reports: the values of --cov-report: a kind, or a kind and a path.
        :param cwd: the folder that paths are relative to.
        :param settings: the texts of files that may configure coverage, with other default places in the project.
        """
        self._folders = tuple(dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders))
        self._cwd = cwd
        self._named: dict[str, set[Path]] = {}
        self._configured = {name.strip() for text in settings for name in _CONFIGURED.findall(text)}
        self._pages: dict[Path, bool] = {}  # by root: whether it was a report, or nothing, before
        for report in (DATA, *reports):
            kind, _, path = report.partition(":")
            places = self._named.setdefault(kind, set())
            if path and kind in _DEFAULTS:
                places.add(self._absolute(path))

    def _absolute(self, path: str) -> Path:
        return Path(os.path.normpath(self._cwd / path))

    def resolve(self, file: CoverageFile) -> Path:
        """Return the path of a file.

        :raises PyimagesError: if it is not in one of the places.
        """
        name = PurePosixPath(file.name)
        root = Path(file.root)
        path = Path(os.path.realpath((root / name).parent)) / (root / name).name
        report = f"coverage: {file.kind} report {root / name}"
        if file.kind not in _DEFAULTS or file.kind not in self._named:
            raise PyimagesError(f"{report} was not requested")
        if not root.is_absolute() or name.is_absolute() or ".." in name.parts:
            raise PyimagesError(f"{report} has an invalid path")
        root = Path(os.path.normpath(root))
        is_below = not file.name or path.is_relative_to(os.path.realpath(root))
        if root not in self._named[file.kind] or not is_below:
            self._check_default(file, root, path, report)
        if not self._may_replace(file.kind, root, path):
            raise PyimagesError(f"{report} would replace another file", "choose another path")
        return path

    def _check_default(self, file: CoverageFile, root: Path, path: Path, report: str) -> None:
        """Raise PyimagesError unless the place is coverage's own for this kind, in the project."""
        hint = "set data_file to a path in the project"
        if file.kind != DATA:
            hint = "choose its path with --cov-report=TYPE:DEST"
        folder = next((folder for folder in self._folders if path.is_relative_to(folder)), None)
        if folder is None:
            raise PyimagesError(f"{report} is outside of the project", hint)
        default = _DEFAULTS[file.kind]
        places = {self._absolute(each) for each in (*self._configured, *([default] if default else []))}
        is_annotated = file.kind == "annotate" and not file.name and path.name.endswith(",cover")
        if VERSION_CONTROL & set(path.relative_to(folder).parts) or not (is_annotated or root in places):
            raise PyimagesError(f"{report} would be at another place than coverage's default", hint)

    def _may_replace(self, kind: str, root: Path, path: Path) -> bool:
        """Return whether a file does not exist, or is a report of this kind."""
        if kind == "html":
            if root not in self._pages:
                index = root / "index.html"
                self._pages[root] = _contains(index, _PAGE) if index.exists() else not _has_files(root)
            return self._pages[root]
        return not os.path.lexists(path) or _contains(path, _CONTENT[kind])


def _has_files(folder: Path) -> bool:
    return os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir()))


def _contains(path: Path, content: re.Pattern[bytes]) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return content.search(file.read(_HEAD)) is not None


class ReportFiles:
    """Receives one file after the other, and writes each atomically."""

    def __init__(self, destinations: Destinations) -> None:
        self.problems: list[str] = []
        self.written: list[Path] = []
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
                path = self._destinations.resolve(file)
                _write(path, content)
                self.written.append(path)
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
