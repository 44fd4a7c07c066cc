"""An engine that does not see this host's files, as one on another machine: dockerd in a mount namespace of its own.

Empty folders cover all folders of this machine but the system's; its data, its socket and its bridge are its own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from tools.standins.builds import STEP_SECONDS, has_image
from tools.standins.engine import LOCK_SECONDS, running_engine, start_engine, wait_for_engine
from tools.standins.plan import make_reference
from tools.standins.state import StandinError, State, default_state, locked, say, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Folders that dockerd, containerd and runc need.
SYSTEM = frozenset("bin boot dev etc lib lib32 lib64 libx32 lost+found nix proc run sbin snap sys usr var".split())
# A system's containerd would not see the mounts of this namespace.
COVERED = ("/var/tmp", "/run/containerd")  # noqa: S108 - to hide it
SUDO = ("sudo", "--non-interactive", "--set-home")
# $0: the state's home, and where to keep it visible; $@: folders to cover, "--", dockerd and its arguments.
SCRIPT = """
mkdir -p "$1" && mount --bind "$0" "$1" && shift || exit
while [ "$1" != -- ]; do mount -t tmpfs tmpfs "$1" || exit; shift; done
shift
exec "$@"
"""


def ensure_remote_engine(docker_host: str, tags: Sequence[str], *, group: int | None = None) -> str:
    """Return the DOCKER_HOST of an engine that does not see this host's files, with images of another engine.

    Users other than root start it by sudo, which must not ask for a password.

    :param group: id of the group that may use its socket; None for this process's.
    :raises StandinError: it cannot be started.
    """
    if not sys.platform.startswith("linux"):
        raise StandinError("an engine that does not see this host's files can be started on Linux only")
    group = os.getgid() if group is None else group
    if os.geteuid() != 0:
        return _call_by_sudo(docker_host, tags, group)
    state = _make_state()
    with locked(state.home / "engine.lock", LOCK_SECONDS):
        pid = None
        if running_engine(state) is None:
            say(f"starting an engine that does not see this host's files, in {state.home}")
            home = state.run / "home"
            covered = [*_list_covered(), *filter(os.path.isdir, COVERED)]
            script = ("sh", "-c", SCRIPT, str(state.home), str(home), *covered, "--")
            wrapper = ("unshare", "--mount", "--propagation", "slave", *script)
            pid = start_engine(state, home=home, wrapper=wrapper, group=group)
        wait_for_engine(state, pid=pid)
        copy_images(docker_host, state.url, tags)
    return state.url


def remote_state(home: Path) -> State:
    """Return the folders of the engine that belongs to the state folder of another one.

    Its socket is in a folder that other users can reach, unlike root's home.
    """
    return State(home=home / "remote", run=short_folder(home / "remote"))


def _make_state() -> State:
    state = remote_state(default_state().home)
    state.home.mkdir(mode=0o700, exist_ok=True)
    state.run.mkdir(mode=0o755, exist_ok=True)
    return state


def _list_covered() -> Iterator[str]:
    for entry in sorted(Path("/").iterdir()):
        if entry.name not in SYSTEM and entry.is_dir() and not entry.is_symlink():
            yield str(entry)
    temporary = Path(tempfile.gettempdir()).resolve()
    if temporary.parts[1] in SYSTEM and str(temporary) not in COVERED:
        yield str(temporary)


def _call_by_sudo(docker_host: str, tags: Sequence[str], group: int) -> str:
    arguments = ("-m", "tools.standins", "remote", "--engine", docker_host, "--group", str(group), *tags)
    try:
        done = subprocess.run(
            (*SUDO, sys.executable, *arguments),
            check=False,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise StandinError(f"sudo: {error.strerror} · start the tests as root, or install sudo") from error
    if done.returncode != 0:
        raise StandinError("an engine that does not see this host's files was not started by sudo")
    return done.stdout.strip()


def copy_images(source: str, target: str, tags: Sequence[str]) -> None:
    """Save the images that an engine lacks from another engine, and load them."""
    try:
        with contextlib.ExitStack() as stack:
            environs = ({**os.environ, "DOCKER_HOST": url} for url in (source, target))
            clients = (docker.from_env(environment=environ, timeout=STEP_SECONDS) for environ in environs)
            there, here = (stack.enter_context(contextlib.closing(client)) for client in clients)
            for reference in map(make_reference, tags):
                if not has_image(here, reference):
                    say(f"copying {reference}")
                    saved: Any = there.images.get(reference).save(named=reference)  # requests sends it in chunks
                    here.images.load(saved)
    except (DockerException, RequestException) as error:
        raise StandinError(f"the images of {source} cannot be copied to {target}: {error}") from error
