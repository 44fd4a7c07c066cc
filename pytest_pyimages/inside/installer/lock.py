"""Install with the versions of a lock file, as far as they are installable in this image."""

from __future__ import absolute_import, print_function

import re
import sys

MOST_TRIES = 5  # each with fewer versions of the lock file


def install(lock, run, write, say):
    """Install with a lock file's versions; return the last exit status, and how the lock file was used.

    A version that the installer blames is dropped, since another one may work; then the whole lock file.

    :param run: runs the installer, with the written constraints or without; returns its exit status and its log.
    :param write: writes the constraints.
    """
    if not is_for_this_python(lock):
        return (1 if lock["is_required"] else run(False)[0]), "excluded"
    lines, missing = lock["constraints"], []
    for _ in range(MOST_TRIES):
        write("\n".join(lines))
        status, log = run(True)
        # What uv cannot resolve or build has status 1, what it cannot reach 2; pip does not tell them apart.
        if status != 1 or lock["is_required"]:
            return status, " ".join(["partly"] + missing) if missing else "held"
        blamed = sorted(find_blamed(log).intersection(line.split(" ;")[0] for line in lines))
        if not blamed or len(blamed) == len(lines):
            break
        say("trying again without %s of the lock file" % ", ".join(blamed))
        missing += blamed
        lines = [line for line in lines if line.split(" ;")[0] not in blamed]
    say("trying again without the lock file")
    return run(False)[0], " ".join(["unmet"] + missing)


def is_for_this_python(lock):
    """Return whether a lock file supports this environment; True if only the installation can show that."""
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # pip is not to be part of the image as bytecode
    try:
        from pip._vendor.packaging.markers import Marker
        from pip._vendor.packaging.specifiers import SpecifierSet

        # As pip has it, a prerelease of a Python counts as that Python.
        if not SpecifierSet(lock["requires_python"]).contains("%d.%d.%d" % sys.version_info[:3]):
            return False
        return not lock["environments"] or any(Marker(marker).evaluate() for marker in lock["environments"])
    except (ImportError, ValueError):
        return True
    finally:
        sys.dont_write_bytecode = kept


def find_blamed(log):
    """Return the versions that the last message of uv or pip names: "numpy==1.26.4"."""
    words = re.split(r"(?mi)^\s*(?:error|\u00d7|x )", log, maxsplit=1)[1:]
    return {found.lower().replace("_", "-") for found in re.findall(r"[\w.-]+==[\w.!+-]*\w", " ".join(words))}
