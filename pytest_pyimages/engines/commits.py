"""Commit a container as an image with its base image's configuration, and verify what the engine made of it.

Podman 4.3 ignores the configuration that comes with the request: its images keep the command, the user and the labels
of the container. Such an image is built once more with the right ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker.api import APIClient
from docker.utils import parse_repository_tag

from pytest_pyimages.engines import builds
from pytest_pyimages.engines.base import BuildContext
from pytest_pyimages.engines.docker_py import request
from pytest_pyimages.errors import EngineError

_ROOT = ("", "0", "root", "0:0")


def commit(
    client: APIClient, container: str, *, reference: str, labels: Mapping[str, str], timeout: tuple[float, float]
) -> str:
    """Commit a container; return the image's id. The engine adds the container's variables.

    :raises EngineError: if the image has another configuration, and cannot be built with the right one.
    """
    api: Any = client
    repository, tag = parse_repository_tag(reference)
    made = api.inspect_container(container)
    base = api.inspect_image(made["Image"])["Config"] or {}
    # The engine takes what is missing here from the container, which is configured for the installation.
    masked = dict.fromkeys(made["Config"].get("Labels") or {}, "")
    configuration = {
        **base,
        "Cmd": base.get("Cmd") or [],
        "Entrypoint": base.get("Entrypoint") or [],
        "WorkingDir": base.get("WorkingDir") or "/",
        "User": base.get("User") or ("0" if made["Config"].get("User") else ""),
        "Env": base.get("Env") or [],
        "Labels": {**masked, **(base.get("Labels") or {}), **labels},
        "Healthcheck": base.get("Healthcheck") or {"Test": ["NONE"]},
    }
    parameters = {"container": container, "repo": repository, "tag": tag}
    answer = request(client, "POST", "/commit", params=parameters, json=configuration, timeout=timeout)
    identifier = str(answer.json()["Id"])
    if _is_configured(api, identifier, configuration):
        return identifier
    context = BuildContext(
        dockerfile=_write_dockerfile(identifier, configuration), folder=Path(), files=(), arguments={}
    )
    for _ in builds.build(client, context, reference=reference, labels=configuration["Labels"]):
        pass
    identifier = str(api.inspect_image(reference)["Id"])
    if not _is_configured(api, identifier, configuration):
        raise EngineError(f"the engine does not keep the configuration of {reference}", "upgrade it")
    return identifier


def _is_configured(api: Any, image: str, wanted: Mapping[str, Any]) -> bool:
    """Return whether an image has the user, folder, command and labels that were sent along."""
    found = api.inspect_image(image)["Config"] or {}
    labels = found.get("Labels") or {}
    users = (found.get("User") or "", wanted["User"])
    return (
        all((found.get(name) or []) == wanted[name] for name in ("Cmd", "Entrypoint"))
        and (found.get("WorkingDir") or "/") == wanted["WorkingDir"]
        and (users[0] == users[1] or all(user in _ROOT for user in users))
        and all(labels.get(name, "") == value for name, value in wanted["Labels"].items())
    )


def _write_dockerfile(image: str, wanted: Mapping[str, Any]) -> str:
    lines = [
        f"FROM {image.removeprefix('sha256:')}",
        f"USER {wanted['User'] or '0'}",
        f"WORKDIR {json.dumps(wanted['WorkingDir'])[1:-1]}",
        f"ENTRYPOINT {json.dumps(wanted['Entrypoint'])}",
        f"CMD {json.dumps(wanted['Cmd'])}",
    ]
    return "".join(f"{line}\n" for line in lines)
