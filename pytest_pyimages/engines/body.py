"""Make the request that creates a container."""

from __future__ import annotations

from typing import Any

from pytest_pyimages.engines.base import ContainerSpec, Mount

PIDS_LIMIT = 4096
# Of Docker's default capabilities (docs.docker.com, "Runtime privilege and Linux capabilities"). The others stay:
# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID and NET_BIND_SERVICE are what root is used for; NET_RAW is
# a file capability of ping, which could not be started; without AUDIT_WRITE, PAM fails in su, sudo and sshd; sshd and
# other servers isolate themselves by SYS_CHROOT; SETPCAP can only give privileges up.
DROPPED_CAPABILITIES = (
    "MKNOD",  # device files: the engine's list of devices decides what they open; FIFOs and sockets need no privilege
    "SETFCAP",  # programs with capabilities, in volumes that the engine's host sees as well
)


def make_body(spec: ContainerSpec) -> dict[str, Any]:
    """Return the request body that creates a container (Engine API, "ContainerCreate")."""
    return {
        "Image": spec.image,
        # The whole command: a commit would pass the container's Cmd on if the image has none.
        "Entrypoint": list(spec.command),
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "WorkingDir": spec.working_dir,
        "User": spec.user,
        "Labels": dict(spec.labels),
        "OpenStdin": True,
        "StdinOnce": True,  # the worker's stdin, and with it the worker, ends if this process dies
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": spec.terminal,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "Mounts": [_mount(mount) for mount in spec.mounts],
            "LogConfig": {"Type": "none", "Config": {}},
            **_describe_privileges(spec),
            "PidsLimit": PIDS_LIMIT,
            "Init": False,  # the worker is its own init
            **({"NetworkMode": spec.network} if spec.network else {}),
        },
    }


def _describe_privileges(spec: ContainerSpec) -> dict[str, Any]:
    if spec.privileges == "engine":
        return {}
    dropped = {"CapDrop": list(DROPPED_CAPABILITIES)} if spec.privileges == "reduced" else {}
    return {"SecurityOpt": ["no-new-privileges"], **dropped}


def _mount(mount: Mount) -> dict[str, Any]:
    options: dict[str, Any] = {"Source": mount.source} if mount.source else {}
    if mount.kind == "volume":  # an engine would copy what the image has at the target into an empty volume
        options["VolumeOptions"] = {"NoCopy": True}
    return {"Type": mount.kind, "Target": mount.target, "ReadOnly": mount.read_only, **options}
