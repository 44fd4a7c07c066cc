"""Make the requests that create containers (Engine API, "ContainerCreate")."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_pyimages.engines.base import (
    CONTAINER_FIELDS,
    HOST_FIELDS,
    ContainerOptions,
    ContainerSpec,
    EngineInfo,
    Mount,
    ServiceSpec,
)
from pytest_pyimages.errors import EngineError
from pytest_pyimages.text import flatten

LOG_SIZE = "4m"  # of the engine's file with a service's output
PIDS_LIMIT = 4096
# Of Docker's default capabilities (docs.docker.com, "Runtime privilege and Linux capabilities"). The others stay:
# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID and NET_BIND_SERVICE are what root is used for; NET_RAW is
# a file capability of ping, which could not be started; without AUDIT_WRITE, PAM fails in su, sudo and sshd; sshd and
# other servers isolate themselves by SYS_CHROOT; SETPCAP can only give privileges up.
DROPPED_CAPABILITIES = (
    "MKNOD",  # device files: the engine's list of devices decides what they open; FIFOs and sockets need no privilege
    "SETFCAP",  # programs with capabilities, in volumes that the engine's host sees as well
)


# Desktop engines run in a virtual machine; their sockets in the user's home lead to the one that it has at SOCKET.
_FORWARDED = re.compile(r"/\.(docker/(run|desktop)|colima|rd|orbstack|local/share/containers/podman/machine)/")
SOCKET, PODMAN_SOCKET = "/var/run/docker.sock", "/run/podman/podman.sock"
# In containers, where /var/run is a link to /run: Docker 29.5 uploads nothing with a mount below a link (moby#52653).
SOCKET_IN_CONTAINER = "/run/docker.sock"
GATEWAY, PODMAN_GATEWAY = "host.docker.internal", "host.containers.internal"  # names of the engine's machine


def find_own_socket(info: EngineInfo, system: str = sys.platform) -> str:
    """Return the path that an engine's socket has on the engine's own machine, as far as its address shows it.

    :param system: of this host, as in ``sys.platform``.
    """
    path = info.endpoint.removeprefix("unix://")
    if path == info.endpoint:  # of another machine
        return PODMAN_SOCKET if info.name == "podman" else SOCKET
    path = os.path.realpath(path)
    return SOCKET if system != "linux" or _FORWARDED.search(path) else path


def lend_socket(options: ContainerOptions, info: EngineInfo) -> tuple[ContainerOptions, Mapping[str, str]]:
    """Return options with the engine's socket as a mount, and the variables by which programs find it, if requested.

    Those for Testcontainers are where published ports are reached, and the path that its containers can mount
    (java.testcontainers.org, "Custom configuration").
    """
    if not options.socket:
        return options, {}
    path = find_own_socket(info)
    name = PODMAN_GATEWAY if info.name == "podman" else GATEWAY
    hosts = options.add_host
    if name == GATEWAY and not any(entry.startswith(f"{name}:") for entry in hosts):  # Podman adds its own
        hosts = (*hosts, f"{name}:host-gateway")
    variables = {
        "DOCKER_HOST": f"unix://{SOCKET_IN_CONTAINER}",
        "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE": path,
        "TESTCONTAINERS_HOST_OVERRIDE": "localhost" if options.network == "host" else name,
    }
    others = tuple(mount for mount in options.mount if mount.target not in (SOCKET, SOCKET_IN_CONTAINER))
    mounts = (*others, Mount(kind="bind", source=path, target=SOCKET_IN_CONTAINER))
    return replace(options, socket=False, mount=mounts, add_host=hosts), variables


def make_body(spec: ContainerSpec) -> dict[str, Any]:
    """Return the request body that creates a container."""
    options = spec.options
    fields = {name: value for name, value in options.container.items() if name in CONTAINER_FIELDS}
    return {
        **fields,
        **_make_common_fields(spec),
        # The whole command: a commit would pass the container's Cmd on if the image has none.
        "Entrypoint": list(spec.command),
        "Cmd": [],
        "WorkingDir": spec.working_dir,
        "User": spec.user,
        "OpenStdin": True,
        "StdinOnce": True,  # the worker's stdin, and with it the worker, ends if this process dies
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": spec.terminal,
        "HostConfig": {
            "PidsLimit": PIDS_LIMIT,
            **_make_host_fields(options),
            "Mounts": [*(_mount(mount, is_filled=False) for mount in spec.mounts), *map(_mount, options.mount)],
            "LogConfig": {"Type": "none", "Config": {}},
            **_describe_privileges(spec),
            "Init": False,  # the worker is its own init
            **_make_network(spec),
        },
    }


def make_command_body(command: Sequence[str]) -> dict[str, Any]:
    """Return the request body for a command in a running container, as its user (Engine API, "ContainerExec")."""
    return {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, "Tty": False}


def make_attended_command_body(
    command: Sequence[str], environment: Mapping[str, str], *, terminal: bool
) -> dict[str, Any]:
    """Return the request body for a command with an open standard input, as root."""
    return {
        **make_command_body(command),
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "User": "0",
        "WorkingDir": "/",
        "AttachStdin": True,
        "Tty": terminal,
    }


def make_service_body(spec: ServiceSpec) -> dict[str, Any]:
    """Return the request body that creates the container of a service."""
    endpoints = {spec.network: {"Aliases": list(spec.aliases)}}
    return {
        **_make_common_fields(spec),
        **({"Cmd": list(spec.command)} if spec.command else {}),
        "HostConfig": {
            "LogConfig": {"Type": "json-file", "Config": {"max-size": LOG_SIZE}},
            "Init": True,
            "Tmpfs": dict.fromkeys(spec.tmpfs, ""),
            **({"NetworkMode": spec.network} if spec.network else {}),
            **({"ExtraHosts": [f"{name}:{address}" for name, address in spec.hosts.items()]} if spec.hosts else {}),
        },
        **({"NetworkingConfig": {"EndpointsConfig": endpoints}} if spec.aliases else {}),
    }


def _make_common_fields(spec: ContainerSpec | ServiceSpec) -> dict[str, Any]:
    return {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": dict(spec.labels),
        "Healthcheck": {"Test": ["NONE"]},  # that of a service is run by execute(), as often as needed
    }


def _describe_privileges(spec: ContainerSpec) -> dict[str, Any]:
    fields = spec.options.container
    if spec.privileges == "engine":
        return {}
    dropped = {*DROPPED_CAPABILITIES, *fields.get("CapDrop", ())} - {*fields.get("CapAdd", ())}
    return {
        "SecurityOpt": ["no-new-privileges", *fields.get("SecurityOpt", ())],
        **({"CapDrop": sorted(dropped)} if spec.privileges == "reduced" else {}),
    }


def _make_host_fields(options: ContainerOptions) -> dict[str, Any]:
    fields = {name: value for name, value in options.container.items() if name in HOST_FIELDS}
    if options.memory:
        fields["Memory"] = options.memory
    if options.cpus:
        fields["NanoCpus"] = round(options.cpus * 1e9)
    if options.shm_size:
        fields["ShmSize"] = options.shm_size
    if options.device:
        names = ("PathOnHost", "PathInContainer", "CgroupPermissions")
        fields["Devices"] = [dict(zip(names, device, strict=True)) for device in options.device]
    if options.gpus:
        ids = options.gpus.removeprefix("device=").split(",") if options.gpus.startswith("device=") else []
        count = {"DeviceIDs": ids} if ids else {"Count": -1 if options.gpus == "all" else int(options.gpus)}
        fields["DeviceRequests"] = [{"Capabilities": [["gpu"]], **count}]
    return fields


def _make_network(spec: ContainerSpec) -> dict[str, Any]:
    """Return the fields of the network; who shares another container's has the host names of that one."""
    if spec.network.startswith("container:"):
        return {"NetworkMode": spec.network}
    mode = spec.network or spec.options.network
    hosts = {"ExtraHosts": list(spec.options.add_host)} if spec.options.add_host else {}
    return {**({"NetworkMode": mode} if mode else {}), **hosts}


def _mount(mount: Mount, *, is_filled: bool = True) -> dict[str, Any]:
    """Return a mount for the request.

    :param is_filled: whether the engine may copy what the image has at the target into an empty volume.
    """
    fields: dict[str, Any] = {"Source": mount.source} if mount.source else {}
    if mount.kind == "volume" and not is_filled:
        fields["VolumeOptions"] = {"NoCopy": True}
    if mount.anonymous is not None:
        driver = {"Name": "local", "Options": dict(mount.anonymous.options)}
        fields["VolumeOptions"] |= {"Labels": dict(mount.anonymous.labels), "DriverConfig": driver}
    return {"Type": mount.kind, "Target": mount.target, "ReadOnly": mount.read_only, **fields}


def iter_pieces(tar: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces; an error in reading them is not reported as one of the connection."""
    try:
        yield from tar
    except OSError as error:
        raise EngineError(f"the files to upload cannot be read: {flatten(error)}") from error
