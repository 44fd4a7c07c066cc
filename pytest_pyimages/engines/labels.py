"""The labels that tell ours from everybody else's."""

from __future__ import annotations

LABEL = "org.pytest-pyimages"
SESSION_LABEL = LABEL + ".session"
HOST_LABEL = LABEL + ".host"
KIND_LABEL = LABEL + ".kind"
CREATED_LABEL = LABEL + ".created"
# Of images only.
PROJECT_LABEL = LABEL + ".project"  # name
ROOT_LABEL = LABEL + ".root"  # digest of the path of the project's folder, as 16 hex digits
RECIPE_LABEL = LABEL + ".recipe"  # the recipe's digest, which is the image's own tag
PYTHON_LABEL = LABEL + ".python"  # version
TAG_LABEL = LABEL + ".tag"  # the label in the matrix that it was made for: "3.14-slim"
REFERENCE_LABEL = LABEL + ".reference"  # of the base image
BASE_LABEL = LABEL + ".base"  # id of the base image
CONTENTS_LABEL = LABEL + ".contents"  # what was chosen to be installed, and from which file: JSON (images.contents)
OPTIONS_LABEL = LABEL + ".options"  # those of pytest that were typed and brought their plugins, a line each
REQUEST_LABEL = (
    LABEL + ".asked"
)  # digest of what the project asks for, whatever the base image and this package make of it
