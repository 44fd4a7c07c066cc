"""Keep the coverage data files that containers send on disk, never opened on the host: they are not trusted."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pytest_pyimages.runs.events import CoveragePart, Measured
from pytest_pyimages.runs.wire import MAX_FILE

NOTHING = "nothing was measured there"


class CoverageFiles:
    """One data file per image, in a folder that ``close`` removes."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}  # by label: why an image's data is unusable
        self.losses: dict[str, str] = {}  # by label: what usable data lack
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: dict[str, Path] = {}
        self._sizes: dict[str, int] = {}
        self._complete: set[str] = set()

    @property
    def data(self) -> dict[str, Path]:
        """The complete data files by label, in the order of arrival."""
        return {label: path for label, path in self._files.items() if label in self._complete}

    def take(self, label: str, event: CoveragePart | Measured) -> None:
        """Append a part to an image's file, or complete it."""
        if label in self.problems:
            return
        if isinstance(event, CoveragePart):
            self._append(label, event.data)
        elif not event.size:
            self.problems[label] = event.problem or NOTHING
        elif event.size != self._sizes.get(label, 0):
            self.problems[label] = f"{self._sizes.get(label, 0)} of {event.size} bytes arrived"
        else:
            self._complete.add(label)
            if event.problem:
                self.losses[label] = event.problem

    def _append(self, label: str, data: bytes) -> None:
        self._sizes[label] = self._sizes.get(label, 0) + len(data)
        if label in self._complete or self._sizes[label] > MAX_FILE:
            self._complete.discard(label)
            self.problems[label] = (
                "it sent more than one data file"
                if self._sizes[label] <= MAX_FILE
                else (f"its data file has more than {MAX_FILE >> 20} MiB")
            )
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="pyimages-coverage-")
        path = self._files.setdefault(label, Path(self._folder.name) / str(len(self._files)))
        try:
            with path.open("ab") as file:
                file.write(data)
        except OSError as error:
            self.problems[label] = f"its data file cannot be written ({error.strerror})"

    def close(self) -> None:
        """Remove all files."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
