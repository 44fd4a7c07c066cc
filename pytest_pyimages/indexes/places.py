"""Choose where files and folders of the host stand in the container of a build."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from pytest_pyimages.engines import Mount
from pytest_pyimages.indexes.locations import find_local_path

MEMORY = "/run/pyimages"  # a tmpfs: its files and mounts are in no layer
FOLDERS = f"{MEMORY}/folders"


class Places:
    """Maps locations to paths in the container, and collects the mounts and files that this needs.

    :param folder: base of relative paths.
    :param root: the host's folder that has the same path in the container.
    :param can_mount: whether the engine can mount the host's folders.
    :param urls: in the container, for those that differ there.
    """

    def __init__(self, *, folder: Path, root: Path, can_mount: bool, urls: Mapping[str, str]) -> None:
        self._folder = folder
        self._root = root
        self._can_mount = can_mount
        self._urls = urls
        self._targets: dict[Path, str] = {}
        self.files: dict[str, str] = {}  # text by path below MEMORY
        self.notes: list[str] = []

    @property
    def mounts(self) -> tuple[Mount, ...]:
        return tuple(
            Mount(kind="bind", source=str(source), target=target, read_only=True)
            for source, target in self._targets.items()
        )

    def map_index(self, url: str) -> str | None:
        """Return the URL of an index in the container; None if it is not available there."""
        path = find_local_path(url, self._folder)
        if path is None:
            return self._urls.get(url, url)
        # Its pages link to files beside it ("../../files/…"): the parent is mounted, unless the home folder is in it.
        parent = path.parent if not Path.home().is_relative_to(path.parent) else path
        place = self._place(url, path, parent)
        return None if place is None else f"file://{quote(place)}"

    def map_links(self, location: str) -> str | None:
        """Return the location of a folder or page with links to packages; None if it is not available."""
        path = find_local_path(location, self._folder)
        if path is None:
            return self._urls.get(location, location)
        return self._place(location, path, path if path.is_dir() else path.parent)

    def map_files(self, locations: str, kind: str) -> str:
        """Return the paths of text files, separated by spaces; the installer reports those that cannot be read."""
        return " ".join(
            self._map_file(location, f"{kind}-{number}.txt") for number, location in enumerate(locations.split())
        )

    def write(self, name: str, text: str) -> str:
        """Have a file written below MEMORY; return its path."""
        self.files[name] = text
        return f"{MEMORY}/{name}"

    def _map_file(self, location: str, name: str) -> str:
        path = find_local_path(location, self._folder)
        if path is None or path.is_relative_to(self._root):
            return location if path is None else str(path)
        try:
            return self.write(name, path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return location

    def _place(self, location: str, path: Path, mounted: Path) -> str | None:
        if path.is_relative_to(self._root):
            return str(path)
        if not path.exists() or not self._can_mount:
            reason = "the engine cannot mount this host's files" if path.exists() else "it does not exist"
            self.notes.append(f"{location} is ignored: {reason}")
            return None
        target = self._targets.setdefault(mounted, f"{FOLDERS}/{len(self._targets)}")
        relative = os.path.relpath(path, mounted)
        return target if relative == "." else f"{target}/{relative}"
