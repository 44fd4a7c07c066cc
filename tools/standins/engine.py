"""A container engine for the tests: the one that answers, or Debian's, started with folders and a socket of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import docker
from docker.context import ContextAPI
from docker.errors import DockerException
from requests.exceptions import RequestException

from tools.standins.apt import install_packages
from tools.standins.bridge import bridge_of, ensure_bridge, remove_bridge
from tools.standins.state import StandinError, State, default_state, last_lines, locked, run_logged, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PACKAGES = ("docker.io", "iptables", "iproute2", "ca-certificates", "mmdebstrap")
DEFAULT_URL = "unix:///var/run/docker.sock"
PING_SECONDS = 3
START_SECONDS = 60
STOP_SECONDS = 30
LOCK_SECONDS = 900


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
    if url.startswith("unix://") and (why := _socket_refusal(url.removeprefix("unix://"))):
        # docker-py would leave its socket open, and a test run in which warnings are errors would fail for it.
        return why
    try:
        # TLS settings come from the environment, since that is all that the caller's children will have.
        client = docker.from_env(environment={**environ, "DOCKER_HOST": url}, timeout=PING_SECONDS)
        with contextlib.closing(client):
            client.ping()
    except (DockerException, RequestException, OSError, ValueError) as error:
        text = str(error)
        return "no answer in time" if "timed out" in text else text.partition("\n")[0][:200] or type(error).__name__
    return None


def _socket_refusal(path: str) -> str | None:
    """Return why nobody listens at a socket, or None if somebody does."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PING_SECONDS)
        try:
            probe.connect(path)
        except OSError as error:
            return (error.strerror or str(error)).lower()
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
        advice = "start Docker, set DOCKER_HOST, or run this as root on Debian"
        message = f"no container engine: {'; '.join(tried)} · {advice}"
        raise StandinError(message)
    state = state or default_state()
    with locked(state.home / "engine.lock", LOCK_SECONDS):
        return _own_engine(state, tried)


def _own_engine(state: State, tried: list[str]) -> str:
    """Return the url of the engine in ``state``, started if it is not running. The caller holds the lock."""
    if running_engine(state) is not None:
        wait_for_engine(state, pid=None)
        return state.url
    if shutil.which("dockerd", path=_search_path()) is None:
        _install(state, tried)
        # On a machine with an init system the package has started the engine itself.
        if Path("/run/systemd/system").exists() and _soon_answers(DEFAULT_URL):
            return DEFAULT_URL
    say(f"starting an engine in {state.home}")
    try:
        wait_for_engine(state, pid=start_engine(state))
    except StandinError:
        _tidy(state)
        raise
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


def start_engine(
    state: State,
    *,
    home: Path | None = None,
    wrapper: tuple[str, ...] = (),
    group: int = 0,
    options: Sequence[str] = (),
) -> int:
    """Start dockerd in a session of its own, so that it outlives this command, and return its process id.

    :param home: where dockerd itself sees the state's home, if elsewhere.
    :param wrapper: a program that executes dockerd; it gets the path of dockerd and its arguments.
    :param group: id of the group that may use the socket.
    :param options: more options of dockerd.
    """
    _forget_dead(state)
    # An empty configuration: the machine's /etc/docker/daemon.json is for another engine.
    (state.home / "daemon.json").write_text("{}\n")
    home = home or state.home
    command = [
        "dockerd",
        *("--config-file", str(home / "daemon.json")),
        *("--host", state.url),
        *("--group", str(group)),
        *("--data-root", str(home / "data")),
        *("--exec-root", str(state.run / "exec")),
        *("--pidfile", str(state.run / "dockerd.pid")),
        # Where the system's containerd runs it is shared with other engines: keep the containers apart.
        *("--containerd-namespace", "pyimages-tests"),
        *("--containerd-plugins-namespace", "pyimages-tests-plugins"),
        *("--log-level", "warn"),
        *options,
    ]
    environ = {**os.environ, "PATH": _search_path()}
    if _other_engines():
        # Another engine has docker0 and its chains in the packet filter, which a second one would flush.
        bridge = bridge_of(state.home)
        ensure_bridge(bridge, state, environ)
        command += ["--bridge", bridge.name, "--iptables=false", "--ip6tables=false"]
    program = shutil.which("dockerd", path=environ["PATH"])
    if program is None:
        message = f"dockerd is still missing after the installation · see {state.log}"
        raise StandinError(message)
    if wrapper:
        program, command = wrapper[0], [*wrapper, program, *command[1:]]
    return spawn_detached(program, command, environ, log=engine_log(state))


def spawn_detached(program: str, command: Sequence[str], environ: Mapping[str, str], *, log: Path) -> int:
    """Start a program in a session of its own, with its output in a file, and return its process id."""
    output = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawnp(
        program,
        list(command),
        environ,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), output, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )


def engine_log(state: State, program: str = "dockerd") -> Path:
    """Return the file with an engine's output."""
    return state.home / f"{program}.log"


def _process_name(pid: int) -> str:
    """Return the name of a process, or nothing if there is none or it has ended and nobody has asked how."""
    try:
        # proc_pid_stat(5): number, name in parentheses, state
        _, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")
    except OSError:
        return ""
    name, _, fields = rest.rpartition(") ")
    return "" if fields.startswith("Z") else name


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
    """Remove process id files of an engine that died: dockerd believes them as long as any process has the number."""
    (state.run / "dockerd.pid").unlink(missing_ok=True)
    # A containerd that has outlived its engine is taken over by the next one.
    file = state.run / "exec/containerd/containerd.pid"
    pid = _pid_in(file)
    if pid is not None and _process_name(pid) != "containerd":
        file.unlink(missing_ok=True)


def _soon_answers(url: str) -> bool:
    deadline = time.monotonic() + PING_SECONDS * 3
    while time.monotonic() < deadline:
        if refusal(url, os.environ) is None:
            return True
        time.sleep(0.2)
    return False


def wait_for_engine(state: State, pid: int | None, program: str = "dockerd") -> None:
    """Return when the engine in ``state`` answers.

    :param pid: the engine's process if it is a child of this one, so that its death is seen at once.
    :param program: its name, in messages and in that of its log.
    """
    log = engine_log(state, program)
    deadline = time.monotonic() + START_SECONDS
    why = refusal(state.url, os.environ)
    while why is not None:
        ended = pid is not None and os.waitpid(pid, os.WNOHANG)[0] != 0
        if ended or time.monotonic() > deadline:
            how = "ended at once" if ended else f"does not answer after {START_SECONDS} s ({why})"
            printed = log.read_text(errors="replace") if log.exists() else ""
            message = f"{program}, started with {state.url}, {how} · see {log}{last_lines(printed)}"
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
            message = f"dockerd (process {pid}) does not end · see {engine_log(state)}"
            raise StandinError(message)
        time.sleep(0.1)
    _tidy(state)
    return True


def _tidy(state: State) -> None:
    """Take down what an engine that has ended left on the machine outside its folders."""
    environ = {**os.environ, "PATH": _search_path()}
    # dockerd leaves its own network namespace mounted, and when it was killed its data folder:
    # the folders could not be removed. proc_pid_mountinfo(5): the fifth field is the mount point.
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        mount = line.split()[4]
        if mount == str(state.home / "data") or mount.startswith(f"{state.run}/"):
            # Lazily: a process that the engine left may still use a file there.
            run_logged(("umount", "--lazy", mount), state, what="unmounting what the engine left", environ=environ)
    bridge = bridge_of(state.home)
    if bridge.exists:
        remove_bridge(bridge, state, environ)
