"""The labels that tell ours from everybody else's."""

from __future__ import annotations

LABEL = "org.pytest-pyimages"
SESSION = LABEL + ".session"
HOST = LABEL + ".host"
KIND = LABEL + ".kind"
CREATED = LABEL + ".created"
