"""The programs that install packages: uv, which the host provides, or a pip that works for this Python."""

from __future__ import absolute_import, print_function

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig

from .commands import CACHE, finish, say

UV = "/run/pyimages-uv"  # the volume with the program; read-only
UV_FLOOR = (3, 8)  # the oldest Python that uv installs into
LAST_PIPS = {(2, 7): "20.3.4", (3, 5): "20.3.4", (3, 6): "21.3.1", (3, 7): "24.0"}


def require_uv(job):
    """Finish if the host has to provide uv first: its volume is empty or damaged."""
    machine = os.uname()[4]
    digest = job["uv"].get(machine)
    needs_uv = job["interpreter"] or not job["needs_pip"]
    if digest and needs_uv and sys.version_info >= UV_FLOOR and hash_file(locate_uv(machine)) != digest:
        finish({"nouv": machine})


def find_uv(job, environment):
    """Return the path of uv; None if it does not support this Python, is not available, or does not start here."""
    if sys.version_info < UV_FLOOR or job["needs_pip"]:
        return None
    machine = os.uname()[4]
    if machine in job["uv"]:
        path = locate_uv(machine)
        return path if starts(path) else None
    return fetch("uv", "%s/uv-bin-%s-%s" % (CACHE, machine, find_libc()), "bin/uv", environment, starts)


def find_libc(maps="/proc/self/maps"):
    """Return "musl" or "gnu": the C library that this Python runs with; an image may have the other one as well."""
    try:
        with open(maps) as file:
            return "musl" if re.search(r"/(?:ld-|libc\.)musl-", file.read()) else "gnu"
    except (IOError, OSError):
        return "musl" if "musl" in str(sysconfig.get_config_var("SOABI")) else "gnu"


def starts(path):
    """Return whether a program starts here: it may be for another machine or C library, or not executable."""
    with open(os.devnull, "wb") as null:
        try:
            if subprocess.call([path, "--version"], stdout=null, stderr=null) == 0:
                return True
        except OSError:
            pass
    say("%s does not start here; the image's pip installs" % path)
    return False


def locate_uv(machine):
    return "%s/uv-%s" % (UV, machine)


def hash_file(path):
    """Return the SHA-256 of a file as hex digits; an empty text if it does not exist."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while True:
                data = file.read(1 << 20)
                if not data:
                    return digest.hexdigest()
                digest.update(data)
    except (IOError, OSError):
        return ""


def find_pip(job, environment):
    """Return the arguments that run pip: the newest pip for this Python if the image's own is too old, else that one.

    Before 20.3 pip fails over the newest file if that is for another Python. A folder of packages, unlike an index with
    data-requires-python (PEP 503), does not say which Python a file is for. From 21.1 on it takes constraints with
    addresses, from 24.0 on options of editable requirements. If nothing of this is needed, old pip is faster.
    """
    version = sys.version_info[:2]
    needed = (24, 0) if job["needs_pip"] else (21, 1) if "sources/pip-constraints.txt" in job["files"] else (20, 3)
    if read_pip_version() >= needed or not (needed > (20, 3) or (job["folders"] and version in LAST_PIPS)):
        return ["-m", "pip"]
    requirement = "pip==" + LAST_PIPS[version] if version in LAST_PIPS else "pip"
    folder = "%s/pip-%s" % (CACHE, LAST_PIPS.get(version) or "for-%d.%d" % version)
    path = fetch(requirement, folder, "pip/__main__.py", environment)
    if path is None:
        return ["-m", "pip"]
    if version[0] == 2:
        environment["PIP_USE_FEATURE"] = "2020-resolver"
    return [os.path.dirname(path)]


def read_pip_version():
    try:
        from pip import __version__
    except ImportError:
        return (0,)
    return tuple(int(part) for part in re.findall(r"\d+", __version__)[:2])


def fetch(requirement, folder, program, environment, is_usable=os.path.exists):
    """Return the path of a program in the cache volume, downloaded once per project; None if it is not available.

    :param is_usable: decides of a path whether the program works; what does not is never kept.
    """
    # Settings for the project's packages are not for the installers.
    about = ("PRE", "NO_BINARY", "PREFER_BINARY", "CONSTRAINT", "BUILD_CONSTRAINT", "UPLOADED_PRIOR_TO")
    environment = dict(item for item in environment.items() if item[0] not in ["PIP_" + name for name in about])
    path = folder + "/" + program
    with open(CACHE + "/uv.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path) or not is_usable(path):
            fresh = folder + ".new"
            shutil.rmtree(fresh, ignore_errors=True)
            say("fetching " + requirement)
            code = subprocess.call(
                [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", fresh, requirement],
                env=dict(environment, PIP_ONLY_BINARY=":all:"),
                cwd="/",  # which -m puts on the path
                stdout=2,
            )
            if code or not is_usable(fresh + "/" + program):
                shutil.rmtree(fresh, ignore_errors=True)
                say("%s is not available here; the image's pip installs" % requirement)
                return None
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(fresh, folder)
    return path
