"""The containers of services, with docker-py's low-level client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_pyimages.engines.base import ServiceSpec

LOG_SIZE = "4m"  # of the engine's file with a service's output


def make_service_body(spec: ServiceSpec) -> dict[str, Any]:
    """Return the request body that creates the container of a service (Engine API, "ContainerCreate")."""
    endpoints = {spec.network: {"Aliases": list(spec.aliases)}}
    return {
        "Image": spec.image,
        **({"Cmd": list(spec.command)} if spec.command else {}),
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": dict(spec.labels),
        "Healthcheck": {"Test": ["NONE"]},  # it is run by execute(), as often as needed
        "HostConfig": {
            "LogConfig": {"Type": "json-file", "Config": {"max-size": LOG_SIZE}},
            "Init": True,
            "Tmpfs": dict.fromkeys(spec.tmpfs, ""),
            **({"NetworkMode": spec.network} if spec.network else {}),
            **({"ExtraHosts": [f"{name}:{address}" for name, address in spec.hosts.items()]} if spec.hosts else {}),
        },
        **({"NetworkingConfig": {"EndpointsConfig": endpoints}} if spec.aliases else {}),
    }


def execute(api: Any, container: str, command: Sequence[str]) -> tuple[int, bytes]:
    """Run a command in a running container; return its exit status and its output."""
    made = api.exec_create(container, list(command))
    output = api.exec_start(made["Id"])
    return int(api.exec_inspect(made["Id"])["ExitCode"] or 0), bytes(output or b"")
