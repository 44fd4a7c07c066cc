"""What the install step does with the versions of a lock file: holds the installer to them as far as that works here.

Part of the installer: standard library only, and the syntax that Python 2.7 to 3.15 have in common.
"""

from __future__ import print_function

import os
import re
import subprocess
import sys

MOST_TRIES = 5  # with ever less of a lock file


def install(lock, run, write, say):
    """Install with a lock file's versions; return the last status, and what became of the lock (see locks_fate.py).

    What the installer blames is left out, since another version may do; the whole file, if that helps too little.

    :param run: runs the installer, with the constraints that were written or without; returns its status and its log.
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
        blamed = sorted(blamed_in(log).intersection(line.split(" ;")[0] for line in lines))
        if not blamed or len(blamed) == len(lines):
            break
        say("once more, without %s of the lock file" % ", ".join(blamed))
        missing += blamed
        lines = [line for line in lines if line.split(" ;")[0] not in blamed]
    say("once more, without the lock file")
    return run(False)[0], " ".join(["unmet"] + missing)


def is_for_this_python(lock):
    """Whether a lock file is meant for this environment; where nothing here can tell, the installation will."""
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # of pip, which is not what the image is for
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


def blamed_in(log):
    """Return the versions that the last words of uv or pip name: "numpy==1.26.4"."""
    words = re.split(r"(?mi)^\s*(?:error|\u00d7|x )", log, maxsplit=1)[1:]
    return {found.lower().replace("_", "-") for found in re.findall(r"[\w.-]+==[\w.!+-]*\w", " ".join(words))}


def heard(command, environment):
    """Run a command; return its status and the end of what it wrote to standard error, which goes on there."""
    with open(os.devnull) as nothing:
        process = subprocess.Popen(command, env=environment, stdin=nothing, stdout=2, stderr=subprocess.PIPE)
    log = b""
    while True:
        data = os.read(process.stderr.fileno(), 65536)
        if not data:
            break
        os.write(2, data)
        log = (log + data)[-65536:]
    return process.wait(), log.decode("utf-8", "replace")
