"""A root file system of Debian's testing release with newer engines than this machine's, and how to enter it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from tools.standins.apt import machine_mirror, machine_proxy_variables
from tools.standins.bases import KEYRING_BASE, KEYRINGS
from tools.standins.state import run_logged, say

if TYPE_CHECKING:
    from pathlib import Path

    from tools.standins.state import State

DOCKER = ("docker.io", "iptables", "iproute2", "ca-certificates")
PODMAN = ("podman", "catatonit", "crun", "runc", "netavark", "aardvark-dns", "nftables", "passt", "uidmap")
USER, USER_ID, USER_HOME = "rootless", 4711, "/var/lib/rootless"  # /home is this machine's
MAKE_SECONDS = 900
# $0: the root; $@: folders of /run to keep visible, "--", a program and its arguments.
# The program sees this machine's files at their own paths, as the machine's engine does, but the root's system.
ENTER = """
mount --bind "$0" "$0" || exit
for folder in /*; do
  case $folder in /bin|/boot|/etc|/lib|/lib32|/lib64|/libx32|/lost+found|/run|/sbin|/snap|/usr|/var) continue ;; esac
  [ -L "$folder" ] || [ ! -d "$folder" ] || { mkdir -p "$0$folder" && mount --rbind "$folder" "$0$folder" || exit; }
done
mkdir -p "$0/run" "$0/.machine" && mount -t tmpfs tmpfs "$0/run" || exit
while [ "$1" != -- ]; do mkdir -p "$0$1" && mount --bind "$1" "$0$1" || exit; shift; done
shift
cp /etc/resolv.conf /etc/hosts "$0/etc/" || exit
cd "$0" && pivot_root . .machine && cd / && umount -l /.machine || exit
exec "$@"
"""
# $@: a program and its arguments, which the user executes in a process namespace that ends with its first process.
# The shell stays: a process that changes its user no longer ends with its parent (PR_SET_PDEATHSIG(2const)).
AS_USER = f"""
mount -t proc proc /proc && mknod -m 666 /run/tun c 10 200 && mount --bind /run/tun /dev/net/tun || exit
setpriv --reuid={USER} --regid={USER} --init-groups env HOME={USER_HOME} "$@"
exit $?
"""


def ensure_root(home: Path, state: State) -> Path:
    """Return the folder of the root, made below ``home`` if it is missing.

    :raises StandinError: it cannot be made.
    """
    root, made, packages = home / "root", home / "root-is-made", ",".join((*DOCKER, *PODMAN))
    if made.exists() and made.read_text() == packages:
        return root
    made.unlink(missing_ok=True)
    if root.exists():
        shutil.rmtree(root)  # an earlier attempt ended in the middle
    say(f"making a root with newer engines, of Debian {KEYRING_BASE.suite}")
    command = (
        *("mmdebstrap", "--variant=minbase", "--format=directory", f"--include={packages}"),
        f"--keyring={KEYRINGS / 'debian-archive-keyring.gpg'}",
        # A mirror may be a frozen copy, whose testing release nobody signs anew.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=APT::Sandbox::User "root"',
        *("--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/doc/*"),
        f'--customize-hook=chroot "$1" useradd --uid {USER_ID} --create-home --home-dir {USER_HOME} {USER}',
        *(KEYRING_BASE.suite, str(root), f"deb {machine_mirror(KEYRING_BASE)} {KEYRING_BASE.suite} main"),
    )
    environ = {**os.environ, **machine_proxy_variables()}
    run_logged(command, state, what="making a root with newer engines", environ=environ, seconds=MAKE_SECONDS)
    made.write_text(packages)
    return root


def enter(root: Path, *visible: Path) -> tuple[str, ...]:
    """Return the command that executes the program after it in the root.

    :param visible: folders below ``/run`` that the program shares with this machine.
    """
    script = ("sh", "-c", ENTER, str(root), *map(str, visible), "--")
    return ("unshare", "--mount", "--propagation", "slave", *script)


def enter_as_user(root: Path, run: Path) -> tuple[str, ...]:
    """Return the command that executes the program after it in the root, as a user without privileges.

    :param run: a folder of the user's below ``/run`` that the program shares with this machine.
    """
    isolated = ("unshare", "--pid", "--fork", "--kill-child")
    return (*isolated, *enter(root, run), "env", f"XDG_RUNTIME_DIR={run}", "sh", "-c", AS_USER, "sh")
