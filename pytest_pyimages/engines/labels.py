"""The labels of our containers, networks, volumes and images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_pyimages.engines.base import Leftover

if TYPE_CHECKING:
    from pytest_pyimages.engines.client import Client

LABEL = "org.pytest-pyimages"
SESSION_LABEL = LABEL + ".session"
HOST_LABEL = LABEL + ".host"
KIND_LABEL = LABEL + ".kind"
CREATED_LABEL = LABEL + ".created"
# Images only:
PROJECT_LABEL = LABEL + ".project"  # name
ROOT_LABEL = LABEL + ".root"  # digest of the project folder's path, 16 hex digits
RECIPE_LABEL = LABEL + ".recipe"  # the recipe's digest, which is also the image's tag
PYTHON_LABEL = LABEL + ".python"  # version
LAYERS_LABEL = LABEL + ".layers"  # number of those that are ours
EXECUTABLE_LABEL = LABEL + ".executable"  # absolute path of the Python
TAG_LABEL = LABEL + ".tag"  # its label in the matrix: "3.14-slim"
REFERENCE_LABEL = LABEL + ".reference"  # of the base image
BASE_LABEL = LABEL + ".base"  # id of the base image
CONTENTS_LABEL = LABEL + ".contents"  # requirements and the file they come from: JSON (images.labels)
OPTIONS_LABEL = LABEL + ".options"  # options of pytest whose plugins were added, one per line
REPLACED_LABEL = LABEL + ".replaced"  # why an image of the same recipe before it did not work; may be empty
INDEXES_LABEL = LABEL + ".indexes"  # digest of the settings that decide where packages come from, 16 hex digits
REQUEST_LABEL = LABEL + ".asked"  # digest of the project's requirements, without base image and versions of ours


def filter_by_label(label: str) -> dict[str, str]:
    """Return the parameters of a request that lists what has a label (Engine API, "filters")."""
    return {"filters": json.dumps({"label": [label]})}


def find_leftovers(client: Client, label: str) -> Iterator[Leftover]:
    """Yield all containers, running or not, networks and volumes with a label."""
    filters = filter_by_label(label)
    for entry in client.read("GET", "/containers/json", params={"all": 1, **filters}):
        names = entry.get("Names") or [entry["Id"]]  # a container that is being removed has none
        labels = entry.get("Labels") or {}
        name, image = names[0].lstrip("/"), str(entry.get("ImageID") or "")
        runs = entry.get("State") == "running"
        yield Leftover(kind="container", id=entry["Id"], name=name, labels=labels, image=image, is_running=runs)
    for entry in client.read("GET", "/networks", params=filters):
        name = entry["Name"]
        yield Leftover(kind="network", id=name, name=name, labels=entry.get("Labels") or {})
    for entry in client.read("GET", "/volumes", params=filters).get("Volumes") or ():
        name = entry["Name"]
        yield Leftover(kind="volume", id=name, name=name, labels=entry.get("Labels") or {})
