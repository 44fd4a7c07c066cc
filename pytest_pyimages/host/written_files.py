"""Which files that a suite writes are wanted on this host: by our options, and by options of pytest and its plugins.

A container writes into a layer of its own. For a single image the files that an option asks for are written where
they would be without containers. Several images would write the same files differently: snapshots are then refused
unless one image is named, and reports are brought to a folder of each image.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import Argument
from pytest_pyimages.host.option_table import OPTIONS
from pytest_pyimages.host.settings import Settings
from pytest_pyimages.project import KNOWN_PLUGINS
from pytest_pyimages.text import suggest

EVERYTHING = ".*"
KEEP, ARTIFACTS = OPTIONS["py_images_keep_changes"].name, OPTIONS["py_images_artifacts"].name
_EXAMPLES = ".hypothesis/examples"  # of hypothesis, which writes them without an option


class WantedFiles(NamedTuple):
    """Regular expressions for paths below the source's root, separated by slashes."""

    label: str = ""  # the image whose files are written back; empty for none
    kept: tuple[str, ...] = ()  # of that image's files
    artifacts: tuple[str, ...] = ()  # of files of every image
    asked: bool = False  # whether more than hypothesis' examples is wanted
    notes: tuple[str, ...] = ()  # what stays in the containers, and why

    def patterns(self, label: str) -> tuple[str, ...]:
        """Return the expressions for an image."""
        return (*self.artifacts, *(self.kept if label == self.label else ()))

    @property
    def keeps_everything(self) -> bool:
        """Whether all changed files of the named image are to be written back."""
        return EVERYTHING in self.kept

    def keeps(self, path: str) -> bool:
        """Return whether a file of the named image is to be written back."""
        return any(re.match(pattern, path) for pattern in self.kept)

    def is_artifact(self, path: str) -> bool:
        """Return whether a file is brought to the image's own folder."""
        return any(re.match(pattern, path) for pattern in self.artifacts)


def find_wanted_files(
    settings: Settings, root: Path, labels: Sequence[str], *, left_out: Sequence[str] = ()
) -> WantedFiles:
    """Return the files that are wanted from the images.

    :param root: of the source.
    :param left_out: labels of requested images that are not part of the session.
    :raises ConfigurationError: for a label that is not one of the images, for a pattern outside of the rootdir, or for
        an option of the command line whose files would be lost.
    """
    invocation = settings.invocation
    artifacts = [translate_glob(ARTIFACTS, pattern, invocation.rootdir, root) for pattern in settings.artifacts]
    label = _parse_label(settings, labels, left_out)
    notes: list[str] = []
    kept, single = [EVERYTHING] if label else [], labels[0] if len(labels) == 1 else ""
    asked = bool(label or artifacts)
    if single and not label:
        label, kept = single, [_translate_path(Path(_EXAMPLES), invocation.rootdir, root) or EVERYTHING]
    if not settings.collect_only:
        for arguments, is_typed in ((invocation.configured.options, False), (invocation.typed.options, True)):
            for name in _list_updates(arguments):
                if single and single == label:
                    kept, asked = [EVERYTHING], True
                elif EVERYTHING not in kept:
                    _refuse_update(name, labels, notes, is_typed=is_typed)
            for name, path in _list_outputs(arguments, invocation.host_options):
                pattern = _translate_path(Path(path), invocation.cwd, root)
                if not pattern:
                    _refuse_path(name, path, root, notes, is_typed=is_typed)
                    continue
                asked = True
                if single:
                    kept.append(pattern)
                else:
                    artifacts.append(pattern)
    return WantedFiles(
        label=label, kept=tuple(kept), artifacts=tuple(artifacts), asked=asked, notes=tuple(dict.fromkeys(notes))
    )


def _parse_label(settings: Settings, labels: Sequence[str], left_out: Sequence[str]) -> str:
    """Return the label of the image whose changes are kept; empty if there is none, or not in this session."""
    label = settings.keep_changes
    if not label or label in labels:
        return label
    if settings.keep_changes_is_typed and label not in left_out:
        raise ConfigurationError(f'{KEEP}: "{label}" is not one of the images', suggest(label, labels, cutoff=0.4))
    return ""


def _list_updates(arguments: Iterable[Argument]) -> Iterator[str]:
    """Yield the options that let a suite rewrite files of the project, such as snapshots."""
    updating = [word.partition("=") for plugin in KNOWN_PLUGINS.values() for word in plugin.updates.split()]
    for argument in arguments:
        values = (argument.value or "").split(",")
        for name, equals, value in updating:
            if argument.name == name and (not equals or value in values):
                yield "=".join(filter(None, (name, argument.value if equals else "")))
                break


def _list_outputs(arguments: Iterable[Argument], host_options: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the options that let a suite write a file or folder, and its path; not those that the host handles."""
    outputs = [word.partition(":") for plugin in KNOWN_PLUGINS.values() for word in plugin.writes.split()]
    for argument in arguments:
        for name, _, default in outputs:
            path = argument.value or default
            if path and argument.name == name and name not in host_options:
                yield name, path


def _refuse_update(name: str, labels: Sequence[str], notes: list[str], *, is_typed: bool) -> None:
    hint = f"name the image whose files are to be kept: {KEEP}={labels[0]}"
    if is_typed:
        raise ConfigurationError(f"{name}: each image would write files of its own, and none would be kept", hint)
    notes.append(f"{name}: the files that it writes stayed in the containers · {hint}")


def _refuse_path(name: str, path: str, root: Path, notes: list[str], *, is_typed: bool) -> None:
    hint = f"choose a path below {root}"
    if is_typed and name != "--basetemp":  # which is seldom chosen for the sake of its files
        raise ConfigurationError(f"{name}: {path} would stay in the containers", hint)
    notes.append(f"{name}: {path} stayed in the containers · {hint}")


def _translate_path(path: Path, folder: Path, root: Path) -> str:
    """Return the expression for a file or folder with all that is in it; empty if it is not below the root."""
    absolute = Path(os.path.normpath(folder / path))
    if absolute == root or not absolute.is_relative_to(root):
        return ""
    return f"{re.escape(absolute.relative_to(root).as_posix())}(/|$)"


def translate_glob(option: str, pattern: str, rootdir: Path, root: Path) -> str:
    """Return the expression for a pattern: ``*`` and ``?`` match within a name, ``**`` any folders.

    A pattern without a slash matches a name in any folder. What matches a folder matches all that is in it.

    :param option: the one that has the pattern.
    :raises ConfigurationError: if the pattern leads out of the rootdir.
    """
    parts = pattern.rstrip("/").split("/")
    if pattern.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise ConfigurationError(f'{option}: "{pattern}" must be relative to the rootdir and below it')
    if len(parts) == 1:
        parts.insert(0, "**")
    translated = ""
    for number, part in enumerate(parts, 1):
        is_last = number == len(parts)
        if part == "**":
            translated += ".*" if is_last else "(.*/)?"
        else:
            translated += "".join({"*": "[^/]*", "?": "[^/]"}.get(mark) or re.escape(mark) for mark in part)
            translated += "(/|$)" if is_last else "/"
    prefix = "" if rootdir == root else f"{re.escape(rootdir.relative_to(root).as_posix())}/"
    return prefix + translated
