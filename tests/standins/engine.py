"""A container engine for the tests: the one that answers, or Debian's, started with folders and a socket of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import docker
from docker.context import ContextAPI
from docker.errors import DockerException
from filelock import FileLock, Timeout
from requests.exceptions import RequestException

from tests.standins.state import StandinError, State, default_state, last_lines, run_logged, say

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGES = ("docker.io", "iptables", "iproute2", "ca-certificates", "mmdebstrap")
DEFAULT_URL = "unix:///var/run/docker.sock"
PING_SECONDS = 3
START_SECONDS = 60
STOP_SECONDS = 30
LOCK_SECONDS = 900
# The bridge of an engine that must not take the default one, docker0, from another engine on the machine.
OWN_BRIDGE = "pyimages0"
OWN_BRIDGE_ADDRESS = "172.31.213.1/24"


@dataclass(slots=True, kw_only=True, frozen=True)
class Endpoint:
    """One place where an engine may listen, and who named it."""

    url: str
    named_by: str


def endpoints(environ: Mapping[str, str], context_url: str | None) -> tuple[Endpoint, ...]:
    """Return where to look for a running engine, the most explicit first."""
    found = {}
    if asked := environ.get("DOCKER_HOST"):
        found[asked] = Endpoint(url=asked, named_by="DOCKER_HOST")
    if context_url:
        found.setdefault(context_url, Endpoint(url=context_url, named_by="the docker context"))
    found.setdefault(DEFAULT_URL, Endpoint(url=DEFAULT_URL, named_by="the default socket"))
    return tuple(found.values())


def refusal(url: str, environ: Mapping[str, str]) -> str | None:
    """Return why no engine answers at ``url``, or None if one does."""
    try:
        # TLS settings come from the environment, since that is all that the caller's children will have.
        client = docker.from_env(environment={**environ, "DOCKER_HOST": url}, timeout=PING_SECONDS)
        with contextlib.closing(client):
            client.ping()
    except (DockerException, RequestException, OSError, ValueError) as error:
        text = str(error)
        for known in ("Permission denied", "Connection refused", "No such file", "timed out"):
            if known in text:
                return known.lower()
        return text.splitlines()[0][:200] if text else type(error).__name__
    return None


def current_context_url() -> str | None:
    """Return the endpoint of the docker CLI's current context, if there is one that can be read."""
    try:
        context = ContextAPI.get_current_context()
    except (DockerException, OSError, ValueError):
        return None
    host = getattr(context, "Host", None)
    return host if isinstance(host, str) else None


def ensure_engine(state: State | None = None) -> str:
    """Return a DOCKER_HOST url at which an engine answers.

    An engine that runs is used; else the one that an earlier call started; else Debian's is installed and started.

    :raises StandinError: none can be had; the text says what was tried and what to do.
    """
    tried = []
    for endpoint in endpoints(os.environ, current_context_url()):
        why = refusal(endpoint.url, os.environ)
        if why is None:
            return endpoint.url
        tried.append(f"{endpoint.url} ({endpoint.named_by}): {why}")
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        message = f"no container engine: {'; '.join(tried)} · start Docker, set DOCKER_HOST, or run this as root on Debian"
        raise StandinError(message)
    state = state or default_state()
    try:
        with FileLock(state.home / "engine.lock", timeout=LOCK_SECONDS):
            return _own_engine(state, tried)
    except Timeout:
        message = f"another process has been starting an engine for {LOCK_SECONDS} s · see {state.log}"
        raise StandinError(message) from None


def _own_engine(state: State, tried: list[str]) -> str:
    """Return the url of the engine in ``state``, started if it is not running. The caller holds the lock."""
    if running_engine(state) is not None:
        _wait(state, pid=None)
        return state.url
    if shutil.which("dockerd", path=_search_path()) is None:
        _install(state, tried)
        # On a machine with an init system the package has started the engine itself.
        if Path("/run/systemd/system").exists() and _soon_answers(DEFAULT_URL):
            return DEFAULT_URL
    say(f"starting an engine in {state.home}")
    _wait(state, pid=_start(state))
    return state.url


def _search_path() -> str:
    """Return PATH with the system administrator's folders, which a user's often lacks."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def _install(state: State, tried: list[str]) -> None:
    """Install Debian's engine."""
    if shutil.which("apt-get") is None:
        message = f"no container engine: {'; '.join(tried)}; no apt-get to install one · install and start Docker"
        raise StandinError(message)
    say(f"no container engine answers; installing {', '.join(PACKAGES)}")
    install_packages(state, PACKAGES, what="installing an engine")


def install_packages(state: State, packages: tuple[str, ...], *, what: str) -> None:
    """Install packages of the machine's own distribution."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    patience = ("-o", "DPkg::Lock::Timeout=300")
    run_logged(("apt-get", *patience, "-q", "update"), state, what=what, environ=environ)
    command = ("apt-get", *patience, "-q", "install", "-y", "--no-install-recommends", *packages)
    run_logged(command, state, what=what, environ=environ)


def _start(state: State) -> int:
    """Start dockerd in a session of its own, so that it outlives this command, and return its process id."""
    _forget_dead(state)
    # An empty configuration: the machine's /etc/docker/daemon.json is for another engine.
    configuration = state.home / "daemon.json"
    configuration.write_text("{}\n")
    command = [
        "dockerd",
        *("--config-file", str(configuration)),
        *("--host", state.url),
        *("--data-root", str(state.home / "data")),
        *("--exec-root", str(state.run / "exec")),
        *("--pidfile", str(state.run / "dockerd.pid")),
        # Where the system's containerd runs it is shared with other engines: keep the containers apart.
        *("--containerd-namespace", "pyimages-tests"),
        *("--containerd-plugins-namespace", "pyimages-tests-plugins"),
    ]
    environ = {**os.environ, "PATH": _search_path()}
    if Path("/sys/class/net/docker0").exists() and _other_engines():
        command += ["--bridge", _own_bridge(state)]
    program = shutil.which("dockerd", path=environ["PATH"])
    if program is None:
        message = f"dockerd is still missing after the installation · see {state.log}"
        raise StandinError(message)
    output = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawn(
        program,
        command,
        environ,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(_engine_log(state)), output, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )


def _engine_log(state: State) -> Path:
    return state.home / "dockerd.log"


def _process_name(pid: int) -> str:
    """Return the name of a process, or nothing if there is no such process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _pid_in(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def running_engine(state: State) -> int | None:
    """Return the process id of the engine that was started in ``state`` and still runs."""
    pid = _pid_in(state.run / "dockerd.pid")
    if pid is None or _process_name(pid) != "dockerd":
        return None
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return pid if os.fsencode(state.url) in arguments else None


def _other_engines() -> bool:
    """Tell whether any dockerd runs on this machine."""
    return any(_process_name(int(entry.name)) == "dockerd" for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _forget_dead(state: State) -> None:
    """Remove process id files of an engine that died: dockerd believes them as soon as any process has the number."""
    for file, name in ((state.run / "dockerd.pid", "dockerd"), (state.run / "exec/containerd/containerd.pid", "containerd")):
        pid = _pid_in(file)
        if pid is not None and _process_name(pid) != name:
            file.unlink(missing_ok=True)


def _own_bridge(state: State) -> str:
    """Return the name of a bridge of our own, made if it is missing."""
    if not Path(f"/sys/class/net/{OWN_BRIDGE}").exists():
        for command in (
            ("ip", "link", "add", OWN_BRIDGE, "type", "bridge"),
            ("ip", "address", "add", OWN_BRIDGE_ADDRESS, "dev", OWN_BRIDGE),
            ("ip", "link", "set", OWN_BRIDGE, "up"),
        ):
            run_logged(command, state, what="making a network bridge beside another engine's", seconds=30)
    return OWN_BRIDGE


def _soon_answers(url: str) -> bool:
    deadline = time.monotonic() + PING_SECONDS * 3
    while time.monotonic() < deadline:
        if refusal(url, os.environ) is None:
            return True
        time.sleep(0.2)
    return False


def _wait(state: State, pid: int | None) -> None:
    """Return when the engine in ``state`` answers.

    :param pid: the engine's process if it is a child of this one, so that its death is seen at once.
    """
    deadline = time.monotonic() + START_SECONDS
    why = refusal(state.url, os.environ)
    while why is not None:
        ended = pid is not None and os.waitpid(pid, os.WNOHANG)[0] != 0
        if ended or time.monotonic() > deadline:
            how = "ended at once" if ended else f"does not answer after {START_SECONDS} s ({why})"
            printed = _engine_log(state).read_text(errors="replace") if _engine_log(state).exists() else ""
            message = f"dockerd, started with {state.url}, {how} · see {_engine_log(state)}{last_lines(printed)}"
            raise StandinError(message)
        time.sleep(0.1)
        why = refusal(state.url, os.environ)


def stop_engine(state: State | None = None) -> bool:
    """Stop the engine that was started in ``state``; False if none runs.

    :raises StandinError: it does not end.
    """
    state = state or default_state()
    pid = running_engine(state)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while running_engine(state) == pid:
        if time.monotonic() > deadline:
            message = f"dockerd (process {pid}) does not end · see {_engine_log(state)}"
            raise StandinError(message)
        time.sleep(0.1)
    return True
