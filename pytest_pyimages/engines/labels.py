"""The labels of our containers, volumes and images."""

from __future__ import annotations

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
TAG_LABEL = LABEL + ".tag"  # its label in the matrix: "3.14-slim"
REFERENCE_LABEL = LABEL + ".reference"  # of the base image
BASE_LABEL = LABEL + ".base"  # id of the base image
CONTENTS_LABEL = LABEL + ".contents"  # requirements and the file they come from: JSON (images.labels)
OPTIONS_LABEL = LABEL + ".options"  # options of pytest whose plugins were added, one per line
REQUEST_LABEL = LABEL + ".asked"  # digest of the project's requirements, without base image and versions of ours
