"""What the tests of an engine say to containers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from pytest_pyimages.engines.base import STDERR, STDOUT
from pytest_pyimages.engines.docker import DockerEngine

IMAGE = "python:3.14-slim"
Create = Callable[..., str]
Derive = Callable[..., str]
Volume = Callable[..., tuple[str, str]]


def outcome(engine: DockerEngine, container: str, stdin: bytes = b"") -> tuple[bytes, bytes, int]:
    """Run a container to its end; return what it wrote to each channel, and its exit status."""
    channels = {STDOUT: b"", STDERR: b""}
    with contextlib.closing(engine.attach(container)) as stream:
        engine.start(container)
        if stdin:
            stream.send(stdin)
        for channel, payload in stream.frames():
            channels[channel] += payload
    return channels[STDOUT], channels[STDERR], engine.wait(container)
