"""The files that suites have changed in their containers: name them, and write those that are wanted on this host.

They are written once all containers have ended, below the rootdir's ``.pyimages`` folder or where they lie in the
project: never through a symbolic link that leads out, and never over a file that this host has changed meanwhile.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from pytest_pyimages.atomic_write import write_atomically
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.host import WantedFiles
from pytest_pyimages.runs import Change, ChangesJob, SourceChanges
from pytest_pyimages.session.announcements import unannounced
from pytest_pyimages.text import clean_line

FOLDER = ".pyimages"
NAMED = 3  # changes of an image, without -v
_PIECE = 1 << 20  # bytes
_IGNORE = "# Created by pytest-pyimages.\n*\n"


class KeptFiles:
    """Collects the changes of all containers of a session.

    :param rootdir: pytest's, which gets the folder of artifacts.
    :param reports: absolute paths of files that the host writes for all images.
    """

    def __init__(self, wanted: WantedFiles, root: Path, rootdir: Path, reports: Iterable[Path] = ()) -> None:
        self.changes: dict[str, tuple[Change, ...]] = {}  # by label, once ``finish`` was called
        self.notes: list[str] = list(wanted.notes)
        self.is_incomplete = False  # whether a requested file could not be written
        self._wanted = wanted
        self._root = root
        self._rootdir = rootdir
        self._found: dict[str, SourceChanges] = {}
        self.ours = set(reports)  # with what was written at the end

    def _compare(self, label: str) -> Iterator[Change]:
        return (change for change in self._found[label].compare() if self._root / change.path not in self.ours)

    def make_job(self, label: str) -> ChangesJob:
        """Return what an image's container is to report."""
        return ChangesJob(root=str(self._root), send=self._wanted.patterns(label))

    def take(self, label: str, changes: SourceChanges) -> None:
        """Keep the changes of a container that has ended; may be called from any thread."""
        earlier, self._found[label] = self._found.get(label), changes
        if earlier is not None:  # of a container whose machine was lost
            earlier.close()

    def finish(self, labels: Iterable[str], *, names_all: bool) -> None:
        """Write the files that are wanted, and note what was written, what was not, and what else has changed.

        :param labels: of all images, in the order in which they are reported.
        """
        unkept: dict[tuple[Change, ...], list[str]] = {}
        ended = [label for label in labels if label in self._found]
        self.changes = {label: tuple(self._compare(label)) for label in ended}  # before anything is written
        for label, changes in self.changes.items():
            found = self._found[label]
            rest = self._write(label, changes)
            self._note_losses(label, found, has_changes=bool(changes))
            if rest:
                described = tuple(Change(path=change.path, kind=change.kind) for change in rest)
                unkept.setdefault(described, []).append(label)
            found.close()
        for changes, images in unkept.items():
            is_lost = any(change.kind != "deleted" for change in changes)
            hint = f" · keep them with --py-images-keep-changes={images[0]}" if is_lost else ""
            named = format_changes(changes, names_all=names_all)
            self.notes.append(f"{_count(len(changes))} changed in {', '.join(images)}: {named}{hint}")

    def _note_losses(self, label: str, found: SourceChanges, *, has_changes: bool) -> None:
        if found.more:
            self.notes.append(f"{label}: {found.more} more files have changed, which are neither named nor kept")
        if found.problem:
            self.notes.append(f"{label}: not all changed files are known ({found.problem})")
        elif not found.is_complete and (self._wanted.asked or has_changes):
            self.notes.append(f"{label}: changed files are lost, since the container ended too early")
        self.is_incomplete |= self._wanted.asked and (bool(found.problem or found.more) or not found.is_complete)

    def _write(self, label: str, changes: Sequence[Change]) -> list[Change]:
        """Write the files of one image; return the changes that were not requested, and those that were not written."""
        wanted, written = self._wanted, [change for change in changes if change.kind != "deleted"]
        kept = [change for change in written if label == wanted.label and wanted.keeps(change.path)]
        artifacts = [change for change in written if wanted.is_artifact(change.path)]
        with unannounced() if wanted.keeps_everything else nullcontext():  # such as snapshots
            self._write_all(label, self._root, "", kept)
        if wanted.artifacts:
            folder = self._rootdir / FOLDER / re.sub(r"[^\w.+-]", "_", label)
            problem = _clear(folder)
            if problem:
                self.notes.append(problem)
                self.is_incomplete = True
            elif artifacts:
                prefix = f"{self._rootdir.relative_to(self._root).as_posix()}/".removeprefix("./")
                self._write_all(label, folder, prefix, artifacts)
        return [change for change in changes if change not in kept and change not in artifacts]

    def _write_all(self, label: str, folder: Path, prefix: str, changes: Sequence[Change]) -> None:
        """Write files below a folder, without a prefix of their paths; note which ones, and which not and why."""
        failed: dict[str, list[Change]] = {}
        for change in changes:
            try:
                write_below(folder, change._replace(path=change.path.removeprefix(prefix)))
            except PyimagesError as error:
                failed.setdefault(str(error), []).append(change)
                self.is_incomplete |= change.is_file
        losses = [change for found in failed.values() for change in found]
        written = [change for change in changes if change not in losses]
        self.ours.update(folder / change.path.removeprefix(prefix) for change in written)
        if written:
            where = "kept" if folder == self._root else f"in {folder.relative_to(self._rootdir).as_posix()}"
            self.notes.append(f"{_count(len(written))} of {label} {where}: {format_changes(written)}")
        for problem, found in failed.items():
            self.notes.append(f"{_count(len(found))} of {label} not kept: {format_changes(found)} ({problem})")


def write_below(folder: Path, change: Change) -> None:
    """Write a changed file to its path below a folder.

    :raises PyimagesError: if that is not possible, or not safe.
    """
    if change.problem or change.content is None:
        raise PyimagesError(change.problem or "its content was not received")
    path = folder / change.path
    try:
        _check_folders(folder, path.parent)
        if path.is_symlink():
            raise PyimagesError("on this host it is a symbolic link")
        if path.exists():
            if not path.is_file():
                raise PyimagesError("on this host it is not a file")
            if change.host_changed:
                raise PyimagesError("it was changed on this host, too, while the tests ran")
        with change.content.open("rb") as content:
            pieces = iter(lambda: content.read(_PIECE), b"")
            write_atomically(path, pieces, executable=change.executable)
    except OSError as error:
        raise PyimagesError(error.strerror or str(error)) from error


def _check_folders(folder: Path, parent: Path) -> None:
    """Raise PyimagesError if a symbolic link on the way to a folder leads out of the other one."""
    if not Path(os.path.realpath(parent)).is_relative_to(os.path.realpath(folder)):
        raise PyimagesError("on this host a symbolic link on the way to it leads out of the project")


def _clear(folder: Path) -> str:
    """Remove the artifacts of the last run, and make a folder that git ignores; return a problem."""
    try:
        if folder.parent.is_symlink() or folder.is_symlink():
            return f"{folder} is not written: it is a symbolic link"
        if folder.exists():
            shutil.rmtree(folder)
        folder.parent.mkdir(exist_ok=True)
        ignore = folder.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text(_IGNORE, encoding="utf-8")
    except OSError as error:
        return f"{folder} cannot be written ({error.strerror})"
    return ""


def _count(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


def format_changes(changes: Sequence[Change], *, names_all: bool = False) -> str:
    """Return the paths in one line: all, or the first ones and how many there are more."""
    shown = changes if names_all or len(changes) <= NAMED + 1 else changes[:NAMED]
    more = f" and {len(changes) - len(shown)} more" if len(shown) < len(changes) else ""
    return ", ".join(_describe(shown)) + more


def _describe(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        yield clean_line(change.path) + (" (deleted)" if change.kind == "deleted" else "")


def make_documents(changes: Mapping[str, Sequence[Change]]) -> dict[str, list[dict[str, str]]]:
    """Return the changes of each image that has some, for the JSON report."""
    return {
        label: [{"path": clean_line(change.path), "change": change.kind} for change in found]
        for label, found in changes.items()
        if found
    }
