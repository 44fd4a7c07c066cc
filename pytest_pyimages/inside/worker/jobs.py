"""The keys of the jobs that the host sends, and the types of their values. Imports no other module."""

from __future__ import absolute_import, print_function

import json
import os

TEXT = type("".encode("ascii").decode("ascii"))  # of Python 2, too
INTEGER = (int, type(1 << 64))  # a 32-bit Python 2 reads large seeds as long
OPTIONAL_TEXT = (TEXT, type(None))
OPTIONAL_SECONDS = INTEGER + (float, type(None))
OPTIONAL_OBJECT = (dict, type(None))

# Job and CoverageJob in runs/job.py, for the worker and the attendant.
JOB = {
    "token": TEXT,
    "command": list,
    "args": list,
    "project": TEXT,
    "cwd": TEXT,
    "cwd_on_path": bool,
    "environment": dict,
    "worker": TEXT,
    "witness": list,
    "source": dict,
    "user": TEXT,
    "passed_output": bool,
    "own_options": list,
    "own_flags": list,
    "own_ini": list,
    "memory": OPTIONAL_OBJECT,
    "seed": INTEGER,
    "host_plugins": list,
    "shard": OPTIONAL_OBJECT,
    "selection": OPTIONAL_OBJECT,
    "smoke": OPTIONAL_OBJECT,
    "tracebacks": OPTIONAL_OBJECT,
    "coverage": bool,
    "report": OPTIONAL_OBJECT,
    "terminal": OPTIONAL_TEXT,
    "bytecode": OPTIONAL_OBJECT,
    "changes": OPTIONAL_OBJECT,
    "timeout": OPTIONAL_SECONDS,
    "silence": OPTIONAL_SECONDS,
}
SOURCE = {"root": TEXT, "owner": list, "others": list, "hidden": list}
REPORT = {"labels": list, "roots": list, "sizes": list, "failures": INTEGER, "contexts": bool}
# InstallJob in images/install_job.py, for the installer.
INSTALL_JOB = {
    "name": TEXT,
    "phase": TEXT,
    "build": TEXT,
    "root": TEXT,
    "extends": bool,
    "interpreter": TEXT,
    "apt": list,
    "setup": list,
    "steps": list,
    "built_extras": list,
    "is_partial": bool,
    "lock": OPTIONAL_OBJECT,
    "needs_pip": bool,
    "uv": dict,
    "uv_features": list,
    "packages": dict,
    "distribution": TEXT,
    "kind": TEXT,
    "version": OPTIONAL_OBJECT,
    "environment": dict,
    "files": dict,
    "servers": list,
    "hosts": dict,
    "folders": list,
    "witness": list,
    "source": dict,
    "volumes": list,
    "skipped": dict,
    "installer": dict,
    "worker": dict,
}


def check_job(job, schema):
    """Return the job; raise ValueError if keys are missing, unknown, or have values of another type."""
    wrong = set(job) ^ set(schema)
    wrong.update(name for name in set(job) & set(schema) if not isinstance(job[name], schema[name]))
    if wrong:
        raise ValueError("the job is one of another version: %s" % ", ".join(sorted(wrong)))
    if "source" in job:
        check_job(job["source"], SOURCE)
    if job.get("report"):
        check_job(job["report"], REPORT)
    return job


def make_native(value):
    """Return a JSON value with the strings that arguments, variables and paths are: in Python 2 bytes."""
    if isinstance(value, dict):
        return dict((make_native(key), make_native(item)) for key, item in value.items())
    if isinstance(value, list):
        return [make_native(item) for item in value]
    return value.encode("utf-8") if isinstance(value, TEXT) and str is bytes else value


def read_job(control):
    """Return the job, the first line that the host sends; None if the host is gone.

    The data files for a coverage report follow the line; they are written to a folder.
    """
    data = b""
    while b"\n" not in data:
        piece = os.read(control, 1 << 16)
        if not piece:
            return None
        data += piece
    line, _, rest = data.partition(b"\n")
    job = make_native(check_job(json.loads(line.decode("utf-8")), JOB))
    if job["report"]:
        job["report"]["files"] = receive(control, rest, job["report"]["sizes"])
        if job["report"]["files"] is None:
            return None
    return job


def receive(control, rest, sizes):
    """Write the data files, of so many bytes each, and return their paths; None if the host is gone."""
    import tempfile  # slow to import, and seldom needed

    folder, paths = tempfile.mkdtemp(prefix="pyimages-"), []
    for size in sizes:
        paths.append(os.path.join(folder, str(len(paths))))
        with open(paths[-1], "wb") as file:
            while size:
                piece = rest or os.read(control, 1 << 16)
                if not piece:
                    return None
                file.write(piece[:size])
                piece, rest = piece[:size], piece[size:]
                size -= len(piece)
    return paths
