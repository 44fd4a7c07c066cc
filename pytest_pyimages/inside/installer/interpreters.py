"""Install a Python that the image does not have, and go on in it: a free-threaded one, of which there are no images."""

from __future__ import absolute_import, print_function

import json
import os
import platform
import sys
import sysconfig

from .commands import CACHE, HOME, MEMORY, call, finish
from .programs import find_uv

FOLDER = HOME + "/python"
JOB = "job.json"  # in memory
# As the program that began the job, whose modules are in memory already; see images/install_job.py.
RESTART = """\
import json, sys
sys.path[:] = [path for path in sys.path if path]
from importlib import import_module
for package in 'worker', 'installer':
    module = sys.modules['pyimages_' + package] = type(sys)('pyimages_' + package)
    module.__path__ = ['/run/pyimages/' + package]
with open('/run/pyimages/job.json', encoding='utf-8') as file:
    job = json.load(file)
import_module('pyimages_installer.main').main(job)
"""


def switch_python(job, environment):
    """Replace this process by the job's Python, which uv installs unless the image has it; return if it is this one."""
    if not job["interpreter"] or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return
    if not find_python(job["interpreter"]):
        uv = find_uv(dict(job, needs_pip=False), environment)
        if uv is None:
            finish({"failed": "interpreter", "status": 127})
        settings = {"UV_PYTHON_DOWNLOADS": "manual", "UV_PYTHON_CACHE_DIR": CACHE + "/python"}
        command = [uv, "python", "install", "--no-bin", "--install-dir", FOLDER, job["interpreter"]]
        call(command, dict(environment, **settings), "interpreter")
    python = find_python(job["interpreter"])
    if not python:
        finish({"failed": "interpreter", "status": 1})
    # Mode 0600: it may contain credentials. System packages and set-up commands are done.
    with os.fdopen(os.open(MEMORY + "/" + JOB, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(dict(job, phase="install"), file)
    os.execv(python, [python, "-c", RESTART])


def find_python(name):
    """Return the path of an installed Python, such as 3.14t; an empty text if there is none."""
    for folder in sorted(os.listdir(FOLDER)) if os.path.isdir(FOLDER) else []:
        path = "%s/%s/bin/python%s" % (FOLDER, folder, name)
        if "freethreaded" in folder and os.path.isfile(path):
            return path
    return ""


def describe_python():
    """Return this Python's version and path."""
    level, serial = sys.version_info[3:5]
    suffix = {"final": ""}.get(
        level, "%s%d" % ({"alpha": "a", "beta": "b", "candidate": "rc"}.get(level, level), serial)
    )
    version = "%d.%d.%d%s" % (sys.version_info[:3] + (suffix,))
    return {"python": version, "executable": sys.executable}


def describe_implementation():
    """Return "PyPy 7.3.19", or "free-threaded"; an empty text for the usual CPython."""
    name = platform.python_implementation()
    if name == "CPython":
        return "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    version = getattr(sys, "pypy_version_info", None) or sys.implementation.version
    return "%s %d.%d.%d" % ((name,) + tuple(version[:3]))
