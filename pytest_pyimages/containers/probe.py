"""Probe whether an engine can put a writable layer over a folder of this host."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.source_programs import is_program_missing, run_helper
from pytest_pyimages.engines import Engine, Mount
from pytest_pyimages.errors import ConnectionLostError, EngineError, ImageNotFound
from pytest_pyimages.text import flatten

NOT_SEEN = "the engine does not see this host's files"
PROBE_PREFIX = ".pyimages-"  # of the file's name
LONGEST_REASON = 120  # characters
_MOUNT_ERRORS = ("overlay", "mount", "no such file or directory", "invalid argument")
_MORE = ". dmesg(1) may have more information"  # mount(8)
_MISSING = ("no such file or directory", "does not exist")

MountLayer = Callable[[Engine, Lease, str], AbstractContextManager[tuple[Mount, ...]]]


def probe_overlay(engine: Engine, lease: Lease, image: str, root: Path, mount_layer: MountLayer) -> str | None:
    """Return the reason to copy a folder; empty if an overlay works, None if the probe has no result.

    A file with a random name and content is written into the folder for a moment; a container looks for it, and writes
    to it. Sizes and times of other files would be the same in a mirror of the folder.

    :param image: id of any image with a Python.
    :param mount_layer: creates the volumes of an overlay over a folder.
    """
    text = secrets.token_hex(16)
    path = root / f"{PROBE_PREFIX}{text[:8]}"
    before = root.stat()
    try:
        try:
            path.write_text(text, "ascii")
        except OSError:  # a full disk still has room for an empty file
            return None
        with mount_layer(engine, lease, str(root)) as mounts:
            job = {"do": "probe", "path": str(path), "text": text}
            found = run_helper(engine, lease, image, mounts, job)
    except EngineError as error:
        return explain_refusal(error)
    finally:
        with suppress(OSError):
            path.unlink()
            os.utime(root, ns=(before.st_atime_ns, before.st_mtime_ns))
    if not found.get("seen"):
        return NOT_SEEN
    problem, user = flatten(str(found.get("problem", ""))), found.get("root")
    if isinstance(user, int) and user:
        problem = problem and f"the engine maps root to user {user} (userns-remap, or rootless)"
    return f"containers cannot write to this host's files: {problem}"[:LONGEST_REASON] if problem else ""


def explain_refusal(error: EngineError) -> str | None:
    """Return why an engine has refused an overlay; None if the error has another reason."""
    text = error.message.lower()
    if is_program_missing(error):  # crun's message is the same as for a missing mount
        return None
    if isinstance(error, ConnectionLostError | ImageNotFound) or not any(word in text for word in _MOUNT_ERRORS):
        return None
    if any(word in text for word in _MISSING):
        return NOT_SEEN
    problem = flatten(error.message).rpartition(": ")[2].partition(_MORE)[0]
    return f"the engine cannot mount an overlay of it: {problem}"[:LONGEST_REASON]
