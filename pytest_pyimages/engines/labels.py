"""The labels that tell ours from everybody else's."""

from __future__ import annotations

LABEL = "org.pytest-pyimages"
SESSION = LABEL + ".session"
HOST = LABEL + ".host"
KIND = LABEL + ".kind"
CREATED = LABEL + ".created"
# Of images only.
PROJECT = LABEL + ".project"  # name
ROOT = LABEL + ".root"  # digest of the path of the project's folder, as 16 hex digits
RECIPE = LABEL + ".recipe"  # the recipe's digest, which is the image's own tag
PYTHON = LABEL + ".python"  # version
TAG = LABEL + ".tag"  # the label in the matrix that it was made for: "3.14-slim"
REFERENCE = LABEL + ".reference"  # of the base image
BASE = LABEL + ".base"  # id of the base image
CONTENTS = LABEL + ".contents"  # what was chosen to be installed, and from which file: JSON (images.contents)
OPTIONS = LABEL + ".options"  # those of pytest that were typed and brought their plugins, a line each
ASKED = LABEL + ".asked"  # digest of what the project asks for, whatever the base image and this package make of it
