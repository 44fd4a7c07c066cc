"""Where files and folders of this host stand in the container of a build."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from pytest_pyimages.engines import Mount
from pytest_pyimages.indexes.locations import local_path

MEMORY = "/run/pyimages"  # a tmpfs: what is put or mounted there is in no layer
FOLDERS = f"{MEMORY}/folders"


class Places:
    """Finds a place inside for each location, and remembers what has to be mounted or written for it.

    :param folder: what relative paths are relative to.
    :param root: the folder that stands inside at its own path.
    :param mounted: whether the engine sees this host's folders.
    """

    def __init__(self, *, folder: Path, root: Path, mounted: bool) -> None:
        self._folder = folder
        self._root = root
        self._mounted = mounted
        self._targets: dict[Path, str] = {}
        self.files: dict[str, str] = {}  # by path below MEMORY
        self.left_out: list[str] = []

    @property
    def mounts(self) -> tuple[Mount, ...]:
        return tuple(
            Mount(kind="bind", source=str(source), target=target, read_only=True)
            for source, target in self._targets.items()
        )

    def index(self, url: str) -> str | None:
        """Return the address of an index inside; None if it cannot be had there."""
        path = local_path(url, self._folder)
        if path is None:
            return url
        # Its pages refer to files beside it ("../../files/…"): what is around it is mounted, but never a home folder.
        around = path.parent if not Path.home().is_relative_to(path.parent) else path
        place = self._place(url, path, around)
        return None if place is None else f"file://{quote(place)}"

    def links(self, location: str) -> str | None:
        """Return the place of a folder or page with links to packages; None if it cannot be had inside."""
        path = local_path(location, self._folder)
        if path is None:
            return location
        return self._place(location, path, path if path.is_dir() else path.parent)

    def file(self, location: str, name: str) -> str:
        """Return where a text file stands inside; one that cannot be read keeps its name, for the installer to say."""
        path = local_path(location, self._folder)
        if path is None or path.is_relative_to(self._root):
            return location if path is None else str(path)
        try:
            self.files[name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return location
        return f"{MEMORY}/{name}"

    def write(self, name: str, text: str) -> str:
        """Have a file written into memory; return its path."""
        self.files[name] = text
        return f"{MEMORY}/{name}"

    def _place(self, location: str, path: Path, mounted: Path) -> str | None:
        if path.is_relative_to(self._root):
            return str(path)
        if not path.exists():
            self.left_out.append(f"{location} is left out: it is not there")
            return None
        if not self._mounted:
            self.left_out.append(f"{location} is left out: the engine does not see the files of this host")
            return None
        target = self._targets.setdefault(mounted, f"{FOLDERS}/{len(self._targets)}")
        relative = os.path.relpath(path, mounted)
        return target if relative == "." else f"{target}/{relative}"
