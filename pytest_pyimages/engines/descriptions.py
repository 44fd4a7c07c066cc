"""Parse the engine's descriptions of images, containers and volumes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pytest_pyimages.engines.base import ContainerState, ImageInfo
from pytest_pyimages.text import flatten


def parse_image(answer: Mapping[str, Any]) -> ImageInfo:
    """Parse a response of "ImageInspect" (Engine API)."""
    config = answer.get("Config") or {}
    pairs = [entry.partition("=") for entry in config.get("Env") or ()]
    return ImageInfo(
        id=str(answer["Id"]),
        digests=tuple(answer.get("RepoDigests") or ()),
        platform=f"{answer.get('Os', '')}/{answer.get('Architecture', '')}",
        environment={name: value for name, _, value in pairs},
        labels=config.get("Labels") or {},
        size=int(answer.get("Size") or 0),
        user=str(config.get("User") or ""),
        volumes=tuple(sorted(config.get("Volumes") or ())),
        tags=tuple(tag for tag in answer.get("RepoTags") or () if not tag.startswith("<none>")),
        layers=tuple((answer.get("RootFS") or {}).get("Layers") or ()),
        ports=_parse_ports(config.get("ExposedPorts") or ()),
        health_check=_parse_health_check(config.get("Healthcheck") or {}),
        parent=str(answer.get("Parent") or ""),
        created=_parse_time(str(answer.get("Created") or "")),
    )


def parse_state(answer: Mapping[str, Any]) -> ContainerState:
    """Parse a response of "ContainerInspect" (Engine API)."""
    state, networks = answer["State"], (answer.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = (network.get("IPAddress") for network in networks.values())
    return ContainerState(
        running=bool(state["Running"]),
        exit_code=int(state["ExitCode"]),
        oom_killed=bool(state.get("OOMKilled")),
        error=flatten(state.get("Error") or ""),
        address=next(filter(None, addresses), ""),
    )


def parse_volume_sizes(answer: Mapping[str, Any]) -> dict[str, int]:
    """Parse a response of "SystemDataUsage" (Engine API) into the sizes of volumes in bytes by name."""
    volumes = answer.get("Volumes") or ()
    sizes = ((entry["Name"], (entry.get("UsageData") or {}).get("Size")) for entry in volumes)
    return {name: max(int(size or 0), 0) for name, size in sizes}  # -1: unknown


def _parse_ports(exposed: Iterable[str]) -> tuple[int, ...]:
    """Return the TCP ports of entries such as "5432/tcp"."""
    pairs = [entry.partition("/") for entry in exposed]
    return tuple(sorted(int(port) for port, _, protocol in pairs if port.isdecimal() and protocol in ("", "tcp")))


def _parse_health_check(config: Mapping[str, Any]) -> tuple[str, ...]:
    words = tuple(str(word) for word in config.get("Test") or ())
    return () if words[:1] == ("NONE",) else words


def _parse_time(text: str) -> float:
    """Parse an RFC 3339 time with nanoseconds into a POSIX timestamp; 0 for none."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)$", text)
    if found is None or text.startswith("0001-"):
        return 0.0
    zone = "+00:00" if found[3] == "Z" else found[3]
    return datetime.fromisoformat(found[1] + zone).timestamp() + float(found[2] or 0)
