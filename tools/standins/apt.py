"""Packages of Debian and Ubuntu: on this machine, and as shell steps that run in a container of a base system."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

from tools.standins.plan import RUNTIME_LIBRARIES
from tools.standins.state import run_logged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.standins.plan import Base
    from tools.standins.state import State

COMPILER = ("gcc", "g++", "libc6-dev", "make", "git")
QUESTION_SECONDS = 60


def install_packages(state: State, packages: tuple[str, ...], *, what: str) -> None:
    """Install packages of the machine's own distribution.

    :param what: names the purpose in the error.
    """
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")
    run_logged((*apt, "update"), state, what=what, environ=environ)
    run_logged((*apt, "install", "-y", "--no-install-recommends", *packages), state, what=what, environ=environ)


def mirror(base: Base, index_targets: str) -> str:
    """Return where to get the packages of a release: from where the machine gets its own, if that is known.

    :param index_targets: lines of ``URI|Label``, see :func:`machine_mirror`.
    """
    for line in index_targets.splitlines():
        uri, _, label = line.partition("|")
        if label.lower() == base.distribution and uri.startswith(("http://", "https://")):
            return uri.rstrip("/")
    if base.distribution == "debian":
        return "http://deb.debian.org/debian"
    if platform.machine() == "x86_64":
        return "http://archive.ubuntu.com/ubuntu"
    return "http://ports.ubuntu.com/ubuntu-ports"


def machine_mirror(base: Base) -> str:
    """Return :func:`mirror` for the indexes that apt uses on this machine."""
    return mirror(base, _output("apt-get", "indextargets", "--format", "$(REPO_URI)|$(LABEL)", "Created-By: Packages"))


def proxy_variables(environ: Mapping[str, str], apt_dump: str) -> dict[str, str]:
    """Return the variables that make apt elsewhere use this machine's proxies.

    :param apt_dump: what ``apt-config dump`` prints; it wins over the environment, as it does in apt.
    """
    names = ("http_proxy", "https_proxy", "no_proxy")
    variables = {name: value for name in names if (value := environ.get(name) or environ.get(name.upper()))}
    for line in apt_dump.splitlines():
        if match := re.fullmatch(r'Acquire::(https?)::Proxy "([^"]+)";', line):
            variables[f"{match[1]}_proxy"] = match[2]
    return variables


def machine_proxy_variables() -> dict[str, str]:
    """Return :func:`proxy_variables` of this machine."""
    return proxy_variables(os.environ, _output("apt-config", "dump"))


def _output(*command: str) -> str:
    """Return what a program prints, nothing where it is not there or fails."""
    try:
        run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=QUESTION_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout


def compiler_steps() -> str:
    """Return the shell steps that add to a base system what full images have over slim ones."""
    return steps(install_step(*COMPILER), "apt-get clean")


def package_steps(package: str) -> str:
    """Return the shell steps that put the distribution's Python at ``/usr/local`` of a base system."""
    headers = f"{package}-dev" if package == "pypy3" else f"lib{package}-dev"
    # Python 2 has no venv.
    maker = "virtualenv" if package == "python2.7" else f"{package}-venv"
    make = f"virtualenv --python={package}" if maker == "virtualenv" else f"{package} -m venv"
    return steps(
        install_step(package, maker),
        # The headers alone: the package of them would bring a C library's development files into slim images.
        "cd /tmp",
        f"apt-get download {headers}",
        f"dpkg -x {headers}_*.deb headers",
        "cp -a headers/usr/include /usr/",
        # The official images' Python is not externally managed (PEP 668).
        f"rm -f /usr/lib/{package}*/EXTERNALLY-MANAGED",
        f"{make} /usr/local",
        # Nobody activates /usr/local.
        "rm -rf /usr/local/bin/activate* /usr/local/bin/Activate* /usr/local/.gitignore",
        # The official images have no byte code.
        f"find /usr/local /usr/lib/{package}* -name '*.pyc' -delete",
        *_LAST_STEPS,
    )


def copied_steps(minor: str) -> str:
    """Return the shell steps that make a Python usable which was unpacked to ``/usr/local`` of a base system."""
    return steps(
        install_step(*RUNTIME_LIBRARIES),
        "ldconfig",
        f"python{minor} -B -m pip --version || python{minor} -B -m ensurepip --default-pip",
        *_LAST_STEPS,
    )


# The last word that is printed becomes PYTHON_VERSION of the image, or PYPY_VERSION.
PRINT_VERSION = """-B -c '
import platform, sys
print(".".join(map(str, getattr(sys, "pypy_version_info", ())[:3])) or platform.python_version())'"""
_LAST_STEPS = (
    "apt-get clean",
    "rm -rf /var/lib/apt/lists/* /var/log/* /tmp/* /root/.cache",
    f"python {PRINT_VERSION}",
)


def install_step(*packages: str) -> str:
    """Return the step that installs packages, with the base system's lists unless they have become too old."""
    install = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    return f"{install} || {{ apt-get update; {install}; }}"


def steps(*commands: str) -> str:
    """Return one shell script that stops at the first failing step."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in machine_proxy_variables().items()]
    return "\n".join(("set -ex", "export DEBIAN_FRONTEND=noninteractive", *exports, *commands))
