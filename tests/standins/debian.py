"""Debian's and Ubuntu's packages for the stand-ins: base systems, and shell steps that run in a container of one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.standins.engine import install_packages
from tests.standins.plan import RUNTIME_LIBRARIES, Base
from tests.standins.state import StandinError, State, last_lines, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MIRRORS = {"debian": "http://deb.debian.org/debian", "ubuntu": "http://archive.ubuntu.com/ubuntu"}
COMPONENTS = {"debian": "main", "ubuntu": "main universe"}
KEYRINGS = {"debian": ("debian-archive-keyring", "debian-archive"), "ubuntu": ("ubuntu-keyring", "ubuntu-archive")}
BASE_SECONDS = 900
COMPILER = ("gcc", "libc6-dev", "make", "git")
# What Debian's own slim images leave out (path-exclude) and do without (fsync).
_DPKG_OPTIONS = (
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
)


def mirror(base: Base, index_targets: str) -> str:
    """Return where to get the packages of a release: from where the machine gets its own, if that is known.

    :param index_targets: lines of ``apt-get indextargets`` in the format of :func:`machine_index_targets`.
    """
    for line in index_targets.splitlines():
        uri, _, label = line.partition("|")
        if label.lower() == base.distribution and uri.startswith(("http://", "https://")):
            return uri.rstrip("/")
    return MIRRORS[base.distribution]


def machine_index_targets() -> str:
    """Return ``URI|Label`` of each package index that apt uses on this machine."""
    return _output("apt-get", "indextargets", "--format", "$(REPO_URI)|$(LABEL)", "Created-By: Packages")


def proxy_variables(environ: Mapping[str, str], apt_dump: str) -> dict[str, str]:
    """Return the variables that make apt elsewhere use this machine's proxies.

    :param apt_dump: what ``apt-config dump`` prints; it wins over the environment, as it does in apt.
    """
    names = ("http_proxy", "https_proxy", "no_proxy")
    variables = {name: value for name in names if (value := environ.get(name) or environ.get(name.upper()))}
    for line in apt_dump.splitlines():
        if match := re.fullmatch(r'Acquire::(https?)::Proxy "([^"]+)";', line):
            variables[f"{match[1].lower()}_proxy"] = match[2]
    return variables


def machine_proxy_variables() -> dict[str, str]:
    """Return :func:`proxy_variables` of this machine."""
    return proxy_variables(os.environ, _output("apt-config", "dump"))


def _output(*command: str) -> str:
    """Return what a program prints, nothing where it is not there or fails."""
    try:
        run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)  # noqa: S603 - fixed programs
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout


def make_bases(bases: Sequence[Base], state: State) -> Iterator[tuple[Base, Path]]:
    """Make the base systems side by side and yield a tar of each; it is removed afterwards."""
    needed = {KEYRINGS[base.distribution] for base in bases}
    missing = [package for package, name in sorted(needed) if not os.path.exists(f"/usr/share/keyrings/{name}-keyring.gpg")]
    if shutil.which("mmdebstrap") is None:
        missing.append("mmdebstrap")
    if missing:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            message = f"stand-ins need {' and '.join(missing)} · install them, run this as root on Debian, or give access to a registry"
            raise StandinError(message)
        say(f"installing {', '.join(missing)}")
        install_packages(state, tuple(missing), what="installing what makes base systems")
    running: list[tuple[Base, Path, subprocess.Popen[bytes]]] = []
    try:
        for base in bases:
            say(f"making a base system: {base.distribution} {base.suite}")
            archive = state.home / f"base-{base.suite}.tar"
            running.append((base, archive, _start_base(base, archive, archive.with_suffix(".log"))))
        for base, archive, process in running:
            status = process.wait(timeout=BASE_SECONDS)
            if status != 0:
                log = archive.with_suffix(".log")
                message = f"making {base.distribution} {base.suite} failed (mmdebstrap: {status}), see {log}{last_lines(log.read_text(errors='replace'))}"
                raise StandinError(message)
            yield base, archive
    except subprocess.TimeoutExpired as error:
        message = f"making the base systems did not end in {BASE_SECONDS} s · see {state.home}/base-*.log"
        raise StandinError(message) from error
    finally:
        for _, archive, process in running:
            if process.poll() is None:
                process.terminate()
                process.wait()
            archive.unlink(missing_ok=True)


def _start_base(base: Base, archive: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start making a base system. The package lists stay in it, so that later steps need not fetch them."""
    keyring = KEYRINGS[base.distribution][1]
    source = f"deb {mirror(base, machine_index_targets())} {base.suite} {COMPONENTS[base.distribution]}"
    command = [
        "mmdebstrap",
        "--variant=minbase",
        "--format=tar",
        f"--include={','.join(('ca-certificates', 'netbase', 'tzdata', *RUNTIME_LIBRARIES))}",
        f"--keyring=/usr/share/keyrings/{keyring}-keyring.gpg",
        "--skip=cleanup/apt/lists",
        # A testing release is not signed anew while the mirror is a frozen copy of it.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        *(f"--dpkgopt={option}" for option in _DPKG_OPTIONS),
        # The machine's own name and resolver, which mmdebstrap copies, are no part of an image.
        '--customize-hook=rm -f "$1"/etc/resolv.conf "$1"/etc/hostname',
        base.suite,
        str(archive),
        source,
    ]
    # mmdebstrap's apt does not read the machine's configuration: hand over its proxies, which end in no file.
    environ = {**os.environ, **machine_proxy_variables()}
    with log.open("wb") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environ)  # noqa: S603


def compiler_steps() -> str:
    """Return the shell steps that add to a base system what full images have over slim ones."""
    return _steps(f"apt-get install -y --no-install-recommends {' '.join(COMPILER)}", "apt-get clean")


def package_steps(minor: str) -> str:
    """Return the shell steps that put the distribution's Python at ``/usr/local`` of a base system."""
    package = f"python{minor}"
    return _steps(
        f"apt-get install -y --no-install-recommends {package} {package}-venv",
        # The headers alone: the package of them would bring a C library's development files into slim images.
        "cd /tmp",
        f"apt-get download lib{package}-dev",
        f"dpkg -x lib{package}-dev_*.deb headers",
        "cp -a headers/usr/include /usr/",
        # PEP 668: the official images' Python is not externally managed.
        f"rm -f /usr/lib/{package}/EXTERNALLY-MANAGED",
        f"{package} -m venv /usr/local",
        *_CLEANING,
    )


def copied_steps(minor: str) -> str:
    """Return the shell steps that make a Python usable which was unpacked to ``/usr/local`` of a base system."""
    return _steps(
        "ldconfig",
        f"python{minor} -m pip --version || python{minor} -m ensurepip --default-pip",
        *_CLEANING,
    )


_CLEANING = (
    "apt-get clean",
    "rm -rf /var/lib/apt/lists/* /var/log/* /tmp/* /root/.cache",
    "find /usr/local /usr/lib/python3* -name '*.py[co]' -delete 2>/dev/null || true",
    # The last line that is printed: images.py reads it.
    "python -c 'import platform; print(platform.python_version())'",
)


def _steps(*steps: str) -> str:
    """Return one shell script that stops at the first failing step."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in machine_proxy_variables().items()]
    return "\n".join(("set -ex", "export DEBIAN_FRONTEND=noninteractive", *exports, *steps))
