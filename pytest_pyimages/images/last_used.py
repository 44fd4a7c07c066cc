"""Remember when this user last ran an image, and for which project; engines do not, and labels never change.

There is a file for each image and project in the user's cache folder; its modification time is the time of use, its
content the rootdir.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.atomic_write import write_atomically
from pytest_pyimages.images.recipe import hash_text

_DIGEST = re.compile(r"[0-9a-f]{64}")
FORGOTTEN_AFTER = 90 * 24 * 3600.0  # seconds; an image that is missing now may be in an engine that is not running


class Use(NamedTuple):
    """A project's last use of an image."""

    seconds: float  # since the epoch
    rootdir: Path  # pytest's, at that time


class LastUsed:
    """The times of use that this user's sessions recorded. May be used by several processes at once.

    :param directory: the user's own folder (``containers.make_state_directory``).
    """

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "used"

    def touch(self, image: str, project: str, rootdir: Path) -> None:
        """Record that an image is used now; a failure to do so is ignored, since no run depends on it."""
        with contextlib.suppress(OSError):
            path = self._folder / f"{_make_key(image)}-{project}"
            content = os.fsencode(rootdir)
            try:
                if path.read_bytes() == content:
                    os.utime(path)
                    return
            except FileNotFoundError:
                self._folder.mkdir(mode=0o700, exist_ok=True)
            write_atomically(path, [content])

    def read_uses(self, images: Iterable[str]) -> Mapping[str, Mapping[str, Use]]:
        """Return the uses of each of these images, by project."""
        keys = {_make_key(image): image for image in images}
        found: dict[str, dict[str, Use]] = {image: {} for image in keys.values()}
        for path in self._list_files():
            key, _, project = path.name.partition("-")
            if key in keys:
                with contextlib.suppress(OSError):  # removed meanwhile
                    use = Use(seconds=path.stat().st_mtime, rootdir=Path(os.fsdecode(path.read_bytes())))
                    found[keys[key]][project] = use
        return found

    def forget(self, image: str) -> None:
        """Remove the records of an image that was removed."""
        key = _make_key(image)
        self._remove(lambda path: path.name.partition("-")[0] == key)

    def forget_all_but(self, images: Iterable[str]) -> None:
        """Remove old records of other images than these."""
        keys = {_make_key(image) for image in images}
        oldest = time.time() - FORGOTTEN_AFTER
        self._remove(lambda path: path.name.partition("-")[0] not in keys and path.stat().st_mtime < oldest)

    def _remove(self, is_wanted: Callable[[Path], bool]) -> None:
        for path in self._list_files():
            with contextlib.suppress(OSError):
                if is_wanted(path):
                    path.unlink(missing_ok=True)

    def _list_files(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except OSError:
            return []


def _make_key(image: str) -> str:
    digits = image.rpartition(":")[2]
    return digits if _DIGEST.fullmatch(digits) else hash_text(image)
