"""Base systems that stand-ins are made on: a minimal Debian or Ubuntu as a tar, made by mmdebstrap."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tools.standins.apt import install_packages, machine_mirror, machine_proxy_variables
from tools.standins.plan import Base
from tools.standins.state import StandinError, last_lines, run_logged, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.standins.plan import Distribution
    from tools.standins.state import State

COMPONENTS = {"debian": "main", "ubuntu": "main universe"}
PACKAGES = ("apt", "ca-certificates", "netbase", "tzdata")
KEYRINGS = Path("/usr/share/keyrings")
# Debian's stable releases do not have Ubuntu's keys, the testing one does.
KEYRING_BASE = Base(distribution="debian", suite="forky")
BASE_SECONDS = 900
# What Debian's own slim images leave out (path-exclude) and do without (fsync).
_DPKG_OPTIONS = (
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
)


def make_bases(bases: Sequence[Base], state: State) -> Iterator[tuple[Base, Path]]:
    """Make base systems side by side and yield a tar of each, which is removed afterwards."""
    if not bases:
        return
    _install_missing(state)
    keyrings = {base.distribution: _keyring(base.distribution, state) for base in bases}
    running: list[tuple[Base, Path, subprocess.Popen[bytes]]] = []
    try:
        for base in bases:
            say(f"making a base system: {base.distribution} {base.suite}")
            archive = state.home / f"base-{base.suite}.tar"
            running.append((base, archive, _start_base(base, keyrings[base.distribution], archive)))
        for base, archive, process in running:
            status = process.wait(timeout=BASE_SECONDS)
            if status != 0:
                log = _log(archive)
                printed = last_lines(log.read_text(errors="replace"))
                message = f"making {base.distribution} {base.suite} failed (mmdebstrap: {status}), see {log}{printed}"
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


def _log(archive: Path) -> Path:
    return archive.with_suffix(".log")


def _install_missing(state: State) -> None:
    """Install what makes base systems, if it is missing."""
    missing = [] if shutil.which("mmdebstrap") else ["mmdebstrap"]
    if not (KEYRINGS / "debian-archive-keyring.gpg").exists():
        missing.append("debian-archive-keyring")
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        advice = "install it, run this as root on Debian, or give access to a registry"
        message = f"stand-ins for official images need {' and '.join(missing)} · {advice}"
        raise StandinError(message)
    say(f"installing {', '.join(missing)}")
    install_packages(state, tuple(missing), what="installing what makes base systems")


def _keyring(distribution: Distribution, state: State) -> Path:
    """Return the keys that the packages of a distribution are signed with."""
    installed = KEYRINGS / f"{distribution}-archive-keyring.gpg"
    fetched = state.home / installed.name
    if installed.exists():
        return installed
    if not fetched.exists():
        _fetch_keyring(distribution, fetched, state)
    return fetched


def _fetch_keyring(distribution: Distribution, keyring: Path, state: State) -> None:
    """Take the keys of another distribution from a package, with apt in folders of its own."""
    say(f"fetching the keys of {distribution}")
    root = state.home / "apt"
    for folder in ("lists/partial", "archives/partial", "packages"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    signed = f"signed-by={KEYRINGS / 'debian-archive-keyring.gpg'}"
    (root / "sources.list").write_text(f"deb [{signed}] {machine_mirror(KEYRING_BASE)} {KEYRING_BASE.suite} main\n")
    options = {
        "Dir::Etc::sourcelist": f"{root}/sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": f"{root}/lists",
        "Dir::Cache::archives": f"{root}/archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        # apt's own user cannot enter the state folder.
        "APT::Sandbox::User": "root",
        "Acquire::Check-Valid-Until": "false",
    }
    apt = shlex.join(("apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items())))
    steps = (
        f"cd {shlex.quote(str(root / 'packages'))}",
        f"{apt} update",
        f"{apt} download {distribution}-keyring",
        "dpkg-deb -x *.deb .",
        f"cp usr/share/keyrings/{keyring.name} {shlex.quote(str(keyring))}",
    )
    try:
        run_logged(("sh", "-ec", "\n".join(steps)), state, what=f"fetching the keys of {distribution}")
    finally:
        shutil.rmtree(root)


def _start_base(base: Base, keyring: Path, archive: Path) -> subprocess.Popen[bytes]:
    """Start making a base system. The package lists stay in it, so that later steps need not fetch them."""
    command = [
        "mmdebstrap",
        "--variant=minbase",
        "--format=tar",
        f"--include={','.join(PACKAGES)}",
        f"--keyring={keyring}",
        "--skip=cleanup/apt/lists",
        # A mirror may be a frozen copy, whose testing release nobody signs anew.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        # apt's own user cannot read a key in the state folder; in the image the user is back.
        '--aptopt=APT::Sandbox::User "root"',
        """--customize-hook=sed -i '/Sandbox/d' "$1"/etc/apt/apt.conf.d/99mmdebstrap""",
        *(f"--dpkgopt={option}" for option in _DPKG_OPTIONS),
        # The machine's own name and resolver, which mmdebstrap copies, are no part of an image.
        '--customize-hook=rm -f "$1"/etc/resolv.conf "$1"/etc/hostname',
        base.suite,
        str(archive),
        f"deb {machine_mirror(base)} {base.suite} {COMPONENTS[base.distribution]}",
    ]
    # mmdebstrap's apt does not read the machine's configuration: its proxies come by the environment, into no file.
    environ = {**os.environ, **machine_proxy_variables()}
    with _log(archive).open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environ)
