"""Packs a Python that pyenv has installed, as ``make install`` to ``/usr/local`` would have left it."""

from __future__ import annotations

import io
import os
import re
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

PREFIX = b"/usr/local"
# The Dockerfiles of the official images remove tests, byte code and the static library; idlelib needs Tk.
_FOLDERS_LEFT_OUT = frozenset({"__pycache__", "test", "tests", "idlelib", "idle_test"})
_FILES_LEFT_OUT = re.compile(r".*\.py[co]|libpython.*\.a")
_SCRIPTS = re.compile(r"python.*|pydoc.*|2to3.*|pip.*")
_PIP = re.compile(r"pip|pip-.*")
_SETUPTOOLS = re.compile(
    r"setuptools|setuptools-.*|pkg_resources|_distutils_hack|distutils-precedence\.pth|easy_install\.py|wheel|wheel-.*"
)
# From 3.12 on the official images have neither setuptools nor wheel.
_LAST_WITH_SETUPTOOLS = (3, 11)
_TEXT_SIZE_LIMIT = 2_000_000


def belongs(path: PurePosixPath, minor: tuple[int, int]) -> bool:
    """Tell whether a file or folder of the version is part of an official image.

    :param path: relative to the version's folder.
    """
    parts = path.parts
    if parts[0] not in ("bin", "include", "lib"):
        return False
    if parts[0] == "bin":
        return len(parts) == 1 or (_SCRIPTS.fullmatch(parts[1]) is not None and not parts[1].endswith("gdb.py"))
    if _FOLDERS_LEFT_OUT.intersection(parts) or _FILES_LEFT_OUT.fullmatch(parts[-1]):
        return False
    if parts[2:3] == ("site-packages",) and parts[3:]:
        if _PIP.fullmatch(parts[3]):
            return True
        return minor <= _LAST_WITH_SETUPTOOLS and _SETUPTOOLS.fullmatch(parts[3]) is not None
    return True


def pack(version: Path, minor: tuple[int, int], file: IO[bytes]) -> None:
    """Write a tar of the version's folder to ``file``, owned by root, with its paths turned to ``/usr/local``."""
    old_prefix = os.fsencode(version)
    with tarfile.open(fileobj=file, mode="w") as archive:
        for folder, folders, names in os.walk(version):
            relative = PurePosixPath(os.path.relpath(folder, version))
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            folders[:] = sorted(name for name in folders if name not in links and belongs(relative / name, minor))
            for name in (*folders, *sorted((*names, *links))):
                if belongs(relative / name, minor):
                    _add(archive, Path(folder) / name, str(relative / name), old_prefix)


def _add(archive: tarfile.TarFile, path: Path, name: str, old_prefix: bytes) -> None:
    """Add one entry; in a text the folder of the version becomes the prefix of the image."""
    entry = archive.gettarinfo(path, name)
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    if not entry.isreg():
        archive.addfile(entry)
        return
    if entry.size <= _TEXT_SIZE_LIMIT:
        content = path.read_bytes()
        if old_prefix in content and b"\0" not in content:
            content = content.replace(old_prefix, PREFIX)
            entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
        return
    with path.open("rb") as stream:
        archive.addfile(entry, stream)
