"""The kinds of engines that the tests can be run with, and how each is started and stopped."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import docker

from tools.engines.root import USER_ID, ensure_root, enter, enter_as_user
from tools.standins.bridge import Bridge, bridge_of, ensure_bridge, remove_bridge
from tools.standins.engine import (
    engine_log,
    ensure_engine,
    spawn_detached,
    start_engine,
    stop_engine,
    wait_for_engine,
)
from tools.standins.remote import copy_images, ensure_remote_engine, remote_state
from tools.standins.state import State, default_state, short_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

# The name of Podman's default network's bridge is fixed.
PODMAN_BRIDGE = "podman0"
# netavark's own rules go to a packet filter whose other rules, of the machine's engine, drop what they do not know.
PODMAN_NETWORK = """\
[network]
default_subnet = "{network}"
firewall_driver = "none"
"""
# crun refuses hybrid control groups, runc does not. It cannot raise limits where this process has no CAP_SYS_RESOURCE.
PODMAN_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""


@dataclass(slots=True, kw_only=True, frozen=True)
class Kind:
    """One kind of engine.

    :param start: yields the DOCKER_HOST of an engine that has images of these tags, and stops it afterwards.
    """

    name: str
    summary: str
    start: Callable[[Sequence[str]], contextlib.AbstractContextManager[str]]


def describe(url: str) -> str:
    """Return the name and version that an engine gives itself, and how it stores images."""
    client = docker.from_env(environment={**os.environ, "DOCKER_HOST": url})
    with contextlib.closing(client):
        version, info = client.version(), client.info()
    name = next((part["Name"] for part in version.get("Components") or ()), "Engine")
    return f"{name} {version['Version']} (API {version['ApiVersion']}, {info['Driver']})"


@contextlib.contextmanager
def _start_own(_tags: Sequence[str]) -> Iterator[str]:
    yield ensure_engine()


@contextlib.contextmanager
def _start_remote(tags: Sequence[str]) -> Iterator[str]:
    try:
        yield ensure_remote_engine(ensure_engine(), tags)
    finally:
        stop_engine(remote_state(default_state().home))


@contextlib.contextmanager
def _start_docker(
    tags: Sequence[str], *, name: str, options: Sequence[str] = (), environ: Sequence[str] = ()
) -> Iterator[str]:
    source, state = ensure_engine(), _make_state(name)
    wrapper = enter(ensure_root(state.home.parent, state), state.run)
    if environ:
        wrapper = (*wrapper, "env", *environ)
    try:
        wait_for_engine(state, pid=start_engine(state, wrapper=wrapper, options=options))
        copy_images(source, state.url, tags)
        yield state.url
    finally:
        stop_engine(state)


def _start_docker_of_testing(tags: Sequence[str]) -> contextlib.AbstractContextManager[str]:
    return _start_docker(tags, name="docker")


def _start_docker_with_containerd(tags: Sequence[str]) -> contextlib.AbstractContextManager[str]:
    # Engine 29's defaults ("Engine v29 release notes").
    options = ("--feature", "containerd-snapshotter=true")
    return _start_docker(tags, name="containerd", options=options, environ=("DOCKER_MIN_API_VERSION=1.44",))


@contextlib.contextmanager
def _start_podman(tags: Sequence[str]) -> Iterator[str]:
    source, state = ensure_engine(), _make_state("podman")
    root = ensure_root(state.home.parent, state)
    bridge = _podman_bridge(state.home)
    ensure_bridge(bridge, state, os.environ)
    folders = ("--root", str(state.home / "data"), "--runroot", str(state.run / "containers"))
    network = PODMAN_NETWORK.format(network=bridge.network)
    try:
        with _serve_podman(state, enter(root, state.run), folders, network):
            copy_images(source, state.url, tags)
            yield state.url
    finally:
        remove_bridge(bridge, state, os.environ)


@contextlib.contextmanager
def _start_rootless_podman(tags: Sequence[str]) -> Iterator[str]:
    source, state = ensure_engine(), _make_state("rootless")
    root = ensure_root(state.home.parent, state)
    shutil.rmtree(state.run)  # of processes that were killed
    state.run.mkdir(mode=0o700)
    os.chown(state.run, USER_ID, USER_ID)
    # unshare ignores SIGTERM (unshare(1), --forward-signals); with it, all of its process namespace is killed.
    with _serve_podman(state, enter_as_user(root, state.run), stop=signal.SIGKILL):
        copy_images(source, state.url, tags)
        yield state.url


@contextlib.contextmanager
def _serve_podman(
    state: State,
    wrapper: Sequence[str],
    folders: Sequence[str] = (),
    network: str = "",
    *,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """Run Podman's service while the context is active."""
    configuration = state.run / "containers.conf"
    configuration.write_text(network + PODMAN_CONFIGURATION)
    command = (
        *wrapper,
        *("env", f"CONTAINERS_CONF={configuration}", "PODMAN_IGNORE_CGROUPSV1_WARNING=1"),
        *("podman", *folders, "--log-level", "warn", "system", "service", "--time", "0", state.url),
    )
    pid = spawn_detached(command[0], command, os.environ, log=engine_log(state, "podman"))
    try:
        wait_for_engine(state, pid, program="podman")
        state.socket.chmod(0o660)  # as that of Debian's podman.socket
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, stop)
            os.waitpid(pid, 0)


def _podman_bridge(home: Path) -> Bridge:
    own = bridge_of(home)
    return Bridge(name=PODMAN_BRIDGE, address=own.address, network=own.network)


def _make_state(name: str) -> State:
    home = default_state().home / "engines" / name
    state = State(home=home, run=short_folder(home))
    for folder in (state.home, state.run):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state


KINDS = {
    kind.name: kind
    for kind in (
        Kind(name="own", summary="the engine that the other tests use", start=_start_own),
        Kind(name="remote", summary="the same, but it does not see this machine's files", start=_start_remote),
        Kind(name="docker", summary="Docker of Debian's testing release", start=_start_docker_of_testing),
        Kind(
            name="containerd",
            summary="the same with containerd's image store, and no API before 1.44",
            start=_start_docker_with_containerd,
        ),
        Kind(name="podman", summary="Podman of Debian's testing release, as root", start=_start_podman),
        Kind(
            name="rootless",
            summary="the same as another user, who cannot read root's files",
            start=_start_rootless_podman,
        ),
    )
}
