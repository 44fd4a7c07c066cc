"""Volumes that the image declares: what is written there is no part of a committed image."""

from __future__ import absolute_import, print_function

import os
import sysconfig

from .commands import HOME, MEMORY, finish, write_in_memory

NOTE = "note.txt"  # in memory


def check_volumes(volumes):
    """Refuse an image that declares a volume where something would be installed: a commit does not have it."""
    paths = [HOME] + [sysconfig.get_path(name) for name in ("purelib", "platlib", "scripts")]
    for volume in volumes:
        for path in paths:
            if (os.path.realpath(path) + "/").startswith(os.path.realpath(volume).rstrip("/") + "/"):
                finish({"failed": "volume", "volume": volume, "path": path})


def list_files(volumes):
    """Return size and time of each file in the image's volumes, by path; not of temporary ones."""
    found = {}
    for volume in volumes:
        for folder, _, names in os.walk(volume) if volume.rstrip("/") not in ("/tmp", "/var/tmp") else ():  # noqa: S108
            for path in [os.path.join(folder, name) for name in names]:
                if os.path.lexists(path):
                    status = os.lstat(path)
                    found[path] = (status.st_size, status.st_mtime)
    return found


def note_lost_files(before, after):
    """Write a note on a file that set-up has written to a volume, which the image does not have."""
    lost = sorted(path for path in after if before.get(path) != after[path])
    if lost:
        write_in_memory(NOTE, "set-up wrote %r, in a volume of the image: its tests do not have it" % lost[0])


def read_note():
    """Return the note; empty if there is none."""
    if not os.path.exists(MEMORY + "/" + NOTE):
        return ""
    with open(MEMORY + "/" + NOTE) as file:
        return file.read()
