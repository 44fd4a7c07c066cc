"""When this user last ran an image, and for which project: no engine keeps that, and labels never change.

A file for each image and project, below the user's own cache folder, so that an engine's restart changes nothing. Its
modification time is the time of use, its content the rootdir.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pytest_pyimages.images.recipe import text_digest
from pytest_pyimages.project import Project

_DIGEST = re.compile(r"[0-9a-f]{64}")
FORGOTTEN_AFTER = 90 * 24 * 3600.0  # seconds that an image of another engine, perhaps switched off, is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A project's last use of an image."""

    seconds: float  # since the epoch
    rootdir: Path  # pytest's, at that time


def root_digest(project: Project) -> str:
    """Return the digest of the path of a project's folder, 16 hex digits."""
    return text_digest(str(project.root))[:16]


def identity_of(project: Project) -> str:
    """Return what tells this project from all others."""
    return project_identity(project.name, root_digest(project))


def project_identity(name: str, root: str) -> str:
    """Return what tells a project from all others, as 16 hex digits.

    :param root: the digest of the path of its folder, as images are labelled with it.
    """
    return text_digest(f"{name} {root}")[:16]


class LastUsed:
    """The times of use that this user's sessions have written down. May be used by many processes at once.

    :param directory: the user's own folder (``runs.ownership.state_directory``).
    """

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "used"

    def touch(self, image: str, project: str, rootdir: Path) -> None:
        """Write down that the image is used now. What cannot be written is not: no run depends on it."""
        with contextlib.suppress(OSError):
            path = self._folder / f"{_key(image)}-{project}"
            content = os.fsencode(rootdir)
            try:
                if path.read_bytes() == content:
                    os.utime(path)
                    return
            except FileNotFoundError:
                self._folder.mkdir(mode=0o700, exist_ok=True)
            unfinished = self._folder / f"{uuid4().hex}.new"
            try:
                unfinished.write_bytes(content)
                unfinished.replace(path)
            except OSError:
                unfinished.unlink(missing_ok=True)
                raise

    def uses(self, images: Iterable[str]) -> Mapping[str, Mapping[str, Use]]:
        """Return what is known of each of these images: its uses by project."""
        keys = {_key(image): image for image in images}
        found: dict[str, dict[str, Use]] = {image: {} for image in keys.values()}
        for path in self._files():
            key, _, project = path.name.partition("-")
            if key in keys:
                with contextlib.suppress(OSError):  # forgotten meanwhile
                    use = Use(seconds=path.stat().st_mtime, rootdir=Path(os.fsdecode(path.read_bytes())))
                    found[keys[key]][project] = use
        return found

    def forget(self, image: str) -> None:
        """Remove what is written down of an image that is gone."""
        self._remove(path for path in self._files() if path.name.startswith(f"{_key(image)}-"))

    def forget_all_but(self, images: Iterable[str]) -> None:
        """Remove what is written down of other images than these, if it is long ago."""
        keys = {_key(image) for image in images}
        self._remove(path for path in self._files() if path.name.partition("-")[0] not in keys and _is_old(path))

    @staticmethod
    def _remove(paths: Iterable[Path]) -> None:
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except OSError:
            return []


def _key(image: str) -> str:
    digits = image.rpartition(":")[2]
    return digits if _DIGEST.fullmatch(digits) else text_digest(image)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > FORGOTTEN_AFTER
    except OSError:
        return False
